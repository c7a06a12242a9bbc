package images_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	images "cutaway/05-images"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"
)

var (
	anna    = &authn.Basic{Username: "anna", Password: "secret"}
	mallory = &authn.Basic{Username: "mallory", Password: "guess"}
)

// basicAuth lets only anna in.
func basicAuth(w http.ResponseWriter, r *http.Request) bool {
	if user, password, _ := r.BasicAuth(); user == anna.Username && password == anna.Password {
		return false
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
	http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, http.StatusUnauthorized)
	return true
}

// tokenAuth asks for a token, which realm gives to anna only.
func tokenAuth(realm string) func(w http.ResponseWriter, r *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == "Bearer token-of-anna" {
			return false
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="test"`, realm))
		http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, http.StatusUnauthorized)
		return true
	}
}

// newTokenServer hands out the token; scopes receives what it was asked for.
func newTokenServer(t *testing.T) (realm string, scopes *sync.Map) {
	scopes = &sync.Map{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != anna.Username || password != anna.Password {
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"wrong password"}]}`, http.StatusUnauthorized)
			return
		}
		for _, s := range r.URL.Query()["scope"] {
			scopes.Store(s, true)
		}
		must(json.NewEncoder(w).Encode(map[string]string{"token": "token-of-anna"}))
	}))
	t.Cleanup(srv.Close)
	return strings.Replace(srv.URL, "127.0.0.1", "localhost", 1) + "/token", scopes
}

func TestOnlyTheRightCredentialsLetIn(t *testing.T) {
	realm, scopes := newTokenServer(t)
	for kind, meddle := range map[string]func(http.ResponseWriter, *http.Request) bool{"basic": basicAuth, "token": tokenAuth(realm)} {
		t.Run(kind, func(t *testing.T) {
			srv, s := newServer(t), newStore(t)
			ref := srv.push(t, "team/web", simple(t, "a=1"))
			srv.setMeddle(meddle)
			for _, auth := range []authn.Authenticator{nil, mallory} {
				_, err := pull(t, s, ref, images.PullOptions{Registry: images.Registry{Auth: auth}})
				require.ErrorIs(t, err, images.ErrUnauthorized)
				require.ErrorContains(t, err, "access to "+srv.host+"/team/web denied")
				require.NotContains(t, err.Error(), mallory.Password)
				require.ErrorIs(t, images.Registry{Auth: auth}.Login(t.Context(), srv.host), images.ErrUnauthorized)
			}
			_, err := pull(t, s, ref, images.PullOptions{Registry: images.Registry{Auth: anna}})
			require.NoError(t, err)
			require.NoError(t, s.Push(t.Context(), ref, images.PushOptions{Registry: images.Registry{Auth: anna}}))
			require.NoError(t, images.Registry{Auth: anna}.Login(t.Context(), srv.host))
		})
	}
	for _, scope := range []string{"repository:team/web:pull", "repository:team/web:pull,push"} {
		_, asked := scopes.Load(scope)
		require.True(t, asked, scope)
	}
}

// TestCredentialsDoNotFollowARedirect has blobs on another host, as registries that keep them in object
// storage do. That the Authorization header would be seen is proven by the first registry's requests.
func TestCredentialsDoNotFollowARedirect(t *testing.T) {
	realm, _ := newTokenServer(t)
	for kind, meddle := range map[string]func(http.ResponseWriter, *http.Request) bool{"basic": basicAuth, "token": tokenAuth(realm)} {
		t.Run(kind, func(t *testing.T) {
			srv, storage, s := newServer(t), newServer(t), newStore(t)
			img := simple(t, "a=1")
			ref := srv.push(t, "web", img)
			storage.push(t, "web", img)
			var leaked, seen sync.Map
			storage.setMeddle(func(_ http.ResponseWriter, r *http.Request) bool {
				if h := r.Header.Get("Authorization"); h != "" {
					leaked.Store(h, true)
				}
				return false
			})
			for _, host := range []string{storage.host, strings.Replace(storage.host, "127.0.0.1", "localhost", 1)} {
				srv.setMeddle(func(w http.ResponseWriter, r *http.Request) bool {
					if meddle(w, r) {
						return true
					}
					seen.Store(r.Header.Get("Authorization"), true)
					if strings.Contains(r.URL.Path, "/blobs/") {
						http.Redirect(w, r, "http://"+host+r.URL.Path, http.StatusTemporaryRedirect)
						return true
					}
					return false
				})
				_, err := pull(t, s, ref, images.PullOptions{Registry: images.Registry{Auth: anna}, Unpack: newTrees()})
				require.NoError(t, err)
				require.NotEmpty(t, storage.requests("/blobs/"))
				_, err = s.Remove(ref.String(), images.RemoveOptions{})
				require.NoError(t, err)
			}
			count := 0
			seen.Range(func(any, any) bool { count++; return true })
			require.NotZero(t, count)
			leaked.Range(func(h, _ any) bool { t.Errorf("the other host got %q", h); return true })
		})
	}
}

func TestPlainHTTPIsForLoopbackOnly(t *testing.T) {
	s := newStore(t)
	for _, host := range []string{"10.255.255.1:5000", "registry.localhost:5000", "192.0.2.1:80"} {
		_, err := pull(t, s, parse(t, host+"/web"), images.PullOptions{})
		require.Error(t, err)
		if !strings.HasPrefix(host, "192") { // where a library would have fallen back to plain HTTP by itself
			require.ErrorIs(t, err, images.ErrPlainHTTP, host)
		}
		_, err = pull(t, s, parse(t, host+"/web"), images.PullOptions{Registry: images.Registry{Insecure: []string{host}}})
		require.Error(t, err)
		require.NotErrorIs(t, err, images.ErrPlainHTTP)
	}
}

func TestARegistryMayNotRedirectToPlainHTTP(t *testing.T) {
	srv, s := newServer(t), newStore(t)
	ref := srv.push(t, "web", simple(t, "a=1"))
	srv.setMeddle(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/") {
			http.Redirect(w, r, "http://storage.example.com/x", http.StatusTemporaryRedirect)
			return true
		}
		return false
	})
	_, err := pull(t, s, ref, images.PullOptions{})
	require.ErrorIs(t, err, images.ErrPlainHTTP)
	require.ErrorContains(t, err, "storage.example.com")
}

func TestAPrivateCertificateIsTrustedWhereItIsMeant(t *testing.T) {
	srv := httptest.NewUnstartedServer(registry.New(registry.Logger(quiet)))
	srv.Config.ErrorLog = quiet
	srv.StartTLS()
	t.Cleanup(srv.Close)
	host := strings.TrimPrefix(srv.URL, "https://")
	tag, err := name.NewTag(host + "/web")
	require.NoError(t, err)
	require.NoError(t, remote.Push(tag, simple(t, "a=1"), remote.WithTransport(srv.Client().Transport)))
	s, certs := newStore(t), t.TempDir()
	ref := parse(t, host+"/web")
	_, err = pull(t, s, ref, images.PullOptions{Registry: images.Registry{CertsDir: certs}})
	require.ErrorContains(t, err, "x509")

	require.NoError(t, os.Mkdir(filepath.Join(certs, host), 0o755))
	crt := filepath.Join(certs, host, "ca.crt")
	require.NoError(t, os.WriteFile(crt, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o644))
	_, err = pull(t, s, ref, images.PullOptions{Registry: images.Registry{CertsDir: certs}})
	require.NoError(t, err)

	require.NoError(t, os.WriteFile(crt, []byte("nonsense"), 0o644))
	_, err = pull(t, s, ref, images.PullOptions{Registry: images.Registry{CertsDir: certs}})
	require.ErrorContains(t, err, "ca.crt")
}

func TestMirrorsAreAskedFirstAndToldNothing(t *testing.T) {
	empty, mirror := newServer(t), newServer(t)
	img := simple(t, "a=1")
	mirror.push(t, "library/web", img)
	var leaked sync.Map
	for _, srv := range []*server{empty, mirror} {
		srv.setMeddle(func(_ http.ResponseWriter, r *http.Request) bool {
			if h := r.Header.Get("Authorization"); h != "" {
				leaked.Store(h, true)
			}
			return false
		})
	}
	r := images.Registry{Auth: anna, Mirrors: []string{empty.host, mirror.host}}
	got, err := pull(t, newStore(t), parse(t, "web"), images.PullOptions{Registry: r, Unpack: newTrees()})
	require.NoError(t, err)
	require.Equal(t, id(t, img), got.ID)
	require.Equal(t, []string{"web:latest"}, got.Names, "it is docker.io's image, whoever sent it")
	require.NotEmpty(t, empty.requests("/manifests/"))
	leaked.Range(func(h, _ any) bool { t.Errorf("a mirror got %q", h); return true })

	// What no mirror has is asked of docker.io, which is not there in this namespace; the error tells of all.
	_, err = pull(t, newStore(t), parse(t, "absent"), images.PullOptions{Registry: r})
	require.ErrorContains(t, err, "registry-1.docker.io")
	require.ErrorContains(t, err, "mirror "+mirror.host)
	require.NotErrorIs(t, err, images.ErrNotFound)
}
