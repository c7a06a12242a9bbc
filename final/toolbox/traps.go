package toolbox

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
	"mvdan.cc/sh/v3/interp"
)

// trapped is an action that is to be run between two commands, because a signal has come.
type trapped struct {
	signal syscall.Signal
	action string
}

// listen receives signals: those with an action become due, and SIGINT ends the command line of an interactive
// shell, as soon as the program that runs there has ended. SIGTERM and SIGQUIT such a shell survives, as bash does.
func (s *shell) listen() {
	s.signals, s.due, s.actions = make(chan os.Signal, 8), make(chan trapped, 8), map[syscall.Signal]string{}
	if s.interactive {
		catch(s.signals, unix.SIGINT, unix.SIGTERM, unix.SIGQUIT)
	}
	go func() {
		for sig := range s.signals {
			n, _ := sig.(syscall.Signal)
			s.mu.Lock()
			action, ok := s.actions[n]
			s.mu.Unlock()
			switch {
			case ok:
				s.due <- trapped{n, action}
			case n == unix.SIGINT:
				s.interrupt()
			}
		}
	}()
}

// onInterrupt says what ends the line that is about to run.
func (s *shell) onInterrupt(cancel context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = cancel
}

// interrupt ends the line. It is called for SIGINT and, as this may come a moment later, for a program that died of it.
func (s *shell) interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.interactive && s.cancel != nil {
		s.cancel()
	}
}

// trap is the command "trap [ACTION SIGNAL…]": an empty ACTION ignores a signal, - gives it back to the kernel. It returns
// the command that the interpreter is to run instead, which knows of EXIT and ERR.
func (s *shell) trap(hc interp.HandlerContext, args []string) []string {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 1 {
		args = []string{"-", args[0]}
	}
	if len(args) == 0 {
		return []string{"trap"}
	}
	theirs := []string{"trap", "--", s.planText(args[0])}
	for _, name := range args[1:] {
		if name == "0" {
			name = "EXIT"
		}
		if name == "EXIT" || name == "ERR" {
			theirs = append(theirs, name)
			continue
		}
		sig, ok := signalNumber(name)
		if !ok || sig == unix.SIGKILL || sig == unix.SIGSTOP {
			fmt.Fprintf(hc.Stderr, "%s: trap: %s: invalid signal specification\n", s.zero, name)
			return []string{"false"}
		}
		s.onSignal(sig, args[0])
	}
	if len(theirs) == 3 {
		return []string{"true"}
	}
	return theirs
}

func (s *shell) onSignal(sig syscall.Signal, action string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.actions, sig)
	switch {
	case action == "":
		signal.Ignore(sig)
	case action != "-":
		s.actions[sig] = action
		catch(s.signals, sig)
	case s.interactive && sig == unix.SIGINT: // at a prompt it still ends the line
		catch(s.signals, sig)
	default:
		signal.Reset(sig)
		resetSignal(sig)
	}
}
