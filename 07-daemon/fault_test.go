package daemon_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/api/types/system"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	daemon "cutaway/07-daemon"
	"cutaway/07-daemon/memory"
)

// before fails the test if nothing comes in time.
func before[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		require.FailNow(t, "nothing came")
		panic("unreachable")
	}
}

// silent is a process that neither writes nor ends. It tells when its client went.
type silent struct {
	daemon.Streams
	closed chan struct{}
	once   sync.Once
}

func (s *silent) Attach(context.Context, string, daemon.AttachOptions) (daemon.Stream, error) {
	return daemon.Stream{Conn: s}, nil
}

func (s *silent) Read([]byte) (int, error) {
	<-s.closed
	return 0, net.ErrClosed
}
func (s *silent) Write(p []byte) (int, error) { return len(p), nil }
func (s *silent) CloseWrite() error           { return nil }
func (s *silent) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func newSilent() *silent { return &silent{closed: make(chan struct{})} }

func TestAClientThatGoesAwayIsForgotten(t *testing.T) {
	for name, leave := range map[string]func(*wire) error{
		"at once":                  func(w *wire) error { return w.Close() },
		"after ending its input":   func(w *wire) error { return errors.Join(w.CloseWrite(), w.Close()) },
		"with unread input behind": func(w *wire) error { w.say("lost"); return w.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			process := newSilent()
			a := serve(t, daemon.Engine{Streams: process})
			w := a.hijack(attachRequest("x", allStreams))
			require.NoError(t, leave(w))
			before(t, process.closed)
		})
	}
}

func TestAClientThatEndedItsInputIsNotForgotten(t *testing.T) {
	process := newSilent()
	a := serve(t, daemon.Engine{Streams: process})
	w := a.hijack(attachRequest("x", allStreams))
	require.NoError(t, w.CloseWrite())
	require.NoError(t, w.SetReadDeadline(time.Now().Add(300*time.Millisecond)))
	_, err := w.r.ReadByte()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "the connection stays")
	require.NoError(t, w.Close())
	before(t, process.closed)
}

func TestTheEndOfTheServerCutsStreamsAndLetsShortRequestsFinish(t *testing.T) {
	process := newSilent()
	slow := &slowSystem{asked: make(chan struct{}), answer: make(chan struct{})}
	engine := memory.New().API()
	engine.System = slow
	engine.Streams = attachTo{engine.Streams, process}
	a := serve(t, engine)
	w := a.hijack(attachRequest("x", allStreams))
	id := a.run("sleep", "1000")
	followed, err := a.http.Do(a.request("GET", "/containers/"+id+"/logs?stdout=1&follow=1"))
	require.NoError(t, err)
	defer followed.Body.Close()
	waited, err := a.http.Do(a.request("POST", "/containers/"+id+"/wait"))
	require.NoError(t, err)
	defer waited.Body.Close()
	info := make(chan int, 1)
	req := a.request("GET", "/info")
	go func() {
		resp, err := a.http.Do(req)
		if err != nil {
			info <- 0
			return
		}
		info <- resp.StatusCode
		resp.Body.Close()
	}()
	before(t, slow.asked)
	stopped := make(chan struct{})
	go func() { defer close(stopped); a.stop() }()

	_, err = w.r.ReadByte()
	require.Error(t, err)
	before(t, process.closed)
	_, _ = io.Copy(io.Discard, followed.Body)
	_, _ = io.Copy(io.Discard, waited.Body)
	select {
	case <-stopped:
		require.Fail(t, "the server did not wait for the short request")
	default:
	}
	close(slow.answer)
	require.Equal(t, 200, before(t, info))
	before(t, stopped)
	require.NoFileExists(t, a.socket)
}

// attachTo has one process to attach to.
type attachTo struct {
	daemon.Streams
	process *silent
}

func (a attachTo) Attach(context.Context, string, daemon.AttachOptions) (daemon.Stream, error) {
	return daemon.Stream{Conn: a.process}, nil
}

type slowSystem struct {
	daemon.System
	asked, answer chan struct{}
}

func (s *slowSystem) Info(context.Context) (system.Info, error) {
	close(s.asked)
	<-s.answer
	return system.Info{}, nil
}

// broken panics wherever it is asked, at once or in the middle of an answer.
type broken struct{ daemon.Views }

func (broken) List(context.Context, daemon.ListOptions) ([]container.Summary, error) {
	panic("list of containers")
}

func (broken) Logs(context.Context, string, daemon.LogOptions) (daemon.Logs, error) {
	return daemon.Logs{Lines: func(yield func(daemon.LogLine, error) bool) {
		yield(daemon.LogLine{Data: []byte("one line\n")}, nil)
		panic("log")
	}}, nil
}

func TestAPanicCostsOneAnswerNotTheDaemon(t *testing.T) {
	seen := make(chan error, 10)
	a := serveObserved(t, daemon.Engine{Views: broken{}}, daemon.Options{Observe: func(_ *http.Request, _ int, err error) { seen <- err }})
	r := a.do("GET", "/containers/json")
	require.Equal(t, 500, r.StatusCode)
	require.Equal(t, "internal error: list of containers", r.message(t))
	var p *daemon.PanicError
	require.ErrorAs(t, before(t, seen), &p)
	require.Contains(t, string(p.Stack), "broken.List")

	resp, err := a.http.Do(a.request("GET", "/containers/x/logs?stdout=1"))
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = io.ReadAll(resp.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF, "half an answer must not look whole")
	require.ErrorAs(t, before(t, seen), &p)

	require.Equal(t, "OK", a.do("GET", "/_ping").body)
}

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

func TestWaitIsArmedBeforeItAnswers(t *testing.T) {
	a := serveMemory(t)
	for _, condition := range []string{"next-exit", "removed"} {
		id := a.create(container.Config{Cmd: []string{"exit", "9"}})
		armed, err := a.http.Do(a.request("POST", "/containers/"+id+"/wait?condition="+condition))
		require.NoError(t, err)
		require.Equal(t, 200, armed.StatusCode)
		a.start(id)
		if condition == "removed" {
			require.EqualValues(t, 9, a.wait(id))
			require.Equal(t, 204, a.do("DELETE", "/containers/"+id).StatusCode)
		}
		body, err := io.ReadAll(armed.Body)
		require.NoError(t, err)
		require.JSONEq(t, `{"StatusCode":9}`, string(body))
		require.NoError(t, armed.Body.Close())
	}
	id := a.create(container.Config{Cmd: []string{"true"}})
	require.Zero(t, a.wait(id), "one that was never started is not running")
	require.Equal(t, 200, a.do("POST", "/v1.29/containers/"+id+"/wait?condition=next-exit").StatusCode, "1.29 knew no conditions")
}

func TestPullShowsProgressAndThenItsError(t *testing.T) {
	a := serveMemory(t)
	lines := func(r answer) (messages []map[string]any) {
		for line := range strings.Lines(r.body) {
			messages = append(messages, gjson(t, line))
		}
		return messages
	}
	r := a.do("POST", "/images/create?fromImage=alpine&tag=3.20")
	require.Equal(t, 200, r.StatusCode)
	require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	got := lines(r)
	require.Equal(t, "Pulling from alpine", got[0]["status"])
	require.Equal(t, map[string]any{"current": 4096.0, "total": 4096.0}, got[len(got)-2]["progressDetail"])
	require.Equal(t, 200, a.do("GET", "/images/alpine:3.20/json").StatusCode)

	r = a.do("POST", "/images/create?fromImage=missing&tag=latest")
	require.Equal(t, 404, r.StatusCode, "nothing was sent yet, so the status can still tell")
	require.Contains(t, r.message(t), "pull access denied")

	r = a.do("POST", "/images/create?fromImage=broken&tag=latest")
	require.Equal(t, 200, r.StatusCode)
	got = lines(r)
	last := got[len(got)-1]
	require.Equal(t, "read layer of broken:latest: unexpected EOF", last["error"])
	require.Equal(t, map[string]any{"code": 500.0, "message": last["error"]}, last["errorDetail"])
	require.Equal(t, 404, a.do("GET", "/images/broken/json").StatusCode)
}

// registry remembers what it was asked for, and pulls until nobody listens.
type registry struct {
	asked daemon.PullOptions
	ended chan error
}

func (*registry) List(context.Context, daemon.ImageListOptions) ([]image.Summary, error) {
	return nil, nil
}
func (*registry) Inspect(context.Context, string) (v image.InspectResponse, err error) { return v, err }
func (*registry) Tag(context.Context, string, string) error                            { return nil }
func (*registry) Remove(context.Context, string, daemon.ImageRemoveOptions) ([]image.DeleteResponse, error) {
	return nil, nil
}
func (r *registry) Pull(ctx context.Context, o daemon.PullOptions, progress func(jsonstream.Message)) error {
	r.asked = o
	if o.Auth.Username != "" {
		return nil
	}
	progress(jsonstream.Message{Status: "waiting"})
	<-ctx.Done()
	r.ended <- ctx.Err()
	return ctx.Err()
}

func TestCredentialsAndPlatformReachThePull(t *testing.T) {
	images := &registry{}
	a := serve(t, daemon.Engine{Images: images})
	req := a.request("POST", "/images/create?fromImage=host/a&tag=1&platform=linux/arm64")
	req.Header.Set("X-Registry-Auth", "eyJ1c2VybmFtZSI6Im1lIiwicGFzc3dvcmQiOiJzZWNyZXQifQ==")
	require.Equal(t, 200, a.send(req).StatusCode)
	require.Equal(t, []string{"host/a:1", "linux/arm64", "me", "secret"},
		[]string{images.asked.Ref, images.asked.Platform, images.asked.Auth.Username, images.asked.Auth.Password})
}

func TestAClientThatGoesAwayEndsThePull(t *testing.T) {
	images := &registry{ended: make(chan error, 1)}
	a := serve(t, daemon.Engine{Images: images})
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := a.http.Do(a.request("POST", "/images/create?fromImage=a&tag=1").WithContext(ctx))
	require.NoError(t, err)
	defer resp.Body.Close()
	var line map[string]any
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&line))
	require.Equal(t, "waiting", line["status"])
	cancel()
	require.ErrorIs(t, before(t, images.ended), context.Canceled)
}

func TestEventsArriveAsTheyHappen(t *testing.T) {
	a := serveMemory(t)
	resp, err := a.http.Do(a.request("GET", `/events?filters={%22type%22:[%22container%22],%22event%22:{%22create%22:true,%22die%22:true}}`))
	require.NoError(t, err)
	defer resp.Body.Close()
	id := a.run("true")
	events := json.NewDecoder(resp.Body)
	for _, action := range []string{"create", "die"} {
		var event struct {
			Action string
			Actor  struct{ ID string }
		}
		require.NoError(t, events.Decode(&event))
		require.Equal(t, []string{action, id}, []string{event.Action, event.Actor.ID})
	}
	past := a.do("GET", "/events?since=1&until="+fmt.Sprint(time.Now().Unix()+1))
	require.Equal(t, 3, strings.Count(past.body, "\n"), "create, start, die")
}

func TestServeEndsWhenAListenerFails(t *testing.T) {
	l, err := daemon.Listen("tcp://127.0.0.1:0", daemon.ListenOptions{})
	require.NoError(t, err)
	require.NoError(t, l.Close())
	err = daemon.New(daemon.Engine{}, daemon.Options{}).Serve(t.Context(), l)
	require.ErrorIs(t, err, net.ErrClosed)
	require.NotErrorIs(t, err, unix.EADDRINUSE)
}

func TestOneServerAnswersOnAllItsListeners(t *testing.T) {
	var all []net.Listener
	for range 2 {
		l, err := daemon.Listen("tcp://127.0.0.1:0", daemon.ListenOptions{})
		require.NoError(t, err)
		all = append(all, l)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- daemon.New(daemon.Engine{}, daemon.Options{}).Serve(ctx, all...) }()
	for _, l := range all {
		resp, err := http.Get("http://" + l.Addr().String() + "/_ping")
		require.NoError(t, err)
		require.Equal(t, 200, resp.StatusCode)
		require.NoError(t, resp.Body.Close())
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	require.NoError(t, before(t, served))
}
