package images

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Platform is what an image is for: "linux/arm64/v8" is OS, architecture and variant.
type Platform struct{ OS, Architecture, Variant string }

// HostPlatform is the platform of this program, and the default everywhere.
func HostPlatform() Platform { return Platform{OS: runtime.GOOS, Architecture: runtime.GOARCH} }

// ParsePlatform reads "os/arch" or "os/arch/variant", or only one of os and
// arch, with the names that `uname -m` gives some architectures. "" is the
// zero Platform, which stands for [HostPlatform].
func ParsePlatform(s string) (Platform, error) {
	if s == "" {
		return Platform{}, nil
	}
	p := HostPlatform()
	switch part := strings.Split(strings.ToLower(s), "/"); len(part) {
	case 1:
		if p.Architecture = part[0]; part[0] == "linux" || part[0] == "windows" {
			p = Platform{OS: part[0], Architecture: runtime.GOARCH}
		}
	case 2:
		p = Platform{OS: part[0], Architecture: part[1]}
	case 3:
		p = Platform{part[0], part[1], part[2]}
	default:
		return p, fmt.Errorf("%q is no platform: expected os/arch/variant", s)
	}
	if name, ok := map[string]string{"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386", "armhf": "arm"}[p.Architecture]; ok {
		p.Architecture = name
	}
	return p, nil
}

func (p Platform) String() string {
	return strings.TrimSuffix(p.OS+"/"+p.Architecture+"/"+p.Variant, "/")
}

// level is the variant, or the one that is meant when there is none.
func (p Platform) level() string {
	if p.Variant != "" {
		return p.Variant
	}
	return map[string]string{"amd64": "v1", "arm64": "v8", "arm": "v7"}[p.Architecture]
}

// choose finds the image for a platform in an index: of those that it can
// run, the one with the highest variant (an ARM v7 processor runs v6 code).
func choose(rawIndex []byte, want Platform) (best v1.Descriptor, err error) {
	var index v1.IndexManifest
	if err := json.Unmarshal(rawIndex, &index); err != nil {
		return best, fmt.Errorf("parse index: %w", err)
	}
	level := ""
	for _, d := range index.Manifests {
		if d.Platform == nil {
			continue
		}
		have := Platform{d.Platform.OS, d.Platform.Architecture, d.Platform.Variant}
		if have.OS == want.OS && have.Architecture == want.Architecture && have.level() <= want.level() &&
			(best.Size == 0 || have.level() > level) {
			best, level = d, have.level()
		}
	}
	if best.Size == 0 {
		return best, fmt.Errorf("%w: no matching manifest for %s in the manifest list entries", ErrNotFound, want)
	}
	return best, nil
}
