package exercises

import (
	"testing"

	"cutaway/chapters/exercise"
)

func TestMain(m *testing.M) {
	exercise.Main(m, exercise.Roles{
		"jail": jail, "pivot": pivot, "pivot wrongly": pivotWrongly, "breakout": breakout,
	})
}

func TestGraders(t *testing.T) {
	exercise.Run(t, List, exercise.Graders{
		"jail": gradeJail, "pivot": gradePivot, "einval": gradeEinval, "breakout": gradeBreakout, "openin": gradeOpenIn,
	})
}

func TestGate(t *testing.T) { exercise.Gate(t, List) }
