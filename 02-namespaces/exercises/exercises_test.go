package exercises

import (
	"testing"

	"cutaway/chapters/exercise"
)

func TestMain(m *testing.M) {
	exercise.Main(m, exercise.Roles{
		"hostname": hostname, "propagation": propagation, "maps": maps, "init": pid1, "become": become, "join": join, "thread": thread,
	})
}

func TestGraders(t *testing.T) {
	exercise.Run(t, List, exercise.Graders{
		"hostname": gradeHostname, "born": gradeBorn, "propagation": gradePropagation, "maps": gradeMaps,
		"init": gradeInit, "failure": gradeFailure, "join": gradeJoin, "thread": gradeThread,
	})
}

func TestGate(t *testing.T) { exercise.Gate(t, List) }
