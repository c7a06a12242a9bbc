package daemon_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/stretchr/testify/require"
)

// wire is a hijacked connection, as a client sees it.
type wire struct {
	t testing.TB
	*net.UnixConn
	r    *bufio.Reader
	resp *http.Response
}

// hijack sends a request, and what is to follow it in the same packet.
func (a *api) hijack(request string, early ...string) *wire {
	a.t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: a.socket, Net: "unix"})
	require.NoError(a.t, err)
	a.t.Cleanup(func() { conn.Close() })
	require.NoError(a.t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, request+strings.Join(early, ""))
	require.NoError(a.t, err)
	w := &wire{t: a.t, UnixConn: conn, r: bufio.NewReader(conn)}
	w.resp, err = http.ReadResponse(w.r, nil)
	require.NoError(a.t, err)
	return w
}

const upgrade = "Host: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"

func attachRequest(id, query string) string {
	return "POST /v1.50/containers/" + id + "/attach?" + query + " HTTP/1.1\r\n" + upgrade + "\r\n"
}

const allStreams = "stream=1&stdin=1&stdout=1&stderr=1"

func (w *wire) say(s string) {
	w.t.Helper()
	_, err := io.WriteString(w.UnixConn, s)
	require.NoError(w.t, err)
}

// rest reads until the server closes, and takes the frames off.
func (w *wire) rest() (stdout, stderr string) {
	w.t.Helper()
	var out, errs bytes.Buffer
	_, err := stdcopy.StdCopy(&out, &errs, w.r)
	require.NoError(w.t, err)
	return out.String(), errs.String()
}

// expect reads as many bytes as want has.
func (w *wire) expect(want string) {
	w.t.Helper()
	got := make([]byte, len(want))
	_, err := io.ReadFull(w.r, got)
	require.NoError(w.t, err)
	require.Equal(w.t, want, string(got))
}

func (a *api) start(id string) {
	a.t.Helper()
	require.Equal(a.t, 204, a.do("POST", "/containers/"+id+"/start").StatusCode)
}

func interactive(cmd ...string) container.Config {
	return container.Config{Cmd: cmd, OpenStdin: true, StdinOnce: true}
}

func TestTheAnswerToAttachIsAnUpgradeOrAPlainStream(t *testing.T) {
	a := serveMemory(t)
	plain, tty := a.create(container.Config{Cmd: []string{"true"}}), a.create(container.Config{Cmd: []string{"true"}, Tty: true})
	for _, row := range []struct {
		version, id, headers, status, kind string
	}{
		{"/v1.50", plain, upgrade, "101 UPGRADED", "application/vnd.docker.multiplexed-stream"},
		{"/v1.50", tty, upgrade, "101 UPGRADED", "application/vnd.docker.raw-stream"},
		{"/v1.41", plain, upgrade, "101 UPGRADED", "application/vnd.docker.raw-stream"},
		{"/v1.50", plain, "Host: x\r\n", "200 OK", "application/vnd.docker.raw-stream"},
		{"", tty, "Host: x\r\n", "200 OK", "application/vnd.docker.raw-stream"},
	} {
		w := a.hijack("POST " + row.version + "/containers/" + row.id + "/attach?stream=1&stdout=1 HTTP/1.1\r\n" + row.headers + "\r\n")
		require.Equal(t, row.status, w.resp.Status)
		require.Equal(t, row.kind, w.resp.Header.Get("Content-Type"))
		require.Equal(t, "1.56", w.resp.Header.Get("Api-Version"))
		if row.headers == upgrade {
			require.Equal(t, "tcp", w.resp.Header.Get("Upgrade"))
			require.Equal(t, "Upgrade", w.resp.Header.Get("Connection"))
		}
	}
}

func TestAnAttachThatFailsIsAnOrdinaryAnswer(t *testing.T) {
	a := serveMemory(t)
	w := a.hijack(attachRequest("absent", allStreams))
	require.Equal(t, 404, w.resp.StatusCode)
	body, err := io.ReadAll(w.resp.Body)
	require.NoError(t, err)
	require.JSONEq(t, `{"message":"No such container: absent","id":"api.NotFound","chapter":"chapters/07-daemon.md"}`, string(body))
}

func TestOutputAndErrorsArriveInTheirOwnStreams(t *testing.T) {
	a := serveMemory(t)
	for cmd, want := range map[string][2]string{"echo": {"hi there\n", ""}, "warn": {"", "hi there\n"}} {
		id := a.create(container.Config{Cmd: []string{cmd, "hi", "there"}})
		w := a.hijack(attachRequest(id, "stream=1&stdout=1&stderr=1"))
		a.start(id)
		stdout, stderr := w.rest()
		require.Equal(t, want, [2]string{stdout, stderr})
	}
}

// What a shell's `printf … | docker run -i … cat` needs: the end of the input gets
// through, and what is written after that comes back.
func TestTheEndOfInputReachesTheProcessAndItsOutputDrains(t *testing.T) {
	a := serveMemory(t)
	id := a.create(interactive("cat"))
	w := a.hijack(attachRequest(id, allStreams))
	a.start(id)
	text := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB, more than all buffers on the way
	go func() {
		_, _ = io.WriteString(w.UnixConn, text)
		_ = w.CloseWrite()
	}()
	stdout, _ := w.rest()
	require.Len(t, stdout, len(text))
	require.Equal(t, sha256.Sum256([]byte(text)), sha256.Sum256([]byte(stdout))) // shorter to print than the text
	require.EqualValues(t, 0, a.wait(id))
}

func TestInputMayComeInThePacketOfTheRequest(t *testing.T) {
	a := serveMemory(t)
	id := a.create(interactive("cat"))
	w := a.hijack(attachRequest(id, allStreams), "early ")
	a.start(id)
	w.say("late")
	require.NoError(t, w.CloseWrite())
	stdout, _ := w.rest()
	require.Equal(t, "early late", stdout)
}

// A client without input closes its side at once; net/http takes that for a
// client that went away.
func TestAClientWithoutInputStillReads(t *testing.T) {
	a := serveMemory(t)
	for range 20 {
		id := a.create(container.Config{Cmd: []string{"echo", "still here"}})
		conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: a.socket, Net: "unix"})
		require.NoError(t, err)
		_, err = io.WriteString(conn, attachRequest(id, "stream=1&stdout=1"))
		require.NoError(t, err)
		require.NoError(t, conn.CloseWrite())
		r := bufio.NewReader(conn)
		_, err = http.ReadResponse(r, nil)
		require.NoError(t, err)
		a.start(id)
		stdout, _ := (&wire{t: t, UnixConn: conn, r: r}).rest()
		require.Equal(t, "still here\n", stdout)
		require.NoError(t, conn.Close())
	}
}

// `yes | docker run -i … echo done`: input that nobody reads must not reset the
// connection under the last output.
func TestAProcessThatReadsNothingStillGetsItsOutputThrough(t *testing.T) {
	a := serveMemory(t)
	for range 20 {
		id := a.create(interactive("echo", "done"))
		w := a.hijack(attachRequest(id, allStreams))
		stop := make(chan struct{})
		var typing sync.WaitGroup
		typing.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := io.WriteString(w.UnixConn, "y\n"); err != nil {
					return
				}
			}
		})
		a.start(id)
		stdout, _ := w.rest()
		require.Equal(t, "done\n", stdout)
		close(stop)
		require.NoError(t, w.Close())
		typing.Wait()
	}
}

func TestDetachKeysLeaveAProcessRunning(t *testing.T) {
	a := serveMemory(t)
	for query, keys := range map[string]string{"": "\x10\x11", "&detachKeys=ctrl-a,d": "\x01d"} {
		config := interactive("cat")
		config.Tty = true
		id := a.create(config)
		a.start(id)
		w := a.hijack(attachRequest(id, allStreams+query))
		w.say("hello")
		w.expect("hello")
		w.say("bye" + keys + "this is lost")
		rest, err := io.ReadAll(w.r)
		require.NoError(t, err)
		require.Equal(t, "bye", strings.TrimSuffix(string(rest), "bye")+"bye", "at most the echo of what came before")

		again := a.hijack(attachRequest(id, allStreams+"&logs=1"))
		again.expect("hellobye")
		require.Equal(t, 204, a.do("DELETE", "/containers/"+id+"?force=1").StatusCode)
	}
}

func TestWithoutATerminalDetachKeysAreBytes(t *testing.T) {
	a := serveMemory(t)
	id := a.create(interactive("cat"))
	w := a.hijack(attachRequest(id, allStreams))
	a.start(id)
	w.say("a\x10\x11b")
	require.NoError(t, w.CloseWrite())
	stdout, _ := w.rest()
	require.Equal(t, "a\x10\x11b", stdout)
}

func TestSeveralClientsSeeTheSameOutput(t *testing.T) {
	a := serveMemory(t)
	id := a.create(interactive("cat"))
	first, second := a.hijack(attachRequest(id, allStreams)), a.hijack(attachRequest(id, "stream=1&stdout=1"))
	a.start(id)
	first.say("for all")
	require.NoError(t, first.CloseWrite())
	for _, w := range []*wire{first, second} {
		stdout, _ := w.rest()
		require.Equal(t, "for all", stdout)
	}
}

// A client that does not read fills its socket, and holds up nobody else.
func TestASlowReaderLosesNothingAndHoldsUpNobody(t *testing.T) {
	a := serveMemory(t)
	id := a.create(container.Config{Cmd: []string{"yes", "50000"}})
	slow := a.hijack(attachRequest(id, "stream=1&stdout=1"))
	a.start(id)
	require.EqualValues(t, 0, a.wait(id))
	require.Equal(t, "OK", a.do("GET", "/_ping").body)
	stdout, _ := slow.rest()
	require.Equal(t, strings.Repeat("y\n", 50_000), stdout)
}

func TestTheTerminalsSizeReachesTheProcess(t *testing.T) {
	a := serveMemory(t)
	id := a.create(container.Config{Cmd: []string{"stty"}, Tty: true})
	w := a.hijack(attachRequest(id, allStreams))
	a.start(id)
	require.Equal(t, 200, a.do("POST", "/containers/"+id+"/resize?h=24&w=80").StatusCode)
	w.expect("24 80\n")
}

func (a *api) exec(id, create string) string {
	a.t.Helper()
	r := a.do("POST", "/containers/"+id+"/exec", create)
	require.Equal(a.t, 201, r.StatusCode, r.body)
	return gjson(a.t, r.body)["Id"].(string)
}

func execRequest(id, body string) string {
	return fmt.Sprintf("POST /v1.50/exec/%s/start HTTP/1.1\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		id, upgrade, len(body), body)
}

func TestExecConnectsAndTellsTheExitCode(t *testing.T) {
	a := serveMemory(t)
	ctr := a.run("sleep", "1000")
	id := a.exec(ctr, `{"Cmd":["cat"],"AttachStdin":true,"AttachStdout":true}`)
	w := a.hijack(execRequest(id, `{}`), "early ") // the body ends where Content-Length says
	require.Equal(t, "101 UPGRADED", w.resp.Status)
	require.Equal(t, true, gjson(t, a.do("GET", "/exec/"+id+"/json").body)["Running"])
	w.say("late")
	require.NoError(t, w.CloseWrite())
	stdout, _ := w.rest()
	require.Equal(t, "early late", stdout)
	require.EqualValues(t, 0, gjson(t, a.do("GET", "/exec/"+id+"/json").body)["ExitCode"])
	require.Equal(t, 204, a.do("DELETE", "/containers/"+ctr+"?force=1").StatusCode)
}

// `docker exec` reads the reason from the stream and 127 from the inspection.
func TestAnExecThatCannotStartSaysWhyInItsStream(t *testing.T) {
	a := serveMemory(t)
	ctr := a.run("sleep", "1000")
	for _, tty := range []string{"false", "true"} {
		id := a.exec(ctr, `{"Cmd":["nonesuch"],"Tty":`+tty+`}`)
		w := a.hijack(execRequest(id, `{"Tty":`+tty+`}`))
		require.Equal(t, "101 UPGRADED", w.resp.Status)
		if tty == "true" {
			text, err := io.ReadAll(w.r)
			require.NoError(t, err)
			require.Equal(t, "exec: \"nonesuch\": executable file not found in $PATH\r\n", string(text))
		} else {
			stdout, _ := w.rest()
			require.Contains(t, stdout, "executable file not found")
		}
		require.EqualValues(t, 127, gjson(t, a.do("GET", "/exec/"+id+"/json").body)["ExitCode"])
	}
	id := a.exec(ctr, `{"Cmd":["nonesuch"]}`)
	require.Equal(t, 400, a.do("POST", "/exec/"+id+"/start", `{"Detach":true}`).StatusCode)
	require.Equal(t, 204, a.do("DELETE", "/containers/"+ctr+"?force=1").StatusCode)
}

func TestExecHasATerminalOfItsOwn(t *testing.T) {
	a := serveMemory(t)
	ctr := a.run("sleep", "1000")
	sized := a.hijack(execRequest(a.exec(ctr, `{"Cmd":["stty"],"Tty":true}`), `{"Tty":true,"ConsoleSize":[40,100]}`))
	sized.expect("40 100\n")
	id := a.exec(ctr, `{"Cmd":["stty"],"Tty":true}`)
	w := a.hijack(execRequest(id, `{"Tty":true}`))
	require.Equal(t, 200, a.do("POST", "/exec/"+id+"/resize?h=2&w=3").StatusCode)
	w.expect("2 3\n")
	left := a.hijack(execRequest(a.exec(ctr, `{"Cmd":["cat"],"Tty":true,"AttachStdin":true,"DetachKeys":"x"}`), `{"Tty":true}`))
	left.say("x")
	_, err := left.r.ReadByte()
	require.ErrorIs(t, err, io.EOF, "detached")
	require.Equal(t, 204, a.do("DELETE", "/containers/"+ctr+"?force=1").StatusCode)
}

// runLikeDocker makes the calls of `docker run`: create, attach, wait, start. The
// wait is armed when its status has come, so not even the shortest life is missed.
func (a *api) runLikeDocker(config container.Config, input string) (stdout string, code int64) {
	a.t.Helper()
	id := a.create(config)
	w := a.hijack(attachRequest(id, allStreams))
	armed, err := a.http.Do(a.request("POST", "/containers/"+id+"/wait?condition=next-exit"))
	require.NoError(a.t, err)
	defer armed.Body.Close()
	a.start(id)
	w.say(input)
	require.NoError(a.t, w.CloseWrite())
	stdout, _ = w.rest()
	require.NoError(a.t, w.Close())
	var status container.WaitResponse
	require.NoError(a.t, json.NewDecoder(armed.Body).Decode(&status))
	return stdout, status.StatusCode
}

// Nobody gets another's output, or misses an exit.
func TestManyRunsAtOnceKeepApart(t *testing.T) {
	a := serveMemory(t)
	var all sync.WaitGroup
	var got [200]string
	slots := make(chan struct{}, 32)
	for i := range got {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			stdout, code := a.runLikeDocker(interactive("cat"), fmt.Sprint("number ", i))
			_, exited := a.runLikeDocker(interactive("exit", fmt.Sprint(i)), "")
			got[i] = fmt.Sprint(stdout, " ", code, " ", exited)
		})
	}
	all.Wait()
	for i := range got {
		require.Equal(t, fmt.Sprintf("number %d 0 %d", i, i), got[i])
	}
}
