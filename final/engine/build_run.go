package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"unicode/utf8"

	daemon "cutaway/07-daemon"
	"cutaway/final/build"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
)

// Run runs the command of a RUN in a container like all others, and makes an
// image of what it has changed.
func (b *builder) Run(ctx context.Context, d build.Draft, cmd build.Command) (img build.Image, err error) {
	dir, err := os.MkdirTemp(b.data("builds"), "run-")
	if err != nil {
		return img, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	more := slices.Collect(maps.Keys(cmd.Tmpfs))
	for _, m := range cmd.Caches {
		more = append(more, m.Path)
	}
	places, err := b.stubsIn(d.Parent, more...)
	if err != nil {
		return img, err
	}
	req, err := b.request(d, cmd, dir)
	if err != nil {
		return img, err
	}
	made, err := b.Create(ctx, req)
	if err != nil {
		return img, err
	}
	b.needs.hold(made.ID) // its files are needed when it has ended
	defer b.needs.release(made.ID)
	note := b.data("builds", made.ID) // for the next engine, should this one be killed
	if err := os.WriteFile(note, nil, 0o600); err != nil {
		return img, errors.Join(err, b.discardRun(made.ID))
	}
	defer os.Remove(note)
	defer func() {
		leave := b.discardRun
		if failed := err != nil && ctx.Err() == nil; b.o.Keep == daemon.KeepAll || failed && b.o.Keep == daemon.KeepFailed {
			leave = b.keepRun
		}
		err = errors.Join(err, leave(made.ID))
	}()
	b.say(fmt.Sprintf(" ---> Running in %s\n", made.ID[:12]))
	status, err := b.perform(ctx, made.ID)
	if err != nil {
		return img, err
	}
	if status != 0 {
		return img, &build.ExitError{Args: cmd.Args, Status: status}
	}
	return b.commit(d, made.ID, places)
}

// request is the container of a RUN. It goes by itself if this engine is killed.
func (b *builder) request(d build.Draft, cmd build.Command, dir string) (daemon.CreateRequest, error) {
	host := b.o.Host
	host.AutoRemove = true
	if cmd.Network != "" {
		host.NetworkMode = container.NetworkMode(cmd.Network)
	}
	host.Tmpfs = cmd.Tmpfs
	for i, f := range cmd.Files {
		name := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(name, []byte(f.Content), 0o755); err != nil {
			return daemon.CreateRequest{}, err
		}
		host.Binds = append(host.Binds, name+":"+f.Path+":ro")
	}
	for _, m := range cmd.Caches {
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeVolume, Source: m.Volume, Target: m.Path, ReadOnly: m.ReadOnly})
	}
	return daemon.CreateRequest{CreateRequest: container.CreateRequest{
		Config:     &container.Config{Image: d.Parent, Entrypoint: []string{""}, Cmd: cmd.Args, Env: cmd.Env},
		HostConfig: &host,
	}}, nil
}

// perform starts a container, passes its output on, and waits for its end. When
// ctx ends, so does the container.
func (b *builder) perform(ctx context.Context, id string) (status int, err error) {
	stream, err := b.Attach(ctx, id, daemon.AttachOptions{Stdout: true, Stderr: true, Stream: true})
	if err != nil {
		return 0, err
	}
	defer stream.Conn.Close()
	ended, err := b.Wait(ctx, id, container.WaitConditionNextExit)
	if err != nil {
		return 0, err
	}
	if err := b.Start(ctx, id); err != nil {
		return 0, err
	}
	defer context.AfterFunc(ctx, func() { _ = b.Kill(context.Background(), id, "KILL") })() // one that has ended needs no killing
	out := &textWriter{say: b.say}
	_, err = stdcopy.StdCopy(out, out, stream.Conn)
	out.flush()
	end := <-ended
	if err := errors.Join(err, ctx.Err()); err != nil {
		return 0, err
	}
	return int(end.StatusCode), nil
}

// keepRun leaves the container of a RUN to whoever wants to look at it. One that
// could not be started is gone already.
func (b *builder) keepRun(id string) error {
	c, err := b.hold(id)
	if daemon.KindOf(err) == daemon.NotFound {
		return nil
	}
	defer c.verb.Unlock()
	return c.change(func(r *Record) { r.Host.AutoRemove, r.Volatile = false, true })
}

// discardRun removes the container of a RUN.
func (b *builder) discardRun(id string) error {
	switch err := b.Remove(context.Background(), id, daemon.RemoveOptions{Force: true, Volumes: true}); {
	case daemon.KindOf(err) == daemon.NotFound:
	case err != nil:
		return err
	default:
		b.say(fmt.Sprintf(" ---> Removed intermediate container %s\n", id[:12]))
	}
	return nil
}

// textWriter passes text on, whole characters at a time.
type textWriter struct {
	say  func(string)
	rest []byte // of a character that is not complete
}

// Write passes on what is complete.
func (t *textWriter) Write(p []byte) (int, error) {
	t.rest = append(t.rest, p...)
	whole := len(t.rest)
	for back := 1; back < utf8.UTFMax && back <= whole; back++ {
		if b := t.rest[whole-back]; utf8.RuneStart(b) {
			if !utf8.FullRune(t.rest[whole-back:]) {
				whole -= back
			}
			break
		}
	}
	if whole > 0 {
		t.say(string(t.rest[:whole]))
	}
	t.rest = append([]byte(nil), t.rest[whole:]...)
	return len(p), nil
}

// flush passes on the rest.
func (t *textWriter) flush() {
	if len(t.rest) > 0 {
		t.say(string(t.rest))
	}
}
