package daemon_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/stretchr/testify/require"

	daemon "cutaway/07-daemon"
)

// scroll gives log lines as the test wants them.
type scroll struct {
	daemon.Views
	tty   bool
	lines iter.Seq2[daemon.LogLine, error]
	asked daemon.LogOptions
	ctx   context.Context
}

func (s *scroll) Logs(ctx context.Context, _ string, o daemon.LogOptions) (daemon.Logs, error) {
	s.asked, s.ctx = o, ctx
	return daemon.Logs{TTY: s.tty, Lines: s.lines}, nil
}

func TestFollowedLinesArriveOneByOne(t *testing.T) {
	next := make(chan string)
	views := &scroll{lines: func(yield func(daemon.LogLine, error) bool) {
		for s := range next {
			if !yield(daemon.LogLine{Data: []byte(s)}, nil) {
				return
			}
		}
	}}
	a := serve(t, daemon.Engine{Views: views})
	resp, err := a.http.Do(a.request("GET", "/containers/x/logs?stdout=1&follow=1"))
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, "application/vnd.docker.multiplexed-stream", resp.Header.Get("Content-Type"))
	for _, line := range []string{"one\n", "two\n"} {
		next <- line
		frame := make([]byte, 8+len(line))
		_, err := io.ReadFull(resp.Body, frame)
		require.NoError(t, err)
		require.Equal(t, line, string(frame[8:]))
	}
	close(next)
	rest, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Empty(t, rest)
}

func TestAReaderThatGoesAwayEndsTheLog(t *testing.T) {
	views, ended := &scroll{}, make(chan struct{})
	views.lines = func(func(daemon.LogLine, error) bool) {
		<-views.ctx.Done()
		close(ended)
	}
	a := serve(t, daemon.Engine{Views: views})
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := a.http.Do(a.request("GET", "/containers/x/logs?stdout=1&follow=1").WithContext(ctx))
	require.NoError(t, err)
	defer resp.Body.Close()
	cancel()
	before(t, ended)
}

func TestLogOptionsAreHandedOn(t *testing.T) {
	views := &scroll{tty: true, lines: func(yield func(daemon.LogLine, error) bool) {
		_ = yield(daemon.LogLine{Data: []byte("out\n")}, nil) && yield(daemon.LogLine{Stderr: true, Data: []byte("err\n")}, nil) &&
			yield(daemon.LogLine{}, errors.New("disk on fire"))
	}}
	a := serve(t, daemon.Engine{Views: views})
	r := a.do("GET", "/containers/x/logs?stdout=1&tail=5&since=100.25&until=200")
	require.Equal(t, "application/vnd.docker.raw-stream", r.Header.Get("Content-Type"))
	require.Equal(t, "out\nError grabbing logs: disk on fire\n", r.body, "an error that comes late goes where the lines go")
	require.True(t, views.asked.Since.Equal(time.Unix(100, 25e7)) && views.asked.Until.Equal(time.Unix(200, 0)))
	for tail, want := range map[string]int{"5": 5, "0": 0, "all": -1, "": -1, "-3": -1, "x": -1} {
		a.do("GET", "/containers/x/logs?stderr=1&tail="+tail)
		require.Equal(t, want, views.asked.Tail, tail)
	}
}

func TestLogsAreSelectedAndDecorated(t *testing.T) {
	a := serveMemory(t)
	id := a.run("warn", "a", "warning")
	a.wait(id)
	read := func(query string) (stdout, stderr string) {
		var out, errs bytes.Buffer
		_, err := stdcopy.StdCopy(&out, &errs, strings.NewReader(a.do("GET", "/containers/"+id+"/logs?"+query).body))
		require.NoError(t, err)
		return out.String(), errs.String()
	}
	stdout, stderr := read("stdout=1&stderr=1")
	require.Equal(t, []string{"", "a warning\n"}, []string{stdout, stderr})
	_, stderr = read("stdout=1")
	require.Empty(t, stderr)
	_, stderr = read("stderr=1&timestamps=1")
	require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z a warning\n$`, stderr)
	_, stderr = read("stderr=1&since=" + fmt.Sprint(time.Now().Add(time.Hour).Unix()))
	require.Empty(t, stderr)
}
