package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ListenOptions lifts the restrictions of Listen.
type ListenOptions struct {
	// AllowRemote lets tcp:// listen on addresses that other machines reach.
	// There is neither TLS nor a password: whoever reaches it is root here.
	AllowRemote bool
}

// Listen opens "unix:///path" or "tcp://address:port" (2375 if there is no port).
func Listen(host string, o ListenOptions) (net.Listener, error) {
	scheme, address, _ := strings.Cut(host, "://")
	switch {
	case scheme == "unix" && filepath.IsAbs(address):
		l, err := listenUnix(address)
		for end := time.Now().Add(lastBreath); errors.Is(err, errAlive) && time.Now().Before(end); l, err = listenUnix(address) {
			time.Sleep(lastBreath / 20)
		}
		return l, err
	case scheme == "tcp":
		return listenTCP(address, o)
	}
	return nil, fmt.Errorf("listen on %q: want unix:///path or tcp://address:port", host)
}

var errAlive = errors.New("another daemon is listening there; stop it or choose another path")

// lastBreath is how long a daemon that was killed may seem to listen: a process that it
// was about to start has its socket until execve.
const lastBreath = time.Second / 2

// listenUnix replaces the socket that a killed daemon left behind, but never
// that of a daemon which answers. The socket is for root and its group (mode
// 0660): connect(2) on it needs write permission, unix(7), and to talk to the
// engine is to be root.
func listenUnix(path string) (net.Listener, error) {
	unlock, err := lockDir(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", path, err)
	}
	defer unlock()
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("listen on %q: %w", path, err)
	}
	// bind(2) gives the socket file the mode of the descriptor less the umask. Set
	// before, there is no moment in which others may connect.
	private := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		return errors.Join(raw.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), 0o660) }), err)
	}}
	l, err := private.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil { // whatever the umask took away
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// lockDir makes one of two daemons that begin at the same time wait for the other.
func lockDir(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(&os.PathError{Op: "flock", Path: dir, Err: err}, d.Close())
	}
	return func() { _ = d.Close() }, nil
}

// removeStale removes a socket at which nobody listens.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != os.ModeSocket:
		return errors.New("something that is not a socket is in the way; remove it or choose another path")
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		return errors.Join(errAlive, conn.Close())
	case errors.Is(err, unix.ECONNREFUSED): // a socket without a listener, connect(2)
		return os.Remove(path)
	}
	return fmt.Errorf("see whether another daemon is listening: %w", err)
}

func listenTCP(address string, o ListenOptions) (net.Listener, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(strings.Trim(address, "[]"), "2375")
	}
	resolved, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", "tcp://"+address, err)
	}
	if !resolved.IP.IsLoopback() && !o.AllowRemote {
		return nil, fmt.Errorf("listen on %q: refused, because without TLS everyone who reaches this address "+
			"is root on this host; use tcp://127.0.0.1:%d, a unix:// socket (over ssh, from elsewhere), "+
			"or allow it explicitly", "tcp://"+address, resolved.Port)
	}
	l, err := net.ListenTCP("tcp", resolved)
	if err != nil {
		return nil, err
	}
	return l, nil
}
