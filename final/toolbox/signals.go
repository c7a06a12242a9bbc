package toolbox

import (
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// defaultSignals gives the signals that end a program the default action in the kernel, unless they are ignored: a
// child inherits that on purpose, as nohup(1) has it (Go's runtime keeps it for SIGHUP and SIGINT only).
//
// Go's runtime installs a handler for every signal. For an ordinary process that makes no difference, since
// the handler of a deadly signal ends by raising it again. It does for PID 1: the kernel drops a signal for
// which a namespace's init has no handler (pid_namespaces(7)), but hands over one for which it has, and a Go
// program would exit with status 2 where "sleep" in any other image goes on sleeping.
func defaultSignals() {
	for _, s := range [...]unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2} {
		if !signal.Ignored(s) {
			resetSignal(s)
		}
	}
}

// resetSignal sets SIG_DFL: a struct sigaction, rt_sigaction(2), that is all zero.
func resetSignal(s unix.Signal) {
	var action struct {
		handler, flags, restorer uintptr
		mask                     uint64
	}
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&action)), 0, unsafe.Sizeof(action.mask), 0, 0)
}

// catch has the signals sent to the channel. Ignore comes first because it makes the runtime forget that it had
// once installed a handler, which defaultSignals has removed behind its back.
func catch(ch chan os.Signal, signals ...os.Signal) {
	signal.Ignore(signals...)
	signal.Notify(ch, signals...)
}

// signalNumber reads "TERM", "SIGTERM" or "15".
func signalNumber(name string) (s syscall.Signal, ok bool) {
	if n, err := strconv.Atoi(name); err == nil {
		return syscall.Signal(n), n >= 0 && n < 65
	}
	s = unix.SignalNum("SIG" + strings.TrimPrefix(name, "SIG"))
	return s, s != 0
}
