package images

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// DefaultDomain is the registry meant by a name that mentions none, and
// DefaultTag the tag of a name that has neither tag nor digest.
const (
	DefaultDomain = "docker.io"
	DefaultTag    = "latest"

	officialPrefix = "library/" // Docker Hub keeps the official images, alpine for one, here
	maxNameLen     = 255        // distribution/reference: NameTotalLengthMax
)

// ErrReference is wrapped by the errors of [ParseReference].
var ErrReference = errors.New("invalid reference format")

// The grammar is that of github.com/distribution/reference, "regexp.go".
var (
	domainRE = lazily(`^(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*(?::[0-9]+)?$|^\[[a-fA-F0-9:]+\](?::[0-9]+)?$`)
	pathRE   = lazily(`^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$`)
	tagRE    = lazily(`^\w[\w.-]{0,127}$`)
	digestRE = lazily(`^sha256:[0-9a-f]{64}$`)
	hexIDRE  = lazily(`^[0-9a-f]{64}$`)
)

// Reference names an image at a registry. It is comparable; one made by
// [ParseReference] has a Tag, a Digest, or both (then the digest decides).
//
//	127.0.0.1:5000/team/web:1.2@sha256:4f53…
//	└──Domain────┘ └─Path─┘ Tag └─Digest──┘
type Reference struct {
	Domain string // "docker.io", "127.0.0.1:5000"
	Path   string // "library/alpine"
	Tag    string
	Digest string // "sha256:…" of a manifest or an index, not of an image's config
}

// ParseReference reads a name as Docker does: "alpine" is
// "docker.io/library/alpine:latest". What stands before the first slash is a
// registry only if it could not be a user name: if it has a dot, a colon or
// an upper-case letter, or is "localhost".
func ParseReference(s string) (Reference, error) {
	if hexIDRE(s) {
		return Reference{}, fmt.Errorf("%w: name %q would be taken for an image ID", ErrReference, s)
	}
	var r Reference
	rest, digest, found := strings.Cut(s, "@")
	if found {
		if r.Digest = digest; !digestRE(digest) {
			return Reference{}, fmt.Errorf("%w: %q is no digest (sha256: and 64 hex digits)", ErrReference, digest)
		}
	}
	// A colon after the last slash starts a tag; one before it, a port.
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, '/') {
		if rest, r.Tag = rest[:i], rest[i+1:]; !tagRE(r.Tag) {
			return Reference{}, fmt.Errorf("%w: %q is no tag", ErrReference, r.Tag)
		}
	}
	if r.Tag == "" && r.Digest == "" {
		r.Tag = DefaultTag
	}
	r.Domain, r.Path = splitDomain(rest)
	return r, r.check(s)
}

func splitDomain(name string) (domain, path string) {
	domain, path, found := strings.Cut(name, "/")
	if !found || !strings.ContainsAny(domain, ".:") && domain != "localhost" && strings.ToLower(domain) == domain {
		domain, path = DefaultDomain, name
	}
	if domain == "index."+DefaultDomain {
		domain = DefaultDomain
	}
	if domain == DefaultDomain && !strings.Contains(path, "/") {
		path = officialPrefix + path
	}
	return domain, path
}

func (r Reference) check(s string) error {
	switch {
	case strings.ToLower(r.Path) != r.Path:
		return fmt.Errorf("%w: repository name (%s) must be lowercase", ErrReference, r.Path)
	case !domainRE(r.Domain) || !pathRE(r.Path):
		return fmt.Errorf("%w: %q", ErrReference, s)
	case len(r.Path) > maxNameLen:
		return fmt.Errorf("%w: repository name must not be more than %d characters", ErrReference, maxNameLen)
	}
	return nil
}

// Name is the repository in full, without tag and digest:
// "docker.io/library/alpine".
func (r Reference) Name() string { return r.Domain + "/" + r.Path }

// String is the canonical form, "docker.io/library/alpine:latest".
func (r Reference) String() string { return r.Name() + r.suffix() }

// Familiar is the shortest form with the same meaning, as `docker images`
// prints it: "alpine:latest".
func (r Reference) Familiar() string { return r.FamiliarName() + r.suffix() }

// FamiliarName is [Reference.Name] in its shortest form: "alpine".
func (r Reference) FamiliarName() string {
	for _, short := range []string{strings.TrimPrefix(r.Path, officialPrefix), r.Path} {
		if domain, path := splitDomain(short); domain == r.Domain && path == r.Path {
			return short
		}
	}
	return r.Name()
}

func (r Reference) suffix() (s string) {
	if r.Tag != "" {
		s = ":" + r.Tag
	}
	if r.Digest != "" {
		s += "@" + r.Digest
	}
	return s
}

// identifier is what the registry is asked for: the digest if there is one.
func (r Reference) identifier() string {
	if r.Digest != "" {
		return r.Digest
	}
	return r.Tag
}

// lazily compiles a regular expression when it is first used: every process of
// a container's start begins with this package, and most never use one.
func lazily(expr string) func(string) bool {
	compiled := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
	return func(s string) bool { return compiled().MatchString(s) }
}
