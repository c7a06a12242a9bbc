package engine

import (
	"path"
	"slices"
	"time"

	images "cutaway/05-images"
	daemon "cutaway/07-daemon"
)

// imageFilter makes of the filters of docker images a function that tells
// whether an image passes; for reference, see named.
func (e imageStore) imageFilter(f daemon.Filters) (func(images.Image) bool, error) {
	if err := f.Check("dangling", "label", "before", "since", "until", "reference"); err != nil {
		return nil, err
	}
	for _, v := range f["dangling"] {
		if !slices.Contains([]string{"true", "1", "false", "0"}, v) {
			return nil, daemon.Errorf(daemon.Invalid, "invalid filter 'dangling=[%s]'", v)
		}
	}
	for _, pattern := range f["reference"] {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, daemon.Errorf(daemon.Invalid, "invalid filter 'reference=[%s]': %w", pattern, err)
		}
	}
	limits := map[string]time.Time{}
	for _, key := range []string{"before", "since", "until"} {
		for _, v := range f[key] {
			t, err := e.limit(key, v)
			if err != nil {
				return nil, err
			}
			limits[key] = t
		}
	}
	return func(img images.Image) bool {
		made := createdAt(img)
		for key, t := range limits {
			if key == "since" && !made.After(t) || key != "since" && !made.Before(t) {
				return false
			}
		}
		dangling := func(v string) bool { return isTrue(v) == (len(img.Names) == 0) }
		return f.Match("dangling", dangling) && f.MatchLabels(img.Config.Config.Labels)
	}, nil
}

// limit is the time that a filter names: itself, or that of an image.
func (e imageStore) limit(key, value string) (time.Time, error) {
	if key == "until" {
		return parseMoment(value)
	}
	img, err := e.images.Get(value)
	return createdAt(img), imageError(err, value)
}

// named selects those names and digests of an image that fit one of the patterns, with or
// without their tag. Without patterns, all fit, and an image without a name.
func named(img images.Image, patterns []string) (names, digests []string, ok bool) {
	unfit := func(name string) bool {
		ref, err := images.ParseReference(name)
		return len(patterns) > 0 && (err != nil || !slices.ContainsFunc(patterns, func(pattern string) bool {
			whole, _ := path.Match(pattern, name)
			part, _ := path.Match(pattern, ref.FamiliarName())
			return whole || part
		}))
	}
	names = slices.DeleteFunc(slices.Clone(orNone(img.Names)), unfit)
	digests = slices.DeleteFunc(slices.Clone(orNone(img.Digests)), unfit)
	return names, digests, len(patterns) == 0 || len(names)+len(digests) > 0
}

// sharedSizes counts, for each image, the bytes in layers that others have, too.
func (e imageStore) sharedSizes(all []images.Image) func(images.Image) int64 {
	users := map[string]int{} // by ChainID
	for _, img := range all {
		for _, l := range img.Layers {
			users[l.ChainID]++
		}
	}
	return func(img images.Image) (n int64) {
		for _, l := range img.Layers {
			if users[l.ChainID] > 1 {
				n += e.layerSize(l)
			}
		}
		return n
	}
}
