package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	images "cutaway/05-images"
	daemon "cutaway/07-daemon"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/api/types/registry"
	"golang.org/x/sys/unix"
)

// Registries says how registries are reached: what Docker has in daemon.json.
type Registries struct {
	Insecure []string // "HOST:PORT" or a range of addresses, "10.0.0.0/8": plain HTTP and any certificate will do
	Mirrors  []string // addresses of registries that are asked before Docker Hub: "https://HOST:PORT"
	CertsDir string   // HOST:PORT/ca.crt in it is trusted for that registry; "" = DefaultCertsDir
}

// DefaultCertsDir is Docker's own.
const DefaultCertsDir = "/etc/docker/certs.d"

// check refuses what cannot be meant.
func (r Registries) check() error {
	for _, mirror := range r.Mirrors {
		u, err := url.Parse(mirror)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/")+u.RawQuery != "" {
			return fmt.Errorf("registry mirror %q: want https://HOST[:PORT]", mirror)
		}
	}
	for _, host := range r.Insecure {
		if _, err := netip.ParsePrefix(host); err != nil && strings.Contains(host, "/") {
			return fmt.Errorf("insecure registry %q: want HOST[:PORT], or a range of addresses such as 10.0.0.0/8", host)
		}
	}
	return nil
}

// registry says how to reach one, and as whom.
func (e *Engine) registry(a registry.AuthConfig) images.Registry {
	r := images.Registry{Insecure: slices.Clone(e.o.Registries.Insecure), CertsDir: e.o.Registries.CertsDir}
	for _, mirror := range e.o.Registries.Mirrors {
		scheme, host, _ := strings.Cut(strings.TrimSuffix(mirror, "/"), "://")
		r.Mirrors = append(r.Mirrors, host)
		if scheme == "http" {
			r.Insecure = append(r.Insecure, host)
		}
	}
	if a.Username+a.Password+a.Auth+a.IdentityToken+a.RegistryToken != "" {
		r.Auth = authn.FromConfig(authn.AuthConfig{
			Username: a.Username, Password: a.Password, Auth: a.Auth, IdentityToken: a.IdentityToken, RegistryToken: a.RegistryToken,
		})
	}
	return r
}

// transferError gives what went wrong on the way from or to a registry its kind.
// Who has no credentials may not even know whether an image is there: that is "not
// found" for Docker, whose client would ask for a password otherwise.
func transferError(err error, as registry.AuthConfig) error {
	switch {
	case errors.Is(err, images.ErrUnauthorized) && as == (registry.AuthConfig{}):
		err = daemon.Errorf(daemon.NotFound, "%w", err)
	case errors.Is(err, images.ErrNotFound):
		err = daemon.Errorf(daemon.NotFound, "%w", err)
	case errors.Is(err, images.ErrUnauthorized):
		err = daemon.Errorf(daemon.Unauthorized, "%w", err)
	case errors.Is(err, images.ErrReference):
		err = daemon.Errorf(daemon.Invalid, "%w", err)
	case errors.Is(err, unix.ENOSPC):
		return diskFull.About(err)
	}
	return aboutPull(err)
}

// lines turns progress into Docker's lines.
func lines(progress func(jsonstream.Message)) func(images.Progress) {
	return func(p images.Progress) {
		m := jsonstream.Message{ID: p.ID, Status: p.Status}
		if p.Total > 0 {
			m.Progress = &jsonstream.Progress{Current: p.Current, Total: p.Total}
		}
		progress(m)
	}
}

// Push sends an image to a registry.
func (e *Engine) Push(ctx context.Context, o daemon.PushOptions, progress func(jsonstream.Message)) error {
	first, err := images.ParseReference(o.Ref)
	if err != nil {
		return badReference.About(daemon.Errorf(daemon.Invalid, "%w", err))
	}
	refs := []images.Reference{first}
	if o.AllTags {
		if refs, err = e.tagsOf(first); err != nil {
			return err
		}
	}
	for _, ref := range refs {
		if _, err := e.imageFor(ref.String(), o.Platform); err != nil {
			return notHere(err, ref)
		}
	}
	progress(jsonstream.Message{Status: fmt.Sprintf("The push refers to repository [%s]", first.Name())})
	for _, ref := range refs {
		err := e.images.Push(ctx, ref, images.PushOptions{Registry: e.registry(o.Auth), Progress: lines(progress)})
		if err != nil {
			return transferError(err, o.Auth)
		}
	}
	return nil
}

// notHere is Docker's word for what cannot be pushed.
func notHere(err error, ref images.Reference) error {
	if daemon.KindOf(err) != daemon.NotFound {
		return err
	}
	return noImage.About(daemon.Errorf(daemon.NotFound, "An image does not exist locally with the tag: %s", ref.FamiliarName()))
}

// tagsOf lists all names with a tag that are here of a repository.
func (e *Engine) tagsOf(repository images.Reference) (refs []images.Reference, err error) {
	all, err := e.images.List()
	for _, img := range all {
		for _, name := range img.Names {
			if ref, err := images.ParseReference(name); err == nil && ref.Name() == repository.Name() {
				refs = append(refs, ref)
			}
		}
	}
	if err == nil && len(refs) == 0 {
		err = notHere(daemon.Errorf(daemon.NotFound, "no tag"), repository)
	}
	slices.SortFunc(refs, func(a, b images.Reference) int { return strings.Compare(a.Tag, b.Tag) })
	return refs, err
}

// Login checks credentials with a registry.
func (e *Engine) Login(ctx context.Context, auth registry.AuthConfig) (registry.AuthResponse, error) {
	host := hostOf(auth.ServerAddress)
	err := e.registry(auth).Login(ctx, host)
	if errors.Is(err, images.ErrUnauthorized) {
		err = pullUnauthorized.About(daemon.Errorf(daemon.Unauthorized, "login attempt to https://%s/v2/ failed with status: %d %s",
			host, http.StatusUnauthorized, http.StatusText(http.StatusUnauthorized)))
	}
	if err != nil {
		return registry.AuthResponse{}, transferError(err, auth)
	}
	return registry.AuthResponse{Status: "Login Succeeded"}, nil
}

// hostOf is the registry that people and Docker's configuration call
// "https://index.docker.io/v1/", "host:5000" or "https://host:5000/v2/".
func hostOf(address string) string {
	_, host, ok := strings.Cut(address, "://")
	if !ok {
		host = address
	}
	host, _, _ = strings.Cut(host, "/")
	if host == "" || host == "index."+images.DefaultDomain || host == "registry-1."+images.DefaultDomain {
		return images.DefaultDomain
	}
	return host
}

var (
	_ daemon.Transfer = (*Engine)(nil)
	_ daemon.Layers   = (*Engine)(nil)
	_ daemon.Upkeep   = (*Engine)(nil)
)
