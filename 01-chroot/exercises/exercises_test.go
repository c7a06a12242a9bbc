package exercises

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	chroot "cutaway/01-chroot"
	"cutaway/chapters/exercise"
)

func TestMain(m *testing.M) {
	exercise.Main(m, exercise.Roles{"jail": jail})
}

func TestGraders(t *testing.T) {
	exercise.Run(t, List, exercise.Graders{"jail": gradeJail})
}

func TestGate(t *testing.T) { exercise.Gate(t, List) }

// jail moves into a root.
func jail(args []string) (any, error) { return nil, chroot.Chroot{Root: args[0]}.Do() }

func gradeJail(g *exercise.G) {
	root := g.Dir("jail")
	p := g.Start(exercise.Child{Role: "jail", Args: []string{root}})
	g.NoError(p.Err, "")
	g.Check(exercise.Check{
		Name: "root directory", Want: root, Got: link(g, p.Proc("root")),
		Hint: "Absolute paths still start where they did. Which system call moves the root of a process?",
	})
	g.Check(exercise.Check{
		Name: "working directory", Want: root, Got: link(g, p.Proc("cwd")),
		Hint: "chroot(2) does not move the working directory, which is now above the root: .. leads out from there.",
	})

	file := root + "/file"
	g.Must(os.WriteFile(file, nil, 0o644))
	p = g.Start(exercise.Child{Role: "jail", Args: []string{file}})
	g.Fails(p.Err, unix.ENOTDIR, "a file cannot be a root")
}

// link is where a symbolic link of /proc leads.
func link(g *exercise.G, path string) string {
	g.Helper()
	to, err := os.Readlink(path)
	g.Must(err)
	return to
}
