package exercises

import (
	"testing"

	"cutaway/chapters/exercise"
)

func TestMain(m *testing.M) { exercise.Main(m, nil) }

func TestGraders(t *testing.T) {
	exercise.Run(t, List, exercise.Graders{
		"escape": gradeEscape, "order": gradeOrder, "whiteout": gradeWhiteout, "opaque": gradeOpaque, "kinds": gradeKinds,
	})
}

func TestGate(t *testing.T) { exercise.Gate(t, List) }
