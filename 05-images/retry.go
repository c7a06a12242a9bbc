package images

import (
	"context"
	"errors"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// A request that fails is repeated after a pause that grows: registries and
// the ways to them have bad moments. What got further starts counting anew.
const (
	retries  = 5
	minPause = 200 * time.Millisecond
	maxPause = 5 * time.Second
)

func retry(ctx context.Context, try func() (progress bool, err error)) error {
	pause := minPause
	for n := 1; ; n++ {
		progress, err := try()
		if err == nil || ctx.Err() != nil || final(err) {
			return err
		}
		if progress {
			n, pause = 1, minPause
		}
		if n == retries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
	}
}

// final tells an error that will not go away by itself.
func final(err error) bool {
	var answer *transport.Error
	if errors.As(err, &answer) {
		return !answer.Temporary()
	}
	for _, sentinel := range []error{ErrDigest, ErrPlainHTTP, ErrSize} {
		if errors.Is(err, sentinel) {
			return true
		}
	}
	return false
}
