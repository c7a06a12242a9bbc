package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/stretchr/testify/require"
)

func TestKindsAreStatusCodes(t *testing.T) {
	for kind, want := range map[Kind]int{
		Internal: 500, NotFound: 404, Conflict: 409, Invalid: 400, NotModified: 304,
		Unauthorized: 401, Forbidden: 403, Unavailable: 503, NotImplemented: 501,
	} {
		require.Equal(t, want, Status(Errorf(kind, "x")))
	}
	missing := Errorf(NotFound, "No such container: %s", "x")
	require.Equal(t, 404, Status(fmt.Errorf("start x: %w", missing)), "wrapping keeps the kind")
	require.Equal(t, 409, Status(Errorf(Conflict, "join network: %w", missing)), "the outermost kind counts")
	require.Equal(t, 500, Status(fmt.Errorf("open layer: %w", syscall.ENOENT)), "an errno is no answer to the user")
	require.ErrorIs(t, Errorf(Conflict, "bind: %w", syscall.EADDRINUSE), syscall.EADDRINUSE)
}

func TestFramesAreReadByDockersOwnReader(t *testing.T) {
	var wire, out, errs bytes.Buffer
	stdout, stderr := Framed{&wire, stdcopy.Stdout}, Framed{&wire, stdcopy.Stderr}
	large := strings.Repeat("x", 100_000)
	for _, s := range []string{"one\n", "", large} {
		n, err := io.WriteString(stdout, s)
		require.NoError(t, err)
		require.Equal(t, len(s), n)
	}
	_, err := io.WriteString(stderr, "two\n")
	require.NoError(t, err)
	_, err = stdcopy.StdCopy(&out, &errs, &wire)
	require.NoError(t, err)
	require.Equal(t, "one\n"+large, out.String())
	require.Equal(t, "two\n", errs.String())

	_, err = Framed{failing{}, stdcopy.Stdout}.Write([]byte("x"))
	require.Error(t, err)
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no") }

func TestLogLinesAreDecorated(t *testing.T) {
	line := LogLine{Time: time.Unix(1700000000, 5), Data: []byte("hello\n"), Attrs: map[string]string{"b": "2 3", "a": "1"}}
	wire := func(o LogOptions) string { return string(o.wire(line, raw)) }
	require.Equal(t, "hello\n", wire(LogOptions{}))
	require.Equal(t, "2023-11-14T22:13:20.000000005Z hello\n", wire(LogOptions{Timestamps: true}))
	require.Equal(t, "a=1,b=2+3 hello\n", wire(LogOptions{Details: true}))
	require.Equal(t, "2023-11-14T22:13:20.000000005Z a=1,b=2+3 hello\n", wire(LogOptions{Timestamps: true, Details: true}))
	require.Equal(t, "\x01\x00\x00\x00\x00\x00\x00\x06hello\n", string(LogOptions{}.wire(line, framed)))
	line.Stderr = true
	require.Equal(t, "\x02\x00\x00\x00\x00\x00\x00\x06hello\n", string(LogOptions{}.wire(line, framed)))
}
