package exercises

import (
	"testing"

	"cutaway/chapters/exercise"
)

func TestMain(m *testing.M) { exercise.Main(m, exercise.Roles{"join": join}) }

func TestGraders(t *testing.T) {
	exercise.Run(t, List, exercise.Graders{
		"mode": gradeMode, "translate": gradeTranslate, "limit": gradeLimit, "join": gradeJoin, "oom": gradeOOM,
		"freeze": gradeFreeze, "kill": gradeKill,
	})
}

func TestGate(t *testing.T) { exercise.Gate(t, List) }
