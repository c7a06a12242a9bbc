package build

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// origin is where the sources are: the context, another stage, another image.
func (s *stage) origin(ctx context.Context, c copying) (tree, func() error, error) {
	if c.from == "" {
		if s.Context == "" {
			return tree{}, func() error { return nil }, nil
		}
		t, err := openTree(s.Context)
		return t, t.close, err
	}
	img, ok := Image{}, false
	if n, isStage := s.Dockerfile.find(c.from, s.number); isStage {
		img, ok = s.images[n]
	}
	if n, err := strconv.Atoi(c.from); !ok && err == nil {
		return tree{}, nil, badTarget.errorf("--from=%d: there is no stage with this number before this one (the first is 0)", n)
	}
	if !ok {
		var err error
		if img, err = s.builder.Image(ctx, ImageSpec{Name: c.from, Platform: s.Platform}); err != nil {
			return tree{}, nil, fmt.Errorf("--from: %w", err)
		}
	}
	return s.see(img.ID)
}

// see opens the files of an image.
func (s *stage) see(id string) (tree, func() error, error) {
	view, err := s.View(id)
	if err != nil {
		return tree{}, nil, err
	}
	t, err := openTree(view.Dir)
	if err != nil {
		return tree{}, nil, errors.Join(err, view.Close())
	}
	return t, func() error { return errors.Join(t.close(), view.Close()) }, nil
}
