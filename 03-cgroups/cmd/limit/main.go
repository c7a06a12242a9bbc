// Limit runs a command in a group with limits and reports what it used.
//
//	sudo go run ./03-cgroups/cmd/limit -memory 64m -pids 20 -v COMMAND [ARG…]
//
// Its exit status is the command's. With -v it prints every step, as a shell command, on the way.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	cgroups "cutaway/03-cgroups"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == "join" {
		fmt.Fprintln(os.Stderr, "limit:", join(os.Args[2], os.Args[3:]))
		os.Exit(126)
	}
	status, err := limit()
	if err != nil {
		fmt.Fprintln(os.Stderr, "limit:", err)
		os.Exit(125)
	}
	os.Exit(status)
}

// limit makes the group, runs the command in it, reports, and removes the group.
func limit() (status int, err error) {
	var l cgroups.Limits
	o := flags(&l)
	if flag.NArg() == 0 {
		return 0, errors.New("which command? See -help")
	}
	sys, err := cgroups.Detect()
	if err != nil {
		return 0, err
	}
	name := fmt.Sprintf("cutaway-limit/%d", os.Getpid())
	steps, err := sys.Steps(name, l)
	if err != nil {
		return 0, err
	}
	create := sys.Create(name)
	// "limit … | head -2" must not kill us before the group is removed.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	defer func() { err = errors.Join(err, create.Undo()) }()
	if err := o.do(steps); err != nil {
		return 0, err
	}
	if o.verbose {
		fmt.Fprintln(os.Stderr, "+", sys.Join(name))
	}
	if o.events {
		ctx, cancel := context.WithCancel(context.Background())
		told, err := tell(ctx, create.Group())
		if err != nil {
			cancel()
			return 0, err
		}
		defer func() {
			time.Sleep(20 * time.Millisecond) // v2 tells of a file at most every 10 ms (CGROUP_FILE_NOTIFY_MIN_INTV)
			cancel()
			<-told
		}()
	}
	return run(sys.Join(name), create.Group())
}

// do makes the group, and tells what the kernel rounds.
func (o options) do(steps []cgroups.Step) error {
	for _, s := range steps {
		if o.verbose {
			fmt.Fprintln(os.Stderr, "+", s)
		}
		if err := s.Do(); err != nil {
			return err
		}
		if set, ok := s.(cgroups.Set); ok {
			note(set)
		}
	}
	return nil
}

// note tells if the kernel keeps another value than the one that was written: it rounds. v1 shows no limit as a number.
func note(s cgroups.Set) {
	got, err := s.Read()
	if err == nil && !strings.HasPrefix(got, s.Value) && s.Value != "-1" {
		fmt.Fprintf(os.Stderr, "limit: note: %s: asked for %s, but the kernel keeps %s\n", filepath.Base(s.Path), s.Value, got)
	}
}

// tell prints what happens to the group, when it happens, until ctx is done.
func tell(ctx context.Context, g cgroups.Group) (told <-chan struct{}, err error) {
	var triggers []cgroups.Trigger
	if _, err := g.Pressure("memory"); err == nil {
		triggers = append(triggers, cgroups.Trigger{Resource: "memory", Stall: 200 * time.Millisecond, Window: 2 * time.Second})
	}
	events, err := g.Watch(ctx, triggers...)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e := range events {
			fmt.Fprintln(os.Stderr, "limit: event:", e.Name, e.Value)
		}
	}()
	return done, err
}

// run starts this program again: it joins the group and becomes the command.
func run(j cgroups.Join, g cgroups.Group) (status int, err error) {
	text, err := json.Marshal(j)
	if err != nil {
		return 0, err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = append([]string{os.Args[0], "join", string(text)}, flag.Args()...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM)
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	go func() {
		for range signals { // the group goes before we do
			_ = g.Kill()
		}
	}()
	if err, exit := cmd.Wait(), (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	report(g, cmd.ProcessState, time.Since(start))
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	return cmd.ProcessState.ExitCode(), nil
}

// join is the child: it enters the group and executes the command in its place.
func join(text string, args []string) error {
	var j cgroups.Join
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	if err := j.Do(); err != nil {
		return err
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	return &os.PathError{Op: "execve", Path: path, Err: unix.Exec(path, args, os.Environ())}
}

func report(g cgroups.Group, state *os.ProcessState, elapsed time.Duration) {
	s, err := g.Stats()
	if err != nil {
		fmt.Fprintln(os.Stderr, "limit:", err)
		return
	}
	fmt.Fprintf(os.Stderr, "limit: %v after %v\n", state, elapsed.Round(time.Millisecond))
	fmt.Fprintf(os.Stderr, "  memory     at most %.1f MiB", float64(s.Memory.Peak)/(1<<20))
	if s.Memory.Max > 0 {
		fmt.Fprintf(os.Stderr, " of %.1f MiB", float64(s.Memory.Max)/(1<<20))
	}
	fmt.Fprintf(os.Stderr, "; %d killed for want of it\n", s.OOMKills)
	fmt.Fprintf(os.Stderr, "  processor  %v (user %v, system %v)\n", s.CPU.Usage.Round(time.Millisecond),
		s.CPU.User.Round(time.Millisecond), s.CPU.System.Round(time.Millisecond))
	if s.CPU.Periods > 0 {
		fmt.Fprintf(os.Stderr, "  throttled  in %d of %d periods, %v in all\n", s.CPU.Throttled, s.CPU.Periods, s.CPU.ThrottledTime.Round(time.Millisecond))
	}
	for _, d := range s.IO {
		fmt.Fprintf(os.Stderr, "  disk %-5s read %d KiB, written %d KiB\n", d.Disk, d.ReadBytes>>10, d.WriteBytes>>10)
	}
	if p, err := g.Pressure("memory"); err == nil && p.Some > 0 {
		fmt.Fprintf(os.Stderr, "  waited     %v for memory\n", p.Some)
	}
	if left, _ := g.Procs(); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "  left       %d processes, which are killed with the group\n", len(left))
	}
}

// options are what is not a limit.
type options struct{ verbose, events bool }

// flags declares and parses the options.
func flags(l *cgroups.Limits) *options {
	o := &options{}
	flag.BoolVar(&o.verbose, "v", false, "print every step")
	flag.BoolVar(&o.events, "events", false, "print what happens to the group, when it happens")
	flag.Func("memory", "`bytes`, as 64m: memory.max; as much swap again", bytes(&l.MemoryMax))
	flag.Func("memory-swap", "`bytes`: memory and swap together; -1 for no limit", bytes(&l.MemorySwap))
	flag.Func("memory-high", "`bytes`: slow down above this (v2)", bytes(&l.MemoryHigh))
	flag.Func("memory-low", "`bytes` that others should leave", bytes(&l.MemoryLow))
	flag.Func("cpus", "how many processors' `time`, as 0.5", func(s string) error {
		n, err := strconv.ParseFloat(s, 64)
		l.CPUQuota = int64(n * 100_000)
		return err
	})
	flag.Uint64Var(&l.CPUShares, "cpu-shares", 0, "`part` of a busy processor; 1024 is usual")
	flag.StringVar(&l.CPUs, "cpuset", "", "`list` of processors, as 0-1")
	flag.Int64Var(&l.PidsMax, "pids", 0, "`number` of processes and threads")
	flag.Func("read", "`MAJOR:MINOR:BYTES` a second from a disk; may be repeated", func(s string) error {
		var d cgroups.IOLimit
		_, err := fmt.Sscanf(s, "%d:%d:%d", &d.Major, &d.Minor, &d.ReadBPS)
		l.IO = append(l.IO, d)
		return err
	})
	flag.Parse()
	return o
}

// bytes parses 1000, 64k, 64m, 2g.
func bytes(to *int64) func(string) error {
	return func(s string) error {
		digits := strings.TrimRight(strings.ToLower(s), "kmgb")
		n, err := strconv.ParseInt(digits, 10, 64)
		unit := strings.TrimSuffix(strings.ToLower(s[len(digits):]), "b")
		*to = n << map[string]int{"k": 10, "m": 20, "g": 30}[unit]
		return err
	}
}
