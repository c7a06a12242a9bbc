package daemon_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	builds "github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/stretchr/testify/require"

	daemon "cutaway/07-daemon"
)

// mason remembers what it was asked for, and reads the context.
type mason struct {
	asked  daemon.BuildOptions
	pruned daemon.BuildPruneOptions
	got    string
	err    error
}

func (m *mason) Build(_ context.Context, o daemon.BuildOptions, progress func(jsonstream.Message)) (string, error) {
	m.asked = o
	data, err := io.ReadAll(o.Context)
	m.got = string(data)
	progress(jsonstream.Message{Stream: "Step 1/1 : FROM <scratch>\n"})
	return "sha256:0123456789abcdef", errors.Join(err, m.err)
}

func (m *mason) PruneBuilds(_ context.Context, o daemon.BuildPruneOptions) (r builds.CachePruneReport, err error) {
	m.pruned = o
	return builds.CachePruneReport{CachesDeleted: []string{"a"}, SpaceReclaimed: 7}, nil
}

func TestBuildsArePruned(t *testing.T) {
	m := &mason{}
	r := serve(t, daemon.Engine{Builder: m}).do("POST", `/build/prune?all=1&filters={"until":{"1h":true}}`)
	require.JSONEq(t, `{"CachesDeleted":["a"],"SpaceReclaimed":7}`, r.body)
	require.Equal(t, daemon.BuildPruneOptions{All: true, Filters: daemon.Filters{"until": {"1h"}}}, m.pruned)
}

// brokenRun is a command that ended with 5.
type brokenRun struct{}

func (brokenRun) Error() string   { return "Dockerfile:2: it failed" }
func (brokenRun) ExitStatus() int { return 5 }

// build posts a build with this query.
func build(t *testing.T, m *mason, query string) answer {
	t.Helper()
	a := serve(t, daemon.Engine{Builder: m})
	req := a.request("POST", "/build?"+query)
	req.Body = io.NopCloser(strings.NewReader("the context"))
	req.Header.Set("X-Registry-Config", "eyJob3N0Ijp7InVzZXJuYW1lIjoibWUifX0=")
	return a.send(req)
}

func TestABuildSaysWhatItDoesAndHowItEnds(t *testing.T) {
	m := &mason{}
	r := build(t, m, "t=a&t=b:1")
	require.Equal(t, 200, r.StatusCode)
	require.Equal(t, "the context", m.got)
	require.Equal(t, []string{
		`{"stream":"Step 1/1 : FROM \u003cscratch\u003e\n"}`, `{"aux":{"ID":"sha256:0123456789abcdef"}}`, `{"stream":"Successfully built 0123456789ab\n"}`,
		`{"stream":"Successfully tagged a:latest\n"}`, `{"stream":"Successfully tagged b:1\n"}`, "",
	}, strings.Split(r.body, "\n"))
	require.JSONEq(t, `{"stream":"sha256:0123456789abcdef\n"}`, build(t, m, "q=1").body)
	m.err = brokenRun{}
	for _, query := range []string{"", "q=1"} {
		lines := strings.SplitN(build(t, m, query).body, "\n", 2)
		require.Contains(t, lines[0], "Step 1/1", "quiet or not, who fails says why")
		last := gjson(t, lines[1])
		require.Equal(t, "Dockerfile:2: it failed", last["error"])
		require.InDelta(t, 5, last["errorDetail"].(map[string]any)["code"], 0, "the client ends with it")
	}
	m.err = errors.New("the engine's own fault")
	require.InDelta(t, 1, gjson(t, strings.SplitN(build(t, m, "").body, "\n", 2)[1])["errorDetail"].(map[string]any)["code"], 0)
}

func TestTheQueryOfABuildIsRead(t *testing.T) {
	m := &mason{}
	r := build(t, m, `dockerfile=d/F&t=x&target=s&platform=linux/arm64&nocache=1&pull=1&buildargs={"A":"1","B":null}&labels={"l":"v"}`+
		`&memory=64&memswap=-1&cpushares=2&cpusetcpus=0&shmsize=9&networkmode=none&extrahosts=a:1.2.3.4&extrahosts=b:1.2.3.5&cachefrom=null&version=1`)
	require.Equal(t, 200, r.StatusCode, r.body)
	o := m.asked
	require.Equal(t, []string{"d/F", "x", "s", "linux/arm64"}, []string{o.Dockerfile, o.Tags[0], o.Target, o.Platform})
	require.True(t, o.NoCache && o.Pull)
	require.Equal(t, map[string]*string{"A": new("1"), "B": nil}, o.Args)
	require.Equal(t, map[string]string{"l": "v"}, o.Labels)
	require.Equal(t, "me", o.Auths["host"].Username)
	require.Equal(t, container.HostConfig{
		Resources: container.Resources{Memory: 64, MemorySwap: -1, CPUShares: 2, CpusetCpus: "0"},
		ShmSize:   9, NetworkMode: "none", ExtraHosts: []string{"a:1.2.3.4", "b:1.2.3.5"},
	}, o.Host)
	for query, keep := range map[string]daemon.BuildKeep{
		"": daemon.KeepFailed, "rm=1": daemon.KeepFailed, "rm=0": daemon.KeepAll, "forcerm=1": daemon.KeepNone, "rm=0&forcerm=1": daemon.KeepNone,
	} {
		build(t, m, query)
		require.Equal(t, keep, m.asked.Keep, query)
	}
	require.Equal(t, "Dockerfile", m.asked.Dockerfile)
}

func TestABuildRefusesWhatItCannot(t *testing.T) {
	for query, status := range map[string]int{
		"version=2": 501, "remote=https://example.org/x.git": 501, "squash=1": 501, `outputs=[{"Type":"local"}]`: 501, `cachefrom=["a"]`: 501,
		"buildargs=x": 400, "labels=1": 400, "memory=x": 400, "ulimits=x": 400,
	} {
		m := &mason{}
		r := build(t, m, query)
		require.Equal(t, status, r.StatusCode, query)
		require.Contains(t, r.message(t), query[:strings.IndexByte(query, '=')])
		require.Empty(t, m.got, query)
	}
}
