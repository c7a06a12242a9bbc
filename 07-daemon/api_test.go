package daemon_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/stretchr/testify/require"

	daemon "cutaway/07-daemon"
	"cutaway/07-daemon/memory"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// api is a server on a UNIX socket and a client for it.
type api struct {
	t      testing.TB
	socket string
	http   *http.Client
	stop   func() // ends the server and waits for that
}

func serve(t testing.TB, e daemon.Engine) *api { return serveObserved(t, e, daemon.Options{}) }

func serveObserved(t testing.TB, e daemon.Engine, o daemon.Options) *api {
	t.Helper()
	a := &api{t: t, socket: filepath.Join(t.TempDir(), "s")}
	l, err := daemon.Listen("unix://"+a.socket, daemon.ListenOptions{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- daemon.New(e, o).Serve(ctx, l) }()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", a.socket)
	}}
	a.http = &http.Client{Transport: transport}
	stopped := false
	a.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		require.NoError(t, <-served)
		transport.CloseIdleConnections()
	}
	t.Cleanup(a.stop)
	return a
}

// answer is a response with its body read.
type answer struct {
	*http.Response
	body string
}

func (a *api) send(req *http.Request) answer {
	a.t.Helper()
	resp, err := a.http.Do(req)
	require.NoError(a.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(a.t, err)
	return answer{resp, string(body)}
}

// do makes a request; a body is sent as JSON.
func (a *api) do(method, path string, body ...string) answer {
	a.t.Helper()
	return a.send(a.request(method, path, body...))
}

func (a *api) request(method, path string, body ...string) *http.Request {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	a.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, "http://api.test"+path, strings.NewReader(strings.Join(body, "")))
	require.NoError(a.t, err)
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	return req
}

// message is what an error answer says.
func (r answer) message(t testing.TB) string {
	t.Helper()
	var m struct{ Message string }
	require.NoError(t, json.Unmarshal([]byte(r.body), &m), r.body)
	require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	return m.Message
}

// create makes a container in a memory engine and returns its ID.
func (a *api) create(config container.Config, query ...string) string {
	a.t.Helper()
	config.Image = "toolbox"
	body, err := json.Marshal(container.CreateRequest{Config: &config})
	require.NoError(a.t, err)
	r := a.do("POST", "/containers/create?"+strings.Join(query, "&"), string(body))
	require.Equal(a.t, 201, r.StatusCode, r.body)
	var made container.CreateResponse
	require.NoError(a.t, json.Unmarshal([]byte(r.body), &made))
	return made.ID
}

// run makes and starts a container.
func (a *api) run(cmd ...string) string {
	a.t.Helper()
	id := a.create(container.Config{Cmd: cmd})
	require.Equal(a.t, 204, a.do("POST", "/containers/"+id+"/start").StatusCode)
	return id
}

// wait waits for a container to end and returns its exit code.
func (a *api) wait(id string) int64 {
	a.t.Helper()
	var status container.WaitResponse
	r := a.do("POST", "/containers/"+id+"/wait")
	require.NoError(a.t, json.Unmarshal([]byte(r.body), &status), r.body)
	return status.StatusCode
}

func serveMemory(t testing.TB) *api { return serve(t, memory.New().API()) }

func TestPingSaysWhatTheServerSpeaks(t *testing.T) {
	a := serve(t, daemon.Engine{})
	for _, path := range []string{"/_ping", "/v1.24/_ping", "/v1.56/_ping"} {
		for method, body := range map[string]string{"GET": "OK", "HEAD": ""} {
			r := a.do(method, path)
			require.Equal(t, 200, r.StatusCode)
			require.Equal(t, body, r.body)
			for header, want := range map[string]string{
				"Api-Version": "1.56", "Docker-Experimental": "false", "Ostype": "linux",
				"Builder-Version": "1", "Swarm": "inactive", "Cache-Control": "no-cache, no-store, must-revalidate",
			} {
				require.Equal(t, want, r.Header.Get(header), header)
			}
		}
	}
}

func TestVersionsOutOfRangeAreRefused(t *testing.T) {
	a := serveMemory(t)
	for path, want := range map[string]string{
		"/v1.57/_ping":           "client version 1.57 is too new. Maximum supported API version is 1.56",
		"/v1.23/containers/json": "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version",
	} {
		r := a.do("GET", path)
		require.Equal(t, 400, r.StatusCode)
		require.Equal(t, want, r.message(t))
		require.Equal(t, "1.56", r.Header.Get("Api-Version"), "so that the client can try again")
	}
	require.Equal(t, "1.24", gjson(t, a.do("GET", "/v1.30/version").body)["MinAPIVersion"])
}

func gjson(t testing.TB, body string) map[string]any {
	t.Helper()
	var v map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &v), body)
	return v
}

func TestUnknownPathsAreNotFound(t *testing.T) {
	a := serveMemory(t)
	for _, req := range []string{
		"GET /", "GET /nothing", "GET /v1.50/nothing", "PUT /containers/json", "GET /containers/x/start",
		"POST /_ping", "DELETE /containers/", "GET /v1.50", "GET /networks", "GET /containers/../x",
	} {
		method, path, _ := strings.Cut(req, " ")
		r := a.do(method, path)
		require.Equal(t, 404, r.StatusCode, req)
		require.Equal(t, "page not found", r.message(t), req)
	}
}

func TestAnEngineWithoutAResourceAnswersNotFound(t *testing.T) {
	a := serve(t, daemon.Engine{})
	for _, path := range []string{"/containers/json", "/images/json", "/info", "/version", "/events"} {
		require.Equal(t, "page not found", a.do("GET", path).message(t))
	}
}

func TestBodiesThatAreNoneAreRefused(t *testing.T) {
	a := serveMemory(t)
	for _, row := range []struct{ kind, body, want string }{
		{"application/json", ``, "invalid JSON: got EOF while reading request body"},
		{"application/json", `{"Image":`, "invalid JSON: unexpected EOF"},
		{"application/json", `{"Image":1}`, "cannot unmarshal number"},
		{"application/json", `{} {}`, "unexpected content after the value"},
		{"application/json", `{}`, "config cannot be empty"},
		{"application/json", `{"HostConfig":{}}`, "config cannot be empty"},
		{"application/json", `{"Image":"` + strings.Repeat("x", 5<<20) + `"}`, "larger than 4194304 bytes"},
		{"text/plain", `{"Image":"toolbox"}`, "unsupported Content-Type header (text/plain)"},
		{"", `{"Image":"toolbox"}`, "unsupported Content-Type header ()"},
	} {
		req := a.request("POST", "/containers/create", row.body)
		req.Header.Set("Content-Type", row.kind)
		r := a.send(req)
		require.Equal(t, 400, r.StatusCode, row.want)
		require.Contains(t, r.message(t), row.want)
	}
	req := a.request("POST", "/containers/create", `{"Image":"toolbox"}`)
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	require.Equal(t, 201, a.send(req).StatusCode)
}

func TestWebPagesAreRefused(t *testing.T) {
	a := serveMemory(t)
	req := a.request("POST", "/containers/create", `{"Image":"toolbox"}`)
	req.Header.Set("Origin", "https://example.org")
	r := a.send(req)
	require.Equal(t, 403, r.StatusCode)
	require.Contains(t, r.message(t), "web pages are refused")
}

func TestVerbsAnswerAsDockerDoes(t *testing.T) {
	a := serveMemory(t)
	a.create(container.Config{Cmd: []string{"sleep", "1000"}}, "name=web")
	a.create(container.Config{Cmd: []string{"true"}}, "name=other")
	for _, row := range []struct {
		status        int
		method, path  string
		body, message string
	}{
		{409, "POST", "/containers/create?name=web", `{"Image":"toolbox"}`, "is already in use"},
		{404, "POST", "/containers/create", `{"Image":"absent"}`, "No such image: absent:latest"},
		{404, "POST", "/containers/absent/start", "", "No such container: absent"},
		{304, "POST", "/containers/web/stop", "", ""},
		{409, "POST", "/containers/web/kill", "", "is not running"},
		{409, "POST", "/containers/web/exec", `{"Cmd":["true"]}`, "is not running"},
		{204, "POST", "/containers/web/start", "", ""},
		{304, "POST", "/containers/web/start", "", ""},
		{204, "POST", "/containers//web/kill?signal=WINCH", "", ""},
		{400, "POST", "/containers/web/kill?signal=NOPE", "", "Invalid signal: NOPE"},
		{204, "POST", "/containers/web/pause", "", ""},
		{409, "POST", "/containers/web/pause", "", "paused"},
		{204, "POST", "/containers/web/unpause", "", ""},
		{501, "POST", "/containers/web/update", `{}`, "no limits"},
		{200, "POST", "/containers/web/resize?h=24&w=80", "", ""},
		{400, "POST", "/containers/web/resize?h=24", "", "invalid size"},
		{400, "POST", "/containers/web/resize?h=-1&w=70000", "", "invalid size"},
		{409, "DELETE", "/containers/web", "", "container is running"},
		{400, "POST", "/containers/web/stop?t=soon", "", "must be a number"},
		{409, "POST", "/containers/web/rename?name=other", "", "in use"},
		{400, "POST", "/containers/web/rename", "", "may be empty"},
		{204, "POST", "/containers/web/rename?name=new", "", ""},
		{204, "POST", "/containers/new/restart?t=1", "", ""},
		{200, "GET", "/containers/new/json?size=1", "", ""},
		{200, "GET", "/containers/new/plan", "", ""},
		{400, "POST", "/containers/new/attach?detachKeys=nope", "", "detach keys"},
		{400, "POST", "/containers/new/exec", `{"Cmd":[]}`, "No exec command specified"},
		{400, "POST", "/containers/new/exec", `{"Cmd":["cat"],"DetachKeys":"nope"}`, "detach keys"},
		{400, "POST", "/containers/new/wait?condition=later", "", `invalid condition: "later"`},
		{400, "GET", "/containers/new/logs", "", "you must choose at least one stream"},
		{400, "GET", "/containers/new/logs?stdout=1&since=yesterday", "", "invalid since"},
		{204, "POST", "/containers/new/stop?t=1&signal=INT", "", ""},
		{204, "DELETE", "/containers/new?force=1&v=1", "", ""},
		{404, "GET", "/containers/new/json", "", "No such container: new"},
		{404, "GET", "/exec/absent/json", "", "No such exec instance: absent"},
		{404, "POST", "/exec/absent/start", `{}`, "No such exec instance: absent"},
		{400, "GET", "/containers/json?filters=[]", "", "invalid filters"},
		{400, "GET", "/containers/json?limit=x", "", "invalid limit"},
		{400, "GET", `/containers/json?filters={"nonsense":["x"]}`, "", "invalid filter 'nonsense'"},
		{400, "GET", "/events?until=tomorrow", "", "invalid until"},
		{201, "POST", "/images/toolbox/tag?repo=host:5000/a/b&tag=c", "", ""},
		{200, "GET", "/images/host:5000/a/b:c/json", "", ""},
		{200, "DELETE", "/images/host:5000/a/b:c", "", ""},
		{404, "DELETE", "/images/host:5000/a/b:c", "", "No such image"},
		{400, "POST", "/images/toolbox/tag", "", "repository name is empty"},
		{501, "POST", "/images/create?fromSrc=-", "", "not supported"},
		{200, "GET", "/info", "", ""},
	} {
		var body []string
		if row.body != "" {
			body = append(body, row.body)
		}
		r := a.do(row.method, strings.ReplaceAll(row.path, `"`, "%22"), body...)
		require.Equal(t, row.status, r.StatusCode, "%s %s: %s", row.method, row.path, r.body)
		if row.message != "" {
			require.Contains(t, r.message(t), row.message)
		}
	}
}

func TestListsAreNeverNull(t *testing.T) {
	a := serveMemory(t)
	require.Equal(t, "[]\n", a.do("GET", "/containers/json").body)
	require.Contains(t, a.do("POST", "/containers/create", `{"Image":"toolbox"}`).body, `"Warnings":[]`)
}

func TestListsAreFiltered(t *testing.T) {
	a := serveMemory(t)
	a.create(container.Config{Cmd: []string{"exit", "3"}, Labels: map[string]string{"k": "v"}}, "name=ended")
	a.create(container.Config{Cmd: []string{"sleep", "1000"}}, "name=lives")
	a.create(container.Config{Cmd: []string{"true"}}, "name=fresh")
	require.Equal(t, 204, a.do("POST", "/containers/ended/start").StatusCode)
	require.Equal(t, 204, a.do("POST", "/containers/lives/start").StatusCode)
	require.EqualValues(t, 3, a.wait("ended"))
	for query, want := range map[string][]string{
		"":        {"/lives"},
		"all=1":   {"/fresh", "/lives", "/ended"},
		"limit=2": {"/fresh", "/lives"}, "limit=-1": {"/lives"},
		`filters={"status":{"exited":true}}`:        {"/ended"},
		`all=1&filters={"name":["l"]}`:              {"/lives"},
		`all=1&filters={"label":["k=v"]}`:           {"/ended"},
		`all=1&filters={"exited":["3"],"label":[]}`: {"/ended"},
	} {
		var got []container.Summary
		require.NoError(t, json.Unmarshal([]byte(a.do("GET", "/containers/json?"+strings.ReplaceAll(query, `"`, "%22")).body), &got))
		var names []string
		for _, c := range got {
			names = append(names, c.Names...)
		}
		require.Equal(t, want, names, query)
	}
	require.Equal(t, 204, a.do("DELETE", "/containers/lives?force=1").StatusCode)
}

func TestOnlyOldClientsGetOldFields(t *testing.T) {
	a := serveMemory(t)
	id := a.run("true")
	address := func(version string) any {
		return gjson(t, a.do("GET", version+"/containers/"+id+"/json").body)["NetworkSettings"].(map[string]any)["IPAddress"]
	}
	require.Equal(t, "127.0.0.1", address("/v1.51"))
	require.Nil(t, address("/v1.52"))
	require.Nil(t, address(""))
}

// TestMain's search for leftovers counts descriptors; this one shows that bodies
// which nobody reads do not keep a connection in a bad state.
func TestAConnectionServesManyRequests(t *testing.T) {
	a := serveMemory(t)
	conn, err := net.Dial("unix", a.socket)
	require.NoError(t, err)
	defer conn.Close()
	var all bytes.Buffer
	for range 3 {
		all.WriteString("POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
	}
	all.WriteString("GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	_, err = conn.Write(all.Bytes())
	require.NoError(t, err)
	got, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Equal(t, 3, strings.Count(string(got), "404 Not Found"))
	require.Contains(t, string(got), "200 OK")
}
