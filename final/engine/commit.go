package engine

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	images "cutaway/05-images"
	daemon "cutaway/07-daemon"
	"cutaway/final/build"
	"cutaway/final/spec"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/moby/api/types/container"
)

// imageSpec says what a new image is, besides a layer.
type imageSpec struct {
	Below    images.Image // what it stands on; the zero Image: nothing
	Config   v1.Config    // how to run it
	Platform v1.Platform  // the zero Platform: that of the image below, else the host's
	Step     v1.History   // what is added to its history: CreatedBy, Comment, Author
	Name     string       // "repository:tag"; "" = none
}

// makeImage puts a layer, a tar, packed or not, on top of s.Below, and names what
// comes of it. One without entries adds no layer. An image that is not made leaves nothing.
func (e *Engine) makeImage(layer io.Reader, s imageSpec) (images.Image, error) {
	now := v1.Time{Time: time.Now().UTC()}
	if s.Platform.OS == "" {
		s.Platform = images.HostPlatform()
		if below := s.Below.Config; below != nil {
			s.Platform = *below.Platform()
		}
	}
	s.Step.Created = now
	config := v1.ConfigFile{
		Created: now, Author: s.Step.Author, Config: s.Config,
		OS: s.Platform.OS, Architecture: s.Platform.Architecture, Variant: s.Platform.Variant,
		OSVersion: s.Platform.OSVersion, OSFeatures: s.Platform.OSFeatures,
	}
	return e.images.Make(images.Draft{Below: s.Below, Layer: layer, Config: config, Step: s.Step, Name: s.Name}, e.layers)
}

// imageConfig is a container's configuration as an image has it. The two
// libraries write the same JSON (OCI image-spec, config.md).
func imageConfig(c container.Config) (config v1.Config, err error) {
	data, err := json.Marshal(c)
	if err == nil {
		err = json.Unmarshal(data, &config)
	}
	return config, err
}

// configFor is how the image of a container is to be run.
func (r Record) configFor(o daemon.CommitOptions) (v1.Config, error) {
	config, err := imageConfig(r.Config)
	if err == nil && o.Config != nil {
		config, err = imageConfig(spec.Merge(*o.Config, config))
	}
	if err != nil {
		return config, err
	}
	config, err = build.Change(config, o.Changes)
	if err != nil {
		err = daemon.Errorf(daemon.Invalid, "%w", err)
	}
	return config, err
}

// Commit makes an image of a container.
func (e *Engine) Commit(_ context.Context, o daemon.CommitOptions) (id string, err error) {
	c, err := e.hold(o.Ref)
	if err != nil {
		return "", err
	}
	defer c.verb.Unlock()
	r := c.look()
	below, err := e.images.Get(r.Image)
	if err != nil {
		return "", imageError(err, r.Image)
	}
	config, err := r.configFor(o)
	if err != nil {
		return "", err
	}
	if c.running() && o.Pause && !r.State.Paused {
		if err := e.group(r.ID).Freeze(); err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, e.group(r.ID).Thaw()) }()
	}
	places, err := e.stubsIn(below.ID)
	if err != nil {
		return "", err
	}
	layer, err := e.changes(r.ID, places)
	if err != nil {
		return "", err
	}
	defer layer.Close()
	img, err := e.makeImage(layer, imageSpec{Below: below, Config: config, Name: o.Name, Step: v1.History{
		Author: o.Author, Comment: o.Comment, CreatedBy: strings.Join(spec.Args(r.Config), " "),
	}})
	return img.ID, imageError(err, o.Name)
}
