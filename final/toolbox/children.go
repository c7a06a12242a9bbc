package toolbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
)

// children are the processes of a shell. One goroutine waits for whoever ends, so that a shell that is PID 1 also
// collects the orphans of its namespace (pid_namespaces(7)).
type children struct {
	once       sync.Once      // for start
	some       chan os.Signal // tells that there may be one to wait for
	mu         sync.Mutex
	running    map[int]*child
	background []*child
}

// child is one process; status, which is 128 + n after signal n, may be read once done is closed.
type child struct {
	pid    int
	done   chan struct{}
	status int
}

// start begins to wait.
func (c *children) start() {
	c.running, c.some = map[int]*child{}, make(chan os.Signal, 1)
	if os.Getpid() == 1 {
		signal.Notify(c.some, unix.SIGCHLD)
	}
	go func() {
		for {
			var w syscall.WaitStatus
			pid, err := syscall.Wait4(-1, &w, 0, nil)
			if err == nil {
				c.end(pid, w)
			} else if errors.Is(err, unix.ECHILD) { // there is none
				<-c.some
			}
		}
	}()
}

func (c *children) end(pid int, w syscall.WaitStatus) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ended := c.running[pid]
	if ended == nil {
		return // an orphan
	}
	delete(c.running, pid)
	if ended.status = w.ExitStatus(); w.Signaled() {
		ended.status = 128 + int(w.Signal())
	}
	close(ended.done)
}

// run starts a process.
func (c *children) run(cmd *exec.Cmd) (*child, error) {
	c.once.Do(c.start)
	c.mu.Lock() // it may end before it is known here
	defer c.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	started := &child{pid: cmd.Process.Pid, done: make(chan struct{})}
	c.running[started.pid] = started
	select {
	case c.some <- unix.SIGCHLD:
	default: // it has been told
	}
	return started, nil
}

// spawn starts another shell for a statement. It gets all variables, functions and parameters. Its process
// group is its own, so that the terminal's Ctrl-C is not for it, and its standard input is empty.
func (s *shell) spawn(hc interp.HandlerContext, index string) ([]string, error) {
	n, err := strconv.Atoi(index)
	if err != nil {
		return nil, err
	}
	var script strings.Builder
	for name, body := range s.runner.Funcs {
		fmt.Fprintf(&script, "%s() %s\n", name, source(body))
	}
	script.WriteString(s.sources[n])
	cmd := s.selfCommand(hc, append([]string{"-c", script.String(), s.zero}, s.runner.Params...))
	cmd.Stdin = nil
	cmd.Env = environ(hc.Env, func(v expand.Variable) bool { return v.Exported || !v.ReadOnly })
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c, err := s.children.run(cmd)
	if err != nil {
		fmt.Fprintf(hc.Stderr, "%s: %v\n", s.zero, err)
		return []string{"false"}, nil
	}
	s.children.mu.Lock()
	defer s.children.mu.Unlock()
	s.children.background = append(s.children.background, c)
	if s.interactive {
		fmt.Fprintf(hc.Stderr, "[%d] %d\n", len(s.children.background), c.pid)
	}
	return []string{"eval", lastJob + "=" + strconv.Itoa(c.pid)}, nil
}

// selfCommand calls this binary as sh.
func (s *shell) selfCommand(hc interp.HandlerContext, args []string) *exec.Cmd {
	return &exec.Cmd{Path: "/proc/self/exe", Args: append([]string{"sh"}, args...), Dir: hc.Dir,
		Env: environ(hc.Env, exported), Stdin: hc.Stdin, Stdout: hc.Stdout, Stderr: hc.Stderr}
}

// wait is the command "wait [PID]…". Its status is that of the last one named, or zero: wait(1p). A trapped signal
// ends it with 128 + n, before the trap's action is run.
func (s *shell) wait(ctx context.Context, args []string) error {
	hc := interp.HandlerCtx(ctx)
	s.children.mu.Lock()
	list := s.children.background
	s.children.mu.Unlock()
	if len(args) > 0 {
		var named []*child
		for _, arg := range args {
			i := slices.IndexFunc(list, func(c *child) bool { return strconv.Itoa(c.pid) == arg })
			if i < 0 {
				fmt.Fprintf(hc.Stderr, "%s: wait: %s is not a child of this shell\n", s.zero, arg)
				return shellStatus(127)
			}
			named = append(named, list[i])
		}
		list = named
	}
	last := 0
	for _, c := range list {
		select {
		case <-c.done:
			last = c.status
		case t := <-s.due:
			s.due <- t
			return shellStatus(128 + int(t.signal))
		case <-ctx.Done():
			return nil
		}
	}
	if len(args) == 0 {
		last = 0
	}
	return shellStatus(last)
}
