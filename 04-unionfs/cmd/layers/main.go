// Command layers builds a stack of layers, and shows after each command in a container what its own layer holds.
//
//	layers [-driver overlay] ['COMMAND' …]
//
// The commands are run by sh in the container's tree; "sh" itself is one. Without any, layers runs a few that show the
// most. It needs no root, and leaves nothing behind: it works in a mount namespace of its own.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	unionfs "cutaway/04-unionfs"
)

// lesson is what a container does when nobody says otherwise.
var lesson = []string{
	"cat bin/sh",
	"echo and more >> bin/sh",
	"rm app/run",
	"rm -r var/cache; mkdir var/cache",
	"mv etc config",
}

func main() {
	driver := flag.String("driver", "", "overlay, fuse-overlayfs, btrfs, vfs or devicemapper; the best that works if empty")
	flag.Parse()
	commands := flag.Args()
	if len(commands) == 0 {
		commands = lesson
	}
	run := outside
	if os.Getenv(inside) != "" {
		run = func() error { return demonstrate(*driver, commands) }
	}
	if err := run(); errors.As(err, new(*exec.ExitError)) {
		os.Exit(1) // it has said why
	} else if err != nil {
		fmt.Fprintln(os.Stderr, "layers:", err)
		os.Exit(1)
	}
}

// inside is set in the environment of the process that has the new namespaces.
const inside = "LAYERS_INSIDE"

// outside runs this command again where its mounts disturb nobody; for those who are not root, as root of a
// user namespace.
func outside() error {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	return cmd.Run()
}

func demonstrate(driver string, commands []string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	dir, err := os.MkdirTemp("", "layers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	store, err := unionfs.Open(dir, driver)
	if err != nil {
		return err
	}
	defer store.Close()
	fmt.Printf("driver %s: %s\n\n", store.Driver(), store.Reason())
	if err := build(store); err != nil {
		return err
	}
	m, err := show(store, filepath.Join(dir, "merged"))
	if err != nil {
		return err
	}
	defer func() { _ = m.Undo() }()
	for _, c := range commands {
		if err := try(m, c); err != nil {
			return err
		}
	}
	return sum(store)
}

// show mounts the container's layer.
func show(store *unionfs.Store, target string) (unionfs.Mount, error) {
	if err := os.Mkdir(target, 0o755); err != nil {
		return unionfs.Mount{}, err
	}
	m, err := store.Mount("container", target)
	if err != nil {
		return m, err
	}
	fmt.Println("\n" + m.String())
	return m, m.Do()
}

// try runs a command in the container's tree, and shows what its layer holds then.
func try(m unionfs.Mount, command string) error {
	fmt.Printf("\n$ %s\n", command)
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = m.Target
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Println(err)
	}
	if m.Upper == "" { // the driver keeps whole trees
		return list(m.Target)
	}
	return list(filepath.Join(m.Dir, m.Upper))
}

// sum says it in the way of docker diff.
func sum(store *unionfs.Store) error {
	changes, err := store.Changes("container")
	bytes, uerr := store.Usage("container")
	if err == nil {
		err = uerr
	}
	fmt.Printf("\nthe container's changes, %d bytes:\n", bytes)
	for _, c := range changes {
		fmt.Printf("%s %s\n", c.Kind, c.Path)
	}
	return err
}
