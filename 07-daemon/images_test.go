package daemon_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/stretchr/testify/require"

	daemon "cutaway/07-daemon"
)

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
	require.Equal(t, map[string]any{
		"code": 500.0, "message": last["error"], "id": "api.Internal", "chapter": "chapters/08-final.md",
	}, last["errorDetail"])
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
