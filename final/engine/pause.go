package engine

import (
	"context"

	daemon "cutaway/07-daemon"

	"github.com/moby/moby/api/types/container"
)

// Pause freezes a container's processes where they are.
func (e *Engine) Pause(_ context.Context, ref string) error {
	return daemon.Errorf(daemon.NotImplemented, "pause %s: cutaway does not have this yet", ref)
}

// Unpause lets them go on.
func (e *Engine) Unpause(_ context.Context, ref string) error {
	return daemon.Errorf(daemon.NotImplemented, "unpause %s: cutaway does not have this yet", ref)
}

// Update changes limits.
func (e *Engine) Update(_ context.Context, ref string, _ container.UpdateConfig) (container.UpdateResponse, error) {
	return container.UpdateResponse{}, daemon.Errorf(daemon.NotImplemented, "update %s: cutaway does not have this yet", ref)
}
