package build

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// origin is where the sources are: the context, another stage, another image.
func (s *stage) origin(ctx context.Context, c copying) (tree, error) {
	switch {
	case c.from == "" && s.Context == "":
		return tree{}, nil
	case c.from == "":
		return openTree(s.Context)
	}
	img, ok := Image{}, false
	if n, isStage := s.Dockerfile.find(c.from, s.number); isStage {
		img, ok = s.images[n]
	}
	if n, err := strconv.Atoi(c.from); !ok && err == nil {
		return tree{}, badTarget.errorf("--from=%d: there is no stage with this number before this one (the first is 0)", n)
	}
	if !ok {
		var err error
		if img, err = s.builder.Image(ctx, ImageSpec{Name: c.from, Platform: s.Platform}); err != nil {
			return tree{}, fmt.Errorf("--from: %w", err)
		}
	}
	return s.see(img.ID)
}

// see opens the files of an image.
func (s *stage) see(id string) (tree, error) {
	view, err := s.View(id)
	if err != nil {
		return tree{}, err
	}
	t, err := openTree(view.Dir)
	t.view = view
	if err != nil {
		return tree{}, errors.Join(err, t.close())
	}
	return t, nil
}
