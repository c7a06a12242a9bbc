package plan

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	namespaces "cutaway/02-namespaces"
	"cutaway/final/rootfs"

	"golang.org/x/sys/unix"
)

// Clone starts the container's first process in namespaces of its own, so that
// it sees none of the host's names. The process waits for the steps that it is
// to do inside.
//
// The shim performs it, because it has to be the parent: see final/shim.
//
// Man page: clone(2), namespaces(7)
type Clone struct {
	namespaces.Clone
	start func() error
}

// Starting is the step with what performs it: a plan that was read back from
// the disk has nothing to start.
func Starting(c namespaces.Clone, start func() error) Clone { return Clone{c, start} }

// Do starts the process.
func (c Clone) Do() error {
	if c.start == nil {
		return errors.New("this plan was only read, not made")
	}
	return c.start()
}

// Workdir is where the program starts: WORKDIR of the image, or --workdir. It
// is made if it is missing, as Docker does.
//
// Man page: chdir(2)
type Workdir struct{ Path string }

// Do makes the directory, changes to it, and asks the kernel where it is: a
// directory outside of the container's root (a leaked descriptor, as in
// CVE-2024-21626) has no path in it.
func (w Workdir) Do() error {
	if err := os.MkdirAll(w.Path, 0o755); err != nil {
		return err
	}
	if err := os.Chdir(w.Path); err != nil {
		return err
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Getcwd(buf)
	if err != nil {
		return os.NewSyscallError("getcwd", err)
	}
	if n == 0 || buf[0] != '/' {
		return fmt.Errorf("working directory %q is outside of the container's root", w.Path)
	}
	return nil
}

// String is mkdir(1) and cd.
func (w Workdir) String() string {
	return fmt.Sprintf("mkdir -p %[1]s && cd %[1]s", rootfs.Quote(w.Path))
}

// Exec becomes the program. The process keeps its number, 1, and everything
// that the steps before have made of it; only its memory is replaced. Every
// descriptor but the first three is closed by it.
//
// Args[0] without a slash is looked up in the container's PATH. Errors are
// those of execve(2); ENOENT for a program that is there means that its
// interpreter or dynamic linker is not.
//
// Man page: execve(2)
type Exec struct {
	Args []string
	Env  []string // NAME=value; HOME is added if it is missing
}

// Do does not return, unless it fails.
func (e Exec) Do() error {
	if len(e.Args) == 0 {
		return errors.New("no command specified")
	}
	env := e.Env
	if !slices.ContainsFunc(env, func(s string) bool { return strings.HasPrefix(s, "HOME=") }) {
		env = append(slices.Clip(env), "HOME="+os.Getenv("HOME"))
	}
	path, err := e.find()
	if err != nil {
		return err
	}
	if err := closeOnExec(); err != nil {
		return err
	}
	return fmt.Errorf("exec: %q: %w", e.Args[0], &os.PathError{Op: "execve", Path: path, Err: unix.Exec(path, e.Args, env)})
}

// find looks the program up. The words of the errors are Docker's, whose client
// makes exit codes of them: 127 for "not found", 126 for "permission denied".
func (e Exec) find() (string, error) {
	name := e.Args[0]
	if strings.Contains(name, "/") {
		return name, executable(name)
	}
	var refused error
	for _, dir := range filepath.SplitList(e.path()) {
		candidate := filepath.Join(dir, name)
		err := executable(candidate)
		if err == nil {
			return candidate, nil
		}
		if errors.Is(err, unix.EACCES) {
			refused = err
		}
	}
	if refused != nil {
		return "", refused
	}
	return "", fmt.Errorf("exec: %q: executable file not found in $PATH: %w", name, unix.ENOENT)
}

func (e Exec) path() string {
	for _, v := range e.Env {
		if p, ok := strings.CutPrefix(v, "PATH="); ok {
			return p
		}
	}
	return ""
}

// executable tells whether the caller may execute a file.
func executable(name string) error {
	info, err := os.Stat(name)
	if err == nil && info.IsDir() {
		err = unix.EISDIR
	}
	if err == nil {
		err = unix.Faccessat(unix.AT_FDCWD, name, unix.X_OK, unix.AT_EACCESS)
	}
	if pe := (*os.PathError)(nil); errors.As(err, &pe) {
		err = pe.Err
	}
	if err != nil {
		return fmt.Errorf("exec: %q: %w", name, &os.PathError{Op: "execve", Path: name, Err: err})
	}
	return nil
}

// closeOnExec marks all descriptors but the first three: whatever leaked into
// this process must not leak into the container.
func closeOnExec() error {
	if err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return os.NewSyscallError("close_range", err)
	}
	return nil
}

// String is the shell's exec, in an environment of its own.
func (e Exec) String() string {
	words := []string{"exec", "env", "-i"}
	for _, w := range slices.Concat(e.Env, e.Args) {
		words = append(words, rootfs.Quote(w))
	}
	return strings.Join(words, " ")
}
