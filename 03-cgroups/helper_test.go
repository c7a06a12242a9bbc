package cgroups

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// help is what this test binary does when a test starts it as a helper: it joins
// the group and acts. What it prints and its exit status are the result.
func help(action, arg string) int {
	if err := helpJoin(); err != nil {
		fmt.Println("join:", err)
		return 100
	}
	actions := map[string]func(arg string) error{
		"wait": helpWait, "spin": helpSpin, "eat": helpEat, "fork": helpFork, "bomb": helpBomb,
		"read": helpRead, "access": helpAccess, "engine": helpEngine, "container": helpContainer, "show": helpShow,
	}
	if err := actions[action](arg); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func helpJoin() error {
	text := os.Getenv("CUTAWAY_HELPER_JOIN")
	if text == "" {
		return nil
	}
	var j Join
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	return j.Do()
}

// helpWait answers each line, until there are no more.
func helpWait(string) error {
	fmt.Println("ready")
	_, err := io.Copy(os.Stdout, os.Stdin)
	return err
}

// helpSpin uses the processor.
func helpSpin(string) error {
	fmt.Println("ready")
	for n := 0; ; n++ {
	}
}

// helpEat touches memory for ever, 1 MiB at a time.
func helpEat(string) error {
	var kept [][]byte
	for range 4096 {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += os.Getpagesize() {
			b[i] = 1
		}
		kept = append(kept, b)
	}
	return fmt.Errorf("ate %d MiB", len(kept))
}

// helpFork starts processes until it fails, and says how.
func helpFork(string) error {
	for n := range 1000 {
		if err := exec.Command("sleep", "1000").Start(); err != nil {
			fmt.Println(n, errors.Is(err, unix.EAGAIN))
			return nil
		}
	}
	return errors.New("no limit")
}

// helpBomb forks for ever: each process starts two and ends.
func helpBomb(string) error {
	cmd := exec.Command("sh", "-c", `b() { b & b & }; b; while :; do b; wait; done`)
	if err := cmd.Start(); err != nil {
		return err
	}
	fmt.Println("ready")
	return cmd.Wait()
}

// helpRead reads 1 MiB from a disk, past the page cache.
func helpRead(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	const block = 64 << 10
	buf := make([]byte, block+4096)
	skip := 4096 - int(uintptr(unsafe.Pointer(&buf[0]))%4096) // O_DIRECT wants it aligned
	for i := range int64(16) {
		if _, err := unix.Pread(fd, buf[skip:skip+block], i*block); err != nil {
			return err
		}
	}
	return nil
}

// helpAccess makes and opens nodes as asked, "m c 1:3" or "rw c 1:3" separated
// by commas, and prints ok or the error of each.
func helpAccess(list string) error {
	dir, err := os.MkdirTemp("", "nodes")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := unix.Mount("nodes", dir, "tmpfs", 0, ""); err != nil { // /tmp may be nodev
		return err
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	for i, a := range strings.Split(list, ",") {
		fmt.Println(access(fmt.Sprintf("%s/%d", dir, i), a))
	}
	return nil
}

func access(path, what string) string {
	var mode, kind string
	var major, minor uint32
	if _, err := fmt.Sscanf(what, "%s %s %d:%d", &mode, &kind, &major, &minor); err != nil {
		return err.Error()
	}
	if mode != "m" { // the node was made before the rules
		path = fmt.Sprintf("/dev/%s", map[string]string{"c 1:3": "null", "c 1:5": "zero", "c 1:7": "full"}[fmt.Sprintf("%s %d:%d", kind, major, minor)])
		flags := map[string]int{"r": unix.O_RDONLY, "w": unix.O_WRONLY, "rw": unix.O_RDWR}[mode]
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
		if err != nil {
			return err.Error()
		}
		_ = unix.Close(fd)
		return "ok"
	}
	bits := uint32(unix.S_IFCHR)
	if kind == "b" {
		bits = unix.S_IFBLK
	}
	if err := unix.Mknod(path, bits|0o600, int(unix.Mkdev(major, minor))); err != nil {
		return err.Error()
	}
	return "ok"
}

// helpShow prints a file.
func helpShow(path string) error {
	text, err := os.ReadFile(path)
	fmt.Print(string(text))
	return err
}

// helpContainer is helpEngine with what docker run --privileged --cgroupns=private
// gives: its own group is the top of all that it can see.
func helpContainer(arg string) error {
	if err := unix.Unmount("/sys/fs/cgroup", unix.MNT_DETACH); err != nil {
		return err
	}
	if err := unix.Mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, ""); err != nil {
		return err
	}
	return helpEngine(arg)
}

// helpEngine makes a group from where it is, as an engine in a container or in
// a user's slice would, and says what it did.
func helpEngine(arg string) error {
	sys, err := Detect()
	if err != nil {
		return err
	}
	var l Limits
	if err := json.Unmarshal([]byte(arg), &l); err != nil {
		return err
	}
	steps, err := sys.Steps("inner/box", l)
	if err != nil {
		return err
	}
	for _, s := range steps {
		if err := s.Do(); err != nil {
			return err
		}
	}
	fmt.Println(sys.Mode(), sys.Hierarchies[0].Occupied)
	fmt.Println(steps[len(steps)-1])
	return steps[0].(Create).Undo()
}
