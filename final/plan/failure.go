package plan

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Failure is why a step failed, in a form that survives a pipe and a file:
// the child sends it, the parent returns it as the same error.
type Failure struct {
	Step    string        // such as "chroot.Pivot"
	Call    string        // the system call, such as "pivot_root"; may be empty
	Path    string        // what it was called on; may be empty
	Errno   syscall.Errno // 0 if no system call failed
	Message string        // the whole error, as the step told it
	Chapter string        // the page that explains it, such as "chapters/01-chroot.md"
}

// Error is the step, then what it said.
func (f *Failure) Error() string { return f.Step + ": " + f.Message }

// Unwrap gives the errno, so that errors.Is(err, syscall.EPERM) works across
// the pipe.
func (f *Failure) Unwrap() error {
	if f.Errno == 0 {
		return nil
	}
	return f.Errno
}

// ID names the failure in chapters/errors.md: the step and, if the kernel
// refused, the name of the errno, as in "unionfs.Mount/EINVAL".
func (f *Failure) ID() string {
	if name := unix.ErrnoName(f.Errno); f.Errno != 0 && name != "" {
		return f.Step + "/" + name
	}
	return f.Step
}

// Explain says where to read about it.
func (f *Failure) Explain() (id, chapter string) { return f.ID(), f.Chapter }

// fail describes the error that a step returned.
func fail(s Step, err error) *Failure {
	if known, ok := errors.AsType[*Failure](err); ok {
		return known
	}
	f := &Failure{Step: nameOf(s), Message: err.Error(), Chapter: chapterOf(s)}
	errors.As(err, &f.Errno)
	f.Call, f.Path = callOf(err)
	return f
}

// callOf finds the system call and its object in an error chain.
func callOf(err error) (call, path string) {
	var pe *fs.PathError
	var le *os.LinkError
	var se *os.SyscallError
	switch {
	case errors.As(err, &pe):
		return pe.Op, pe.Path
	case errors.As(err, &le):
		return le.Op, le.New
	case errors.As(err, &se):
		return se.Syscall, ""
	}
	return "", ""
}

// chapters maps a package to the page that teaches it.
var chapters = map[string]string{
	"chroot":     "chapters/01-chroot.md",
	"namespaces": "chapters/02-namespaces.md",
	"cgroups":    "chapters/03-cgroups.md",
	"unionfs":    "chapters/04-unionfs.md",
	"images":     "chapters/05-images.md",
	"network":    "chapters/06-network.md",
	"daemon":     "chapters/07-daemon.md",
	"rootfs":     "chapters/02-namespaces.md",
	"security":   "chapters/09-hardening.md",
}

func chapterOf(s Step) string {
	pkg, _, _ := strings.Cut(nameOf(s), ".")
	if c, ok := chapters[pkg]; ok {
		return c
	}
	return "chapters/08-final.md"
}

// panicked turns a panic of a step into its failure: a bug in one step must
// neither end the daemon nor leave the container half made.
func panicked(v any) error { return fmt.Errorf("panic: %v", v) }
