package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	images "cutaway/05-images"
	daemon "cutaway/07-daemon"
	"cutaway/final/spec"

	"github.com/moby/moby/api/types/container"
	"golang.org/x/sync/errgroup"
)

// Create makes a container: a record, a writable layer, its volumes. Nothing of
// the kernel's is touched until it starts.
func (e *Engine) Create(_ context.Context, req daemon.CreateRequest) (container.CreateResponse, error) {
	none := container.CreateResponse{}
	img, err := e.imageFor(req.Config.Image, req.Platform)
	if err != nil {
		return none, err
	}
	if img, err = e.images.Hold(img.ID, e.needs.hold); err != nil {
		return none, imageError(err, req.Config.Image)
	}
	defer e.needs.release(img.ID)
	config, host := spec.Merge(*req.Config, img.Config.Config), *req.HostConfig
	if err := spec.Check(config, host); err != nil {
		return none, badOption.About(daemon.Errorf(daemon.Invalid, "%w", err))
	}
	if _, err := parseSignal(first(config.StopSignal, "SIGTERM")); err != nil {
		return none, err
	}
	if err := e.checkNetwork(req, &host); err != nil {
		return none, err
	}
	c := e.container(newID())
	r := &c.record
	r.Created, r.Image, r.Config, r.Host = time.Now().UTC(), img.ID, config, host
	r.State.Status = container.StateCreated
	if r.Name, err = e.claim(req.Name, r.ID); err != nil {
		return none, err
	}
	if r.Config.Hostname == "" {
		r.Config.Hostname = e.hostname(*r)
	}
	if err := e.build(c, img); err != nil {
		e.release(r.Name, r.ID)
		return none, errors.Join(err, e.discard(c, r.Nameless))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.containers[r.ID] = c
	return container.CreateResponse{ID: r.ID, Warnings: foreign(img, req.Platform)}, nil
}

// foreign warns of an image for another kind of processor, unless it was asked for.
func foreign(img images.Image, asked string) []string {
	host := images.HostPlatform()
	if asked != "" || img.Config.Architecture == host.Architecture {
		return []string{}
	}
	return []string{fmt.Sprintf("The requested image's platform (%s) does not match the detected host platform (%s) and no specific platform was requested",
		img.Config.Platform(), host)}
}

// imageFor finds an image, in the platform that was asked for ("": whatever it is for).
func (e *Engine) imageFor(ref, platform string) (images.Image, error) {
	img, err := e.images.Get(ref)
	if err != nil {
		return img, imageError(err, ref)
	}
	if platform == "" {
		return img, nil
	}
	want, err := images.ParsePlatform(platform)
	if err != nil {
		return img, daemon.Errorf(daemon.Invalid, "%w", err)
	}
	if c := img.Config; want.OS != c.OS || want.Architecture != c.Architecture {
		return img, noImage.About(daemon.Errorf(daemon.NotFound, "No such image: %s for %s; the one here is for %s/%s", ref, want, c.OS, c.Architecture))
	}
	return img, nil
}

// build makes what is kept of a container. The record comes last: with it, the
// container exists for the next engine, too.
func (e *Engine) build(c *Container, img images.Image) error {
	if err := os.Mkdir(c.dir, 0o710); err != nil {
		return err
	}
	if err := e.images.Unpack(img, e.layers); err != nil {
		return err
	}
	if err := e.layers.Fork(c.record.ID, img.Top()); err != nil {
		return err
	}
	if err := e.addMounts(c); err != nil {
		return err
	}
	if c.record.Host.AutoRemove && c.record.Nameless == nil {
		return nil // before its start it would not survive this engine anyway: see restore
	}
	return c.save()
}

// discard removes what a container has on disk, with these volumes, whether it is
// all there or not. An engine may die at any point of it: the volumes go before the
// record, which alone knows of them, and the directory goes last. Without its
// record a container does not exist, and the next engine, which finds the directory, sweeps it up.
func (e *Engine) discard(c *Container, volumes []string) (err error) {
	for _, v := range volumes {
		err = errors.Join(err, e.volumes.Remove(v))
	}
	if err != nil {
		return err
	}
	if err := os.Remove(recordIn(c.dir)); err != nil && !missing(err) {
		return err
	}
	var layer errgroup.Group
	layer.Go(func() error { return e.drop(c.record.ID) })
	return errors.Join(os.RemoveAll(e.socket(c.record.ID)), os.RemoveAll(c.bundle), os.RemoveAll(c.dir), layer.Wait())
}

// hostname is what a container is called inside if nobody says: on somebody
// else's network, as that one is.
func (e *Engine) hostname(r Record) string {
	mode := r.Host.NetworkMode
	if name, err := os.Hostname(); err == nil && mode.IsHost() {
		return name
	}
	if other, err := e.find(mode.ConnectedContainer()); err == nil && mode.IsContainer() {
		return other.look().Config.Hostname
	}
	return r.ID[:12]
}

// checkNetwork completes and checks what was asked of the network.
func (e *Engine) checkNetwork(req daemon.CreateRequest, host *container.HostConfig) error {
	if host.NetworkMode == "" {
		host.NetworkMode = "default"
	}
	if host.NetworkMode.IsContainer() {
		if len(host.PortBindings) > 0 || host.PublishAllPorts {
			return daemon.Errorf(daemon.Invalid, "conflicting options: port publishing and the container type network mode")
		}
		other, err := e.find(host.NetworkMode.ConnectedContainer())
		if err != nil { // not with its kind: clients take that what is not found is the image, and pull it
			return daemon.Errorf(daemon.Invalid, "joining network namespace of container: %w", err)
		}
		host.NetworkMode = container.NetworkMode("container:" + other.look().ID) // its name may become another's
		return nil
	}
	if req.NetworkingConfig == nil {
		return nil
	}
	for name := range req.NetworkingConfig.EndpointsConfig {
		if name != "default" && name != "bridge" && name != string(host.NetworkMode) {
			return noNetwork.About(daemon.Errorf(daemon.NotFound, "network %s not found", name))
		}
	}
	return nil
}
