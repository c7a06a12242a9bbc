package toolbox

import (
	"os"
	"os/signal"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// defaultSignals gives the signals that end a program the default action in the kernel.
//
// Go's runtime installs a handler for every signal. For an ordinary process that makes no difference, since
// the handler of a deadly signal ends by raising it again. It does for PID 1: the kernel drops a signal for
// which a namespace's init has no handler (pid_namespaces(7)), but hands over one for which it has, and a Go
// program would exit with status 2 where "sleep" in any other image goes on sleeping.
func defaultSignals() {
	for _, s := range []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2} {
		defaultSignal(s)
	}
}

// sigaction is the kernel's struct of that name, rt_sigaction(2); all zero means SIG_DFL.
type sigaction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

// defaultSignal sets SIG_DFL, unless the signal is ignored: a child inherits that on purpose, as nohup(1) has it.
// Go's runtime has kept that for SIGHUP and SIGINT; the others it has taken over before anybody could look.
func defaultSignal(s unix.Signal) {
	var old sigaction
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), 0, uintptr(unsafe.Pointer(&old)), sizeofMask, 0, 0)
	const ignore = 1 // SIG_IGN
	if errno == 0 && old.handler != ignore {
		resetSignal(s)
	}
}

const sizeofMask = 8 // bytes

// resetSignal sets SIG_DFL.
func resetSignal(s unix.Signal) {
	var action sigaction
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&action)), 0, sizeofMask, 0, 0)
}

// catch has the signals sent to the channel that it returns.
func catch(signals ...os.Signal) chan os.Signal {
	ch := make(chan os.Signal, 8)
	catchInto(ch, signals...)
	return ch
}

// catchInto has the signals sent to the channel. Ignore comes first because it makes the runtime forget that it
// had once installed a handler, which defaultSignals has removed behind its back.
func catchInto(ch chan os.Signal, signals ...os.Signal) {
	signal.Ignore(signals...)
	signal.Notify(ch, signals...)
}

// signalNumber reads "TERM", "SIGTERM" or "15"; zero if there is no such signal.
func signalNumber(name string) syscall.Signal {
	if n := number(name); n > 0 && n < 65 {
		return syscall.Signal(n)
	}
	for _, full := range []string{name, "SIG" + name} {
		if s := unix.SignalNum(full); s != 0 {
			return s
		}
	}
	return 0
}
