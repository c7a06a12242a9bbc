package daemon

import (
	"fmt"
	"strconv"
	"strings"
)

// Version is a version of the Engine API. A client asks /_ping for the newest
// one that the server speaks, takes the smaller of that and its own, and writes
// it in front of every path: /v1.50/containers/json.
type Version struct{ Major, Minor int }

// The versions that this server speaks. MinVersion is from 2016 (Docker 1.12);
// MaxVersion is the one that the types of github.com/moby/moby/api describe.
var (
	MinVersion = Version{1, 24}
	MaxVersion = Version{1, 56}
)

// ParseVersion reads "1.50".
func ParseVersion(s string) (Version, error) {
	major, minor, ok := strings.Cut(s, ".")
	a, errA := strconv.ParseUint(major, 10, 16)
	b, errB := strconv.ParseUint(minor, 10, 16)
	if !ok || errA != nil || errB != nil {
		return Version{}, Errorf(Invalid, "invalid API version: %q", s)
	}
	return Version{int(a), int(b)}, nil
}

// String is "1.50".
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Less tells whether v is older than w.
func (v Version) Less(w Version) bool {
	return v.Major < w.Major || v.Major == w.Major && v.Minor < w.Minor
}

// splitVersion takes the version off a path: "/v1.50/info" is "/info" asked by
// a client that speaks 1.50. Without one the path is read as the newest version.
func splitVersion(path string) (Version, string, error) {
	rest, ok := strings.CutPrefix(path, "/v")
	prefix, tail, slash := strings.Cut(rest, "/")
	if !ok || !slash || strings.Trim(prefix, "0123456789.") != "" {
		return MaxVersion, path, nil // "/version" and "/volumes" begin with a v, too
	}
	v, err := ParseVersion(prefix)
	if err != nil {
		return MaxVersion, path, err
	}
	return v, "/" + tail, v.supported()
}

// supported says in Docker's words which side of the wire is to be upgraded.
func (v Version) supported() error {
	switch {
	case v.Less(MinVersion):
		return Errorf(Invalid, "client version %s is too old. Minimum supported API version is %s, "+
			"please upgrade your client to a newer version", v, MinVersion)
	case MaxVersion.Less(v):
		return Errorf(Invalid, "client version %s is too new. Maximum supported API version is %s", v, MaxVersion)
	}
	return nil
}
