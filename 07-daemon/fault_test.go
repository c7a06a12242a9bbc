package daemon_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
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

func (s *silent) Attach(ctx context.Context, _ string, _ daemon.AttachOptions) (daemon.Stream, error) {
	if ctx.Done() != nil {
		return daemon.Stream{}, errors.New("a client that closes its side early would end this attach")
	}
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

// stepper is an engine whose plan is to repeat what it hears.
type stepper struct{ *silent }

func (stepper) ExecPlan(_ context.Context, id string) (json.RawMessage, error) {
	return json.RawMessage(`["` + id + `"]`), nil
}

func (s stepper) Step(_ context.Context, ref string) (daemon.Stream, error) {
	if ref != "web" {
		return daemon.Stream{}, daemon.Errorf(daemon.NotFound, "No such container: %s", ref)
	}
	return daemon.Stream{TTY: true, DetachKeys: "q", Conn: s}, nil
}

func TestPlansAreReadAndSteppedThrough(t *testing.T) {
	engine := stepper{newSilent()}
	a := serve(t, daemon.Engine{Plans: engine})
	require.JSONEq(t, `["abc"]`, a.do("GET", "/exec/abc/plan").body)
	require.Equal(t, 404, a.do("POST", "/containers/absent/step").StatusCode)
	w := a.hijack("POST /containers/web/step HTTP/1.1\r\n" + upgrade + "\r\n")
	require.Equal(t, "101 UPGRADED", w.resp.Status)
	w.say("q")
	before(t, engine.closed)
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
