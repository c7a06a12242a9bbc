package images

import v1 "github.com/google/go-containerregistry/pkg/v1"

// Step is one line of `docker history`: one instruction of a Dockerfile.
type Step struct {
	v1.History
	ID    string // of the image, on the newest line; the images in between are not kept: "<missing>"
	Layer *Layer // nil: an instruction that changed no files
}

// History tells how the image was made, the newest step first. It is what the
// image's author says: nothing verifies it.
func (i Image) History() []Step {
	steps := make([]Step, len(i.Config.History))
	layers := i.Layers
	for n, h := range i.Config.History {
		step := Step{History: h, ID: "<missing>"}
		if !h.EmptyLayer && len(layers) > 0 {
			step.Layer, layers = &layers[0], layers[1:]
		}
		steps[len(steps)-1-n] = step
	}
	if len(steps) > 0 {
		steps[0].ID = i.ID
	}
	return steps
}
