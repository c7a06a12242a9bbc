package daemon

import (
	"context"
	"encoding/json"
	"iter"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/network"
	"github.com/stretchr/testify/require"
)

type noEvents struct{}

func (noEvents) Events(context.Context, EventOptions) (iter.Seq2[events.Message, error], error) {
	return nil, nil
}

// everything has all resources, none of which is called.
func everything() *Server {
	return New(Engine{
		Lifecycle: struct{ Lifecycle }{}, Control: struct{ Control }{}, Views: struct{ Views }{}, Streams: struct{ Streams }{},
		Execs: struct{ Execs }{}, Images: struct{ Images }{}, System: struct{ System }{}, Events: noEvents{}, Plans: struct{ Plans }{},
	}, Options{})
}

// The published description of the API lists every path and method of ours.
func TestEveryRouteIsDockers(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/moby/moby/api").Output()
	require.NoError(t, err)
	swagger, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "swagger.yaml"))
	require.NoError(t, err)
	published := map[string]bool{}
	path := ""
	for line := range strings.SplitSeq(string(swagger), "\n") {
		if m := regexp.MustCompile(`^  (/\S+):$`).FindStringSubmatch(line); m != nil {
			path = strings.NewReplacer("{id}", "{name}").Replace(m[1])
		}
		if m := regexp.MustCompile(`^    (get|post|put|delete|head):$`).FindStringSubmatch(line); m != nil {
			published[strings.ToUpper(m[1])+" "+path] = true
		}
	}
	for _, ours := range []string{"GET /containers/{name}/plan", "GET /exec/{name}/plan", "POST /containers/{name}/step"} {
		require.False(t, published[ours])
		published[ours] = true
	}
	for _, rt := range everything().table {
		require.True(t, published[rt.Method+" "+rt.Path], "%s %s", rt.Method, rt.Path)
	}
}

func TestNamesMayHoldSlashes(t *testing.T) {
	s := everything()
	for _, row := range []struct{ method, path, route, name string }{
		{"GET", "/images/json", "/images/json", ""},
		{"GET", "/images/localhost:5000/a/b:1/json", "/images/{name}/json", "localhost:5000/a/b:1"},
		{"GET", "/images/json/json", "/images/{name}/json", "json"},
		{"DELETE", "/images/a/b", "/images/{name}", "a/b"},
		{"GET", "/containers/json", "/containers/json", ""},
		{"GET", "/containers//web/json", "/containers/{name}/json", "web"},
		{"POST", "/containers/create", "/containers/create", ""},
		{"POST", "/containers/create/start", "/containers/{name}/start", "create"},
		{"GET", "/containers//json", "", ""},
		{"GET", "/containers/web", "", ""},
		{"PUT", "/containers/web/json", "", ""},
		{"GET", "/containers/web/start", "", ""},
		{"GET", "/", "", ""},
		{"GET", "", "", ""},
	} {
		rt, name, ok := s.find(row.method, row.path)
		require.Equal(t, row.route != "", ok, row.path)
		require.Equal(t, row.route, rt.Path, row.path)
		require.Equal(t, row.name, name, row.path)
	}
}

func TestAReferenceIsJoinedAsTheClientMeantIt(t *testing.T) {
	for _, row := range []struct {
		from, tag, ref string
		all            bool
	}{
		{"alpine", "3.20", "alpine:3.20", false},
		{"alpine", "", "alpine", true},
		{"alpine:3.20", "", "alpine:3.20", false},
		{"alpine:3.20", "3.21", "alpine:3.21", false},
		{"alpine", "sha256:abc", "alpine@sha256:abc", false},
		{"alpine@sha256:abc", "", "alpine@sha256:abc", false},
		{"alpine@sha256:abc", "3.20", "alpine@sha256:abc", false},
		{"localhost:5000/alpine", "", "localhost:5000/alpine", true},
		{"localhost:5000/alpine", "3", "localhost:5000/alpine:3", false},
		{"localhost:5000/alpine:2", "3", "localhost:5000/alpine:3", false},
	} {
		ref, all := joinReference(row.from, row.tag)
		require.Equal(t, row.ref, ref)
		require.Equal(t, row.all, all, row.ref)
	}
}

func TestQueriesAreReadAsDockerReadsThem(t *testing.T) {
	for value, want := range map[string]bool{
		"": false, "0": false, "no": false, "False": false, "none": false, " 0 ": false, "1": true, "true": true, "yes": true,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		q := r.URL.Query()
		q.Set("x", value)
		r.URL.RawQuery = q.Encode()
		require.Equal(t, want, flag(r, "x"), "%q", value)
	}
	for value, want := range map[string]time.Time{
		"": {}, "0": {}, "1700000000": time.Unix(1700000000, 0), "1700000000.5": time.Unix(1700000000, 5e8),
		"1700000000.000000001": time.Unix(1700000000, 1), "2023-11-14T22:13:20Z": time.Unix(1700000000, 0),
	} {
		got, err := moment(httptest.NewRequest("GET", "/?x="+value, nil), "x")
		require.NoError(t, err, value)
		require.True(t, want.Equal(got), value)
	}
	for _, value := range []string{"now", "1.x", "1.-5", "x.1", "2023-11-14"} {
		_, err := moment(httptest.NewRequest("GET", "/?x="+value, nil), "x")
		require.Equal(t, Invalid, KindOf(err), value)
	}
}

func TestOldClientsSeeTheAddressWhereItUsedToBe(t *testing.T) {
	var ctr container.InspectResponse
	require.NoError(t, json.Unmarshal([]byte(`{"Id":"x","NetworkSettings":{"SandboxID":"s","Networks":{"bridge":{
		"IPAddress":"172.29.0.2","IPPrefixLen":16,"Gateway":"172.29.0.1","MacAddress":"02:00:00:00:00:01"}}}}`), &ctr))
	text, err := json.Marshal(withDefaultBridge(ctr))
	require.NoError(t, err)
	var got struct {
		ID              string `json:"Id"`
		NetworkSettings struct {
			SandboxID, IPAddress, Gateway, MacAddress, IPv6Gateway string
			IPPrefixLen                                            int
			Networks                                               map[string]*network.EndpointSettings
		}
	}
	require.NoError(t, json.Unmarshal(text, &got))
	require.Equal(t, "x", got.ID)
	ns := got.NetworkSettings
	require.Equal(t, []any{"s", "172.29.0.2", 16, "172.29.0.1", "02:00:00:00:00:01", ""},
		[]any{ns.SandboxID, ns.IPAddress, ns.IPPrefixLen, ns.Gateway, ns.MacAddress, ns.IPv6Gateway})
	require.Contains(t, ns.Networks, "bridge")
}
