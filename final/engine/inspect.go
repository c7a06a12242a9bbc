package engine

import (
	"context"
	"path/filepath"
	"time"

	network "cutaway/06-network"
	daemon "cutaway/07-daemon"
	"cutaway/final/shim"
	"cutaway/final/spec"

	"github.com/moby/moby/api/types/container"
	api "github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/storage"
)

// Inspect tells everything about a container.
func (e *Engine) Inspect(_ context.Context, ref string, o daemon.InspectOptions) (container.InspectResponse, error) {
	c, err := e.find(ref)
	if err != nil {
		return container.InspectResponse{}, err
	}
	r := c.look()
	args := spec.Args(r.Config)
	host, config := r.Host, r.Config
	host.LogConfig.Type = "json-file"
	resp := container.InspectResponse{
		ID: r.ID, Name: "/" + r.Name, Created: r.Created.Format(time.RFC3339Nano), Image: r.Image,
		Path: args[0], Args: args[1:], State: e.state(r), Driver: e.layers.Driver(), Platform: "linux",
		LogPath: shim.LogIn(c.dir), HostConfig: &host, Config: &config, Mounts: mountPoints(r), ExecIDs: e.execsOf(r.ID),
		GraphDriver:     &storage.DriverData{Name: e.layers.Driver(), Data: map[string]string{}},
		NetworkSettings: &container.NetworkSettings{SandboxID: r.ID, Ports: published(r), Networks: e.endpoints(r)},
	}
	if files, err := e.filesOf(r, c.bundle); err == nil { // else the one whose network it shares is gone
		in := func(name string) string { return filepath.Join(files, name) }
		resp.ResolvConfPath, resp.HostnamePath, resp.HostsPath = in("resolv.conf"), in("hostname"), in("hosts")
	}
	if r.State.Status == container.StateRunning && !r.Host.NetworkMode.IsHost() {
		resp.NetworkSettings.SandboxKey = e.netnsOf(r.ID)
	}
	if o.Size {
		rw, all := e.sizes(r)
		resp.SizeRw, resp.SizeRootFs = &rw, &all
	}
	return resp, nil
}

func (e *Engine) state(r Record) *container.State {
	s := r.State
	return &container.State{
		Status: s.shown(), Running: s.Status == container.StateRunning, Paused: s.Paused, Pid: s.PID,
		ExitCode: s.ExitCode, Error: s.Error, OOMKilled: s.OOMKilled,
		StartedAt: s.Started.Format(time.RFC3339Nano), FinishedAt: s.Finished.Format(time.RFC3339Nano),
	}
}

// networkName is how docker ps calls the container's network.
func networkName(r Record) string {
	switch m := r.Host.NetworkMode; {
	case m.IsNone(), m.IsHost(), m.IsContainer():
		return m.NetworkName()
	}
	return "bridge"
}

// endpoints is the container's place on its network.
func (e *Engine) endpoints(r Record) map[string]*api.EndpointSettings {
	name := networkName(r)
	if r.Host.NetworkMode.IsContainer() {
		return map[string]*api.EndpointSettings{}
	}
	s := &api.EndpointSettings{NetworkID: e.networkID(name)}
	if a := r.State.Address; a.IsValid() {
		s.EndpointID = r.ID
		s.Gateway, s.IPAddress, s.IPPrefixLen = e.net.Gateway(), a, e.net.Subnet().Bits()
		if mac, err := parseMAC(network.MAC(a)); err == nil {
			s.MacAddress = mac
		}
	}
	return map[string]*api.EndpointSettings{name: s}
}

// sizes is what the container has written, and that with its image, in bytes.
func (e *Engine) sizes(r Record) (rw, all int64) {
	rw, _ = e.layers.Usage(r.ID) // 0 if it is just being removed
	all = rw
	if img, err := e.images.Get(r.Image); err == nil {
		for _, l := range img.Layers {
			n, _ := e.layers.Usage(l.ChainID)
			all += n
		}
	}
	return rw, all
}

// Logs reads a container's log.
func (e *Engine) Logs(ctx context.Context, ref string, o daemon.LogOptions) (daemon.Logs, error) {
	c, err := e.find(ref)
	if err != nil {
		return daemon.Logs{}, err
	}
	read := shim.ReadOptions{Stdout: o.Stdout, Stderr: o.Stderr, Since: o.Since, Until: o.Until, Tail: o.Tail}
	if ended, running := c.end(); o.Follow && running {
		read.Follow = ended
	}
	entries := shim.ReadLog(ctx, c.dir, read)
	return daemon.Logs{TTY: c.look().Config.Tty, Lines: func(yield func(daemon.LogLine, error) bool) {
		for entry, err := range entries {
			if !yield(daemon.LogLine{Time: entry.Time, Stderr: entry.Stream == "stderr", Data: []byte(entry.Log)}, err) {
				return
			}
		}
	}}, nil
}
