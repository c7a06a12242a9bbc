package exercises

import (
	"testing"

	"cutaway/chapters/exercise"
)

func TestMain(m *testing.M) { exercise.Main(m, nil) }

func TestGraders(t *testing.T) {
	exercise.Run(t, List, exercise.Graders{
		"names": gradeNames, "chain": gradeChain, "platform": gradePlatform, "verify": gradeVerify, "resume": gradeResume, "plain": gradePlain,
	})
}

func TestGate(t *testing.T) { exercise.Gate(t, List) }
