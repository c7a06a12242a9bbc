package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	chroot "cutaway/01-chroot"
)

// insideArg is the hidden argument of the process that moves into the jail.
const insideArg = "inside"

// prison is everything that the process inside needs to know.
type prison struct {
	By       string // "chroot" or "pivot"
	Root     string
	Escape   string // the name of one of chroot.Escapes; "" = stay
	Defended bool   // with what Pivot needs beside it: a PID namespace, no descriptor
	Command  []string
	Outside  string // instead of a command: say whether "/" is this (compare.go)
}

// start runs this program again, in a mount namespace of its own, so that one
// prisoner's mounts are not seen by another.
func start(p prison) error {
	cmd, err := prisoner(p)
	if err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

func prisoner(p prison) (*exec.Cmd, error) {
	root, err := filepath.Abs(p.Root)
	if err != nil {
		return nil, err
	}
	p.Root = root
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/proc/self/exe", insideArg, string(text))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	if p.Defended {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWPID
	}
	return cmd, nil
}

// inside moves in, breaks out if it should, and becomes the command.
func inside(text string) error {
	runtime.LockOSThread()
	var p prison
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return err
	}
	if p.Escape == "descriptor" && !p.Defended {
		if _, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY, 0); err != nil { // the jailer's mistake
			return err
		}
	}
	if err := p.mounts(); err != nil {
		return err
	}
	if err := p.enter(); err != nil {
		return err
	}
	err := p.escape()
	if p.Outside != "" {
		word, err := p.verdict(err)
		fmt.Print(word)
		return err
	}
	if err != nil {
		return err
	}
	path, err := exec.LookPath(p.Command[0])
	if err != nil {
		return err
	}
	return &os.PathError{Op: "execve", Path: path, Err: unix.Exec(path, p.Command, os.Environ())}
}

// mounts makes the root a mount point, as Pivot needs it, and gives it a
// /proc: a new one for the PID namespace that a defended jail has, else the
// warden's.
func (p prison) mounts() error {
	proc := filepath.Join(p.Root, "proc")
	if err := os.MkdirAll(proc, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(p.Root, p.Root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return &os.PathError{Op: "bind", Path: p.Root, Err: err}
	}
	source, kind, flags := "/proc", "", uintptr(unix.MS_BIND|unix.MS_REC)
	if p.Defended {
		source, kind, flags = "proc", "proc", 0
	}
	if err := unix.Mount(source, proc, kind, flags, ""); err != nil {
		return &os.PathError{Op: "mount", Path: proc, Err: err}
	}
	return nil
}

func (p prison) enter() error {
	switch p.By {
	case "chroot":
		return chroot.Chroot{Root: p.Root}.Do()
	case "pivot":
		return chroot.Pivot{Root: p.Root}.Do()
	}
	return errors.New(usage)
}

func (p prison) escape() error {
	if p.Escape == "" {
		return nil
	}
	for _, e := range chroot.Escapes {
		if e.Name == p.Escape {
			return e.Do()
		}
	}
	return fmt.Errorf("no such escape: %s\n%s", p.Escape, usage)
}
