package images

import (
	"encoding/json"
	"fmt"
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// HostPlatform is the platform of this program, and the default everywhere.
func HostPlatform() v1.Platform {
	return v1.Platform{OS: runtime.GOOS, Architecture: runtime.GOARCH}
}

func orHost(p v1.Platform) v1.Platform {
	if p.OS == "" {
		return HostPlatform()
	}
	return p
}

// ParsePlatform reads "os/arch" or "os/arch/variant", as --platform has it; "x86_64"
// and "aarch64" are understood too. "" is the zero Platform: nothing was asked for.
func ParsePlatform(s string) (v1.Platform, error) {
	if s == "" {
		return v1.Platform{}, nil
	}
	p, err := v1.ParsePlatform(s)
	if err != nil || p.OS == "" || p.Architecture == "" {
		return v1.Platform{}, fmt.Errorf("%q is no platform: expected os/arch or os/arch/variant", s)
	}
	if name, ok := map[string]string{"x86_64": "amd64", "aarch64": "arm64", "armhf": "arm"}[p.Architecture]; ok {
		p.Architecture = name
	}
	return *p, nil
}

// level is the variant, or the one that is meant when there is none.
func level(p v1.Platform) string {
	if p.Variant != "" {
		return p.Variant
	}
	return map[string]string{"amd64": "v1", "arm64": "v8", "arm": "v7"}[p.Architecture]
}

// choose finds the image for a platform in an index: of those that it can
// run, the one with the highest variant (an ARM v7 processor runs v6 code).
func choose(rawIndex []byte, want v1.Platform) (best v1.Descriptor, err error) {
	var index v1.IndexManifest
	if err := json.Unmarshal(rawIndex, &index); err != nil {
		return best, fmt.Errorf("parse index: %w", err)
	}
	for _, d := range index.Manifests {
		if have := d.Platform; have != nil && have.OS == want.OS && have.Architecture == want.Architecture &&
			level(*have) <= level(want) && (best.Platform == nil || level(*have) > level(*best.Platform)) {
			best = d
		}
	}
	if best.Platform == nil {
		return best, fmt.Errorf("%w: no matching manifest for %s in the manifest list entries", ErrNotFound, want)
	}
	return best, nil
}
