package toolbox

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"mvdan.cc/sh/v3/interp"
)

// traps are what a shell does when signals come: run an action between two commands (trap), or, at a
// terminal, end the command line (SIGINT).
type traps struct {
	signals chan os.Signal
	listen  func()              // starts listening, once
	woken   chan syscall.Signal // tells wait that an action is due

	mu          sync.Mutex
	actions     map[syscall.Signal]string
	onExit      string
	due         []syscall.Signal
	cancel      context.CancelFunc // ends the running line
	children    int                // programs running in the foreground
	interrupted time.Time          // when SIGINT came while there were some
}

// start makes an interactive shell survive SIGINT. SIGTERM and SIGQUIT it ignores, as bash does.
func (t *traps) start(s *shell) {
	t.signals = make(chan os.Signal, 8)
	t.woken = make(chan syscall.Signal, 1)
	t.actions = map[syscall.Signal]string{}
	t.listen = sync.OnceFunc(func() { go t.sort() })
	if s.interactive {
		t.survive(unix.SIGINT, unix.SIGTERM, unix.SIGQUIT)
	}
}

// survive has signals caught, even those without an action.
func (t *traps) survive(signals ...os.Signal) {
	t.listen()
	catchInto(t.signals, signals...)
}

// sort receives the signals: those with an action become due.
func (t *traps) sort() {
	for sig := range t.signals {
		n := sig.(syscall.Signal)
		t.mu.Lock()
		if _, ok := t.actions[n]; ok {
			t.due = append(t.due, n)
			select {
			case t.woken <- n:
			default:
			}
		} else if n == unix.SIGINT {
			t.interrupt()
		}
		t.mu.Unlock()
	}
}

// onInterrupt says what ends the line that is about to run.
func (t *traps) onInterrupt(cancel context.CancelFunc) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cancel = cancel
}

// interrupt ends the line, unless a program runs in the foreground: the terminal has sent the signal to that, too,
// and it may have a use for it.
func (t *traps) interrupt() {
	if t.children == 0 && t.cancel != nil {
		t.cancel()
		return
	}
	t.interrupted = time.Now()
}

// enter and leave surround a program in the foreground. The line ends with it if it died of SIGINT, or if it
// ended by itself so soon after it that there was a connection: a loop of short programs must stop, too.
func (t *traps) enter() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.children++
}

func (t *traps) leave(p *os.ProcessState) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.children--
	if p == nil || t.cancel == nil {
		return
	}
	w, ok := p.Sys().(syscall.WaitStatus)
	if ok && w.Signaled() && w.Signal() == unix.SIGINT || time.Since(t.interrupted) < time.Second {
		t.interrupted = time.Time{}
		t.cancel()
	}
}

// take returns the action of a signal that has come.
func (t *traps) take() (action string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.due) == 0 {
		return "", false
	}
	action = t.actions[t.due[0]]
	t.due = t.due[1:]
	select { // what wait was to be told has been seen to
	case <-t.woken:
	default:
	}
	return action, action != ""
}

// exit returns the action for the shell's end, once.
func (t *traps) exit() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	action := t.onExit
	t.onExit = ""
	return action
}

// none reports whether nothing is trapped, so that the shell is not needed to run an action later.
func (t *traps) none() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.onExit == "" && len(t.actions) == 0
}

// trap is the command "trap [ACTION SIGNAL…]": ” ignores a signal, - gives it back to the kernel.
func (s *shell) trap(hc interp.HandlerContext, args []string) error {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		s.traps.print(hc)
		return nil
	}
	action, names := args[0], args[1:]
	if len(names) == 0 {
		action, names = "-", args
	}
	for _, name := range names {
		if name == "EXIT" || name == "0" {
			s.traps.setExit(action)
			continue
		}
		sig := signalNumber(name)
		if sig == 0 || sig == unix.SIGKILL || sig == unix.SIGSTOP {
			fmt.Fprintf(hc.Stderr, "%s: trap: %s: invalid signal specification\n", s.zero, name)
			return shellStatus(1)
		}
		s.traps.set(sig, action)
	}
	return nil
}

func (t *traps) print(hc interp.HandlerContext) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.onExit != "" {
		fmt.Fprintf(hc.Stdout, "trap -- %s EXIT\n", quoted([]string{t.onExit}))
	}
	var lines []string
	for sig, action := range t.actions {
		lines = append(lines, fmt.Sprintf("trap -- %s %s\n", quoted([]string{action}), unix.SignalName(sig)))
	}
	slices.Sort(lines)
	fmt.Fprint(hc.Stdout, strings.Join(lines, ""))
}

func (t *traps) setExit(action string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.onExit = strings.TrimPrefix(action, "-")
}

func (t *traps) set(sig syscall.Signal, action string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.actions, sig)
	switch action {
	case "":
		signal.Ignore(sig)
	case "-":
		if t.cancel != nil && sig == unix.SIGINT { // at a prompt it still ends the line
			t.survive(sig)
			return
		}
		signal.Reset(sig)
		resetSignal(sig)
	default:
		t.actions[sig] = action
		t.survive(sig)
	}
}
