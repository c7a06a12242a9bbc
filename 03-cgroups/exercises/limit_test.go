package exercises

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	cgroups "cutaway/03-cgroups"
	"cutaway/chapters/exercise"
)

func gradeLimit(g *exercise.G) {
	b := newLimitedBox(g)
	file := b.file("memory.max", "memory.limit_in_bytes")
	limit := exercise.Number(5000, 20000) * 4096
	g.NoError(cgroups.Set{Path: file, Value: fmt.Sprint(limit)}.Do(), "")
	hint := "Is it written to the file that s.Path names?"
	parent := filepath.Join(filepath.Dir(filepath.Dir(file)), filepath.Base(file))
	if g.Read(parent) == fmt.Sprint(limit) {
		hint = "It is the limit of the group above now, and counts for its other children as well."
	}
	g.Check(exercise.Check{Name: "memory limit", Want: limit, Got: g.Read(file), Hint: hint})
	g.NoError(cgroups.Set{Path: file, Value: fmt.Sprint(limit + exercise.Number(1, 4096))}.Do(),
		"Memory comes in pages of 4096 bytes. The kernel rounded, and that is all right: there is a method that knows.")
	gradeDoubt(g, cgroups.Set{Path: file, Value: fmt.Sprintf("%dM", exercise.Number(64, 128))})
	gradeNoFile(g, filepath.Dir(file))
}

// gradeDoubt writes what the kernel takes, and takes for something else; and to what is no kernel's file.
func gradeDoubt(g *exercise.G, s cgroups.Set) {
	hint := "The kernel shows " + s.Value + " in another way, which may mean anything. Who has read it back?"
	if s.Do() == nil {
		g.Check(exercise.Check{Name: "doubt", Want: "an error: read back, it is not " + s.Value, Got: "no error", Hint: hint})
	}
	plain := filepath.Join(g.TempDir(), "memory.max")
	g.Must(os.WriteFile(plain, []byte("max"), 0o600))
	err := cgroups.Set{Path: plain, Value: "4096"}.Do()
	g.Check(exercise.Check{Name: "ordinary file", Want: "max", Got: g.Read(plain),
		Hint: "This directory was not on a cgroup file system, and the file is of no importance to the kernel. writeFile looks."})
	if err == nil {
		g.Check(exercise.Check{Name: "ordinary file", Want: "an error", Got: "no error", Hint: "Nothing was limited."})
	}
}

// gradeNoFile asks for what this kernel does not have.
func gradeNoFile(g *exercise.G, group string) {
	s := cgroups.Set{Path: filepath.Join(group, "memory."+exercise.Word("limit")), Value: "1"}
	g.Fails(s.Do(), fs.ErrNotExist, "there is no such limit")
	s.Optional = true
	g.NoError(s.Do(), "The kernel has no such limit, and s.Optional says that this does not matter.")
	s.Path = filepath.Join(group, exercise.Word("gone"), "memory.max")
	g.Fails(s.Do(), fs.ErrNotExist, "there is no such group, optional or not")
}
