package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strconv"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	daemon "cutaway/07-daemon"
)

var (
	errDetached   = errors.New("detached")
	errNoTerminal = noTerminal.About(errors.New("the input device is not a TTY"))
)

// streamFlags are the flags of all commands that attach.
type streamFlags struct {
	sigProxy   bool
	detachKeys string
}

func (f *streamFlags) bind(fs *pflag.FlagSet) {
	fs.BoolVar(&f.sigProxy, "sig-proxy", true, "send the signals that come here to the process")
	fs.StringVar(&f.detachKeys, "detach-keys", daemon.DefaultDetachKeys, "keys that detach from a terminal")
}

// needTerminal is an error if a terminal's input is wanted and ours is none.
func (a *app) needTerminal(wanted bool) error {
	if wanted && !term.IsTerminal(int(a.in.Fd())) {
		return errNoTerminal
	}
	return nil
}

// attachment says what to attach to.
type attachment struct {
	streamFlags
	id                    string
	tty                   bool // the process has a terminal
	stdin, stdout, stderr bool
	removed               bool // the container goes when it ends (--rm)
}

// attach connects to a container's streams; it need not run yet.
func (a *app) attach(ctx context.Context, what attachment) (*hijacked, error) {
	query := url.Values{"stream": {"1"}, "detachKeys": {what.detachKeys}}
	for stream, wanted := range map[string]bool{"stdin": what.stdin, "stdout": what.stdout, "stderr": what.stderr} {
		query.Set(stream, strconv.FormatBool(wanted))
	}
	return a.hijack(ctx, call{method: "POST", path: "/containers/" + what.id + "/attach", query: query})
}

// session joins this process's streams with those of a process in a container.
type session struct {
	*app
	attachment
	conn *hijacked
	of   string // the path of what has these streams
}

// copy returns when there is no more output, or with errDetached when the user has typed the keys for that.
// Nobody waits for the input: it may never come to an end.
func (s *session) copy(ctx context.Context) error {
	keys, err := daemon.ParseDetachKeys(s.detachKeys)
	if err != nil {
		return err
	}
	if s.tty && s.stdin && term.IsTerminal(int(s.in.Fd())) {
		restore, err := rawTerminal(s.in)
		if err != nil {
			return err
		}
		defer restore()
	}
	if s.tty && term.IsTerminal(int(s.out.Fd())) {
		stop := s.followSize(ctx)
		defer stop()
	}
	detached := make(chan error, 1)
	if s.stdin {
		go func() { detached <- s.copyInput(keys) }()
	}
	ended := make(chan error, 1)
	go func() { ended <- s.copyOutput() }()
	for {
		select {
		case err := <-ended:
			return err
		case err := <-detached:
			if errors.Is(err, errDetached) {
				return err
			}
			detached = nil // the end of the input; the output goes on
		}
	}
}

// copyInput ends with errDetached after the keys for that, which only a terminal has.
func (s *session) copyInput(keys []byte) error {
	var in io.Reader = s.in
	if s.tty && s.detachKeys != "" {
		in = &keyReader{r: s.in, keys: keys}
	}
	_, err := io.Copy(s.conn, in)
	if errors.Is(err, errDetached) {
		return err
	}
	return errors.Join(err, s.conn.CloseWrite())
}

// copyOutput copies a terminal's bytes as they are, and takes the frames of two streams apart otherwise.
func (s *session) copyOutput() error {
	var err error
	if s.tty {
		_, err = io.Copy(s.out, s.conn)
	} else {
		_, err = stdcopy.StdCopy(s.out, s.err, s.conn)
	}
	if err != nil {
		return fmt.Errorf("copy the output: %w", err)
	}
	return nil
}

// forwardedSignals are those that end or tell a program something, and that no terminal needs for itself.
var forwardedSignals = []os.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2}

// forwardSignals sends the signals that come here to the container. Before it runs, and when it has ended,
// there is nobody to get them, and the daemon's refusal is not worth a message.
func (a *app) forwardSignals(ctx context.Context, id string) (stop func()) {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwardedSignals...)
	go func() {
		for s := range signals {
			_ = a.do(ctx, call{method: "POST", path: "/containers/" + id + "/kill",
				query: url.Values{"signal": {unix.SignalName(s.(unix.Signal))}}}, nil)
		}
	}()
	return func() { signal.Stop(signals); close(signals) }
}
