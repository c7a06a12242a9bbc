package daemon_test

import (
	"context"
	"errors"
	"io"
	"testing"

	daemon "cutaway/07-daemon"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/jsonstream"
	reg "github.com/moby/moby/api/types/registry"
	"github.com/stretchr/testify/require"
)

// carrier remembers what it was asked for, and fails as it is told.
type carrier struct {
	commit daemon.CommitOptions
	save   daemon.SaveOptions
	load   daemon.LoadOptions
	imp    daemon.ImportOptions
	push   daemon.PushOptions
	early  error // before anything is written
	late   error // after that
}

func (c *carrier) write(w io.Writer) error {
	if c.early != nil {
		return c.early
	}
	_, err := io.WriteString(w, "an archive")
	return errors.Join(err, c.late)
}

func (c *carrier) Save(_ context.Context, o daemon.SaveOptions, w io.Writer) error {
	c.save = o
	return c.write(w)
}
func (c *carrier) Export(_ context.Context, _ string, w io.Writer) error { return c.write(w) }
func (c *carrier) Load(_ context.Context, o daemon.LoadOptions, progress func(jsonstream.Message)) error {
	c.load = o
	progress(jsonstream.Message{Stream: "Loaded\n"})
	return c.late
}
func (c *carrier) Import(_ context.Context, o daemon.ImportOptions) (string, error) {
	c.imp = o
	return "sha256:new", c.early
}
func (c *carrier) Push(_ context.Context, o daemon.PushOptions, _ func(jsonstream.Message)) error {
	c.push = o
	return c.early
}
func (*carrier) Login(context.Context, reg.AuthConfig) (r reg.AuthResponse, err error) {
	return r, daemon.Errorf(daemon.Unauthorized, "wrong password")
}
func (c *carrier) Commit(_ context.Context, o daemon.CommitOptions) (string, error) {
	c.commit = o
	return "sha256:new", c.early
}
func (*carrier) Changes(context.Context, string) ([]container.FilesystemChange, error) {
	return nil, nil
}
func (*carrier) History(context.Context, daemon.HistoryOptions) ([]image.HistoryResponseItem, error) {
	return nil, nil
}

func TestAnArchiveThatBreaksOffDoesNotLookWhole(t *testing.T) {
	c := &carrier{}
	a := serve(t, daemon.Engine{Transfer: c, Layers: c})
	for _, path := range []string{"/images/get?names=a&names=b", "/images/host/a:1/get", "/containers/x/export"} {
		c.early, c.late = nil, nil
		r := a.do("GET", path)
		require.Equal(t, 200, r.StatusCode)
		require.Equal(t, "application/x-tar", r.Header.Get("Content-Type"))
		require.Equal(t, "an archive", r.body)

		c.early = daemon.Errorf(daemon.NotFound, "No such image: b")
		r = a.do("GET", path)
		require.Equal(t, 404, r.StatusCode)
		require.Equal(t, "No such image: b", r.message(t))

		c.early, c.late = nil, errors.New("the disk broke")
		resp, err := a.http.Do(a.request("GET", path))
		if err == nil { // the header had gone out already
			_, err = io.ReadAll(resp.Body)
			require.NoError(t, resp.Body.Close())
		}
		require.ErrorContains(t, err, "EOF")
	}
	require.Equal(t, []string{"host/a:1"}, c.save.Refs)
	require.Equal(t, 400, a.do("GET", "/images/get").StatusCode)
}

func TestWhatIsMadeOfContainersAndArchives(t *testing.T) {
	c := &carrier{}
	a := serve(t, daemon.Engine{Images: &registry{}, Transfer: c, Layers: c})
	r := a.do("POST", "/commit?container=web&repo=host:5000/a&tag=1&changes=CMD+x&changes=ENV+a=b&pause=0&comment=why&author=me", `{"User":"guest"}`)
	require.Equal(t, 201, r.StatusCode, r.body)
	require.JSONEq(t, `{"Id":"sha256:new"}`, r.body)
	require.Equal(t, daemon.CommitOptions{
		Ref: "web", Name: "host:5000/a:1", Comment: "why", Author: "me", Changes: []string{"CMD x", "ENV a=b"}, Config: &container.Config{User: "guest"},
	}, c.commit)
	require.Equal(t, 201, a.do("POST", "/commit?container=web", "null").StatusCode, "docker's client says nothing so")
	require.True(t, c.commit.Pause)
	require.Nil(t, c.commit.Config)

	r = a.do("POST", "/images/create?fromSrc=-&repo=b&tag=2&message=m&changes=CMD+x&platform=linux/arm64", "a tar")
	require.JSONEq(t, `{"status":"sha256:new"}`, r.body)
	require.Equal(t, "b:2 m linux/arm64", c.imp.Name+" "+c.imp.Message+" "+c.imp.Platform)

	c.late = daemon.Errorf(daemon.Invalid, "half an archive")
	r = a.do("POST", `/images/load?quiet=1&platform={"os":"linux","architecture":"arm","variant":"v7"}`, "a tar")
	require.Equal(t, 200, r.StatusCode)
	require.Contains(t, r.body, `{"stream":"Loaded\n"}`)
	require.Contains(t, r.body, `"error":"half an archive"`)
	require.True(t, c.load.Quiet)
	require.Equal(t, "linux/arm/v7", c.load.Platform)
	require.Equal(t, 400, a.do("POST", "/images/load?platform=arm").StatusCode)

	req := a.request("POST", "/images/host:5000/a/push?tag=1")
	req.Header.Set("X-Registry-Auth", "eyJ1c2VybmFtZSI6Im1lIiwicGFzc3dvcmQiOiJzZWNyZXQifQ==")
	require.Equal(t, 200, a.send(req).StatusCode)
	require.Equal(t, "host:5000/a:1 me secret", c.push.Ref+" "+c.push.Auth.Username+" "+c.push.Auth.Password)
	require.Equal(t, 200, a.do("POST", "/images/a/push").StatusCode)
	require.True(t, c.push.AllTags)
	r = a.do("POST", "/auth", `{"username":"me"}`)
	require.Equal(t, 401, r.StatusCode)
	require.Equal(t, "wrong password", r.message(t))
	require.Equal(t, "[]\n", a.do("GET", "/containers/web/changes").body)
	require.Equal(t, "[]\n", a.do("GET", "/images/a/history").body)
}
