package images

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// Credentials are those that Docker's client has for a reference's registry: in
// ~/.docker/config.json (or that of $DOCKER_CONFIG), or in the credential
// helper named there. Without any it is [authn.Anonymous], and no error.
func Credentials(ref Reference) (authn.Authenticator, error) {
	repo, err := name.NewRepository(ref.Name()) // docker.io is index.docker.io in that file
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrReference, err)
	}
	return authn.DefaultKeychain.Resolve(repo)
}

// Login checks the credentials in r with a registry ("docker.io",
// "127.0.0.1:5000"). The error wraps [ErrUnauthorized] if they are wrong.
func (r Registry) Login(ctx context.Context, domain string) error {
	s, err := r.connect(ctx, Reference{Domain: domain})
	if err == nil {
		defer s.close()
		var resp *http.Response
		if resp, err = s.get(ctx, "", http.Header{}); err == nil {
			return resp.Body.Close()
		}
		err = explain(err, s.ref)
	}
	if err != nil {
		return fmt.Errorf("login to %s: %w", domain, err)
	}
	return nil
}
