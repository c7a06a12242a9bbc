package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"slices"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// rawTerminal hands every key to the program, Ctrl-C too: the container's terminal makes a signal of it.
func rawTerminal(f *os.File) (restore func(), err error) {
	fd := int(f.Fd())
	state, err := term.MakeRaw(fd)
	if err != nil {
		return nil, fmt.Errorf("set the terminal to raw mode: %w", err)
	}
	return func() { _ = term.Restore(fd, state) }, nil
}

// followSize sends the terminal's size, and sends it again whenever SIGWINCH says that it has changed.
func (s *session) followSize(ctx context.Context) (stop func()) {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, unix.SIGWINCH)
	done := make(chan struct{})
	go func() {
		for {
			if size := s.terminalSize(); size != nil {
				query := url.Values{"h": {fmt.Sprint(size[0])}, "w": {fmt.Sprint(size[1])}}
				_ = s.do(ctx, call{method: "POST", path: s.of + "/resize", query: query}, nil) // the process may be over
			}
			select {
			case <-changed:
			case <-done:
				return
			}
		}
	}()
	return func() { signal.Stop(changed); close(done) }
}

// terminalSize is the height and width of our terminal, in characters; nil if the output is none.
func (a *app) terminalSize() *[2]uint {
	width, height, err := term.GetSize(int(a.out.Fd()))
	if err != nil {
		return nil
	}
	return &[2]uint{uint(height), uint(width)}
}

// keyReader passes input on until it has read the keys in a row; they are not passed on. Keys that only begin
// the row are held back until the next one decides.
type keyReader struct {
	r    io.Reader
	keys []byte
	held []byte // read, and the beginning of keys
	out  []byte // to be passed on
}

// Read returns errDetached after the last of the keys.
func (k *keyReader) Read(p []byte) (int, error) {
	var err error
	for len(k.out) == 0 && err == nil {
		var n int
		buf := make([]byte, max(1, len(p)-len(k.keys))) // what is held may have to go out at once
		n, err = k.r.Read(buf)
		if slices.ContainsFunc(buf[:n], k.take) {
			err = errDetached
		} else if err != nil {
			k.out, k.held = append(k.out, k.held...), nil
		}
	}
	n := copy(p, k.out)
	k.out = k.out[n:]
	return n, err
}

// take looks at one byte and reports whether it was the last of the keys.
func (k *keyReader) take(b byte) bool {
	k.held = append(k.held, b)
	for !bytes.HasPrefix(k.keys, k.held) {
		k.out, k.held = append(k.out, k.held[0]), k.held[1:]
	}
	return len(k.held) == len(k.keys)
}

// terminalWidth is the width of a terminal in characters; 0 if the file is none.
func terminalWidth(f *os.File) int {
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}
