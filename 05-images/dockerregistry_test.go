package images_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cutaway/chapters/lab"

	images "cutaway/05-images"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/stretchr/testify/require"
)

// dockerRegistry starts Debian's docker-registry on the loopback of this test's
// own network namespace, and returns its host. secure and auth are parts of its
// configuration.
func dockerRegistry(t *testing.T, secure, auth string) string {
	t.Helper()
	lab.NeedProgram(t, "docker-registry")
	l, err := net.Listen("tcp", "127.0.0.1:0") // to find a free port
	require.NoError(t, err)
	host := l.Addr().String()
	require.NoError(t, l.Close())
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil,
		"version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %q%s}\n%s\n",
		dir, host, secure, auth), 0o644))
	var log bytes.Buffer
	cmd := exec.Command("docker-registry", "serve", config)
	cmd.Stdout, cmd.Stderr = &log, &log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", host)
		return err == nil && c.Close() == nil
	}, patience, 20*time.Millisecond, "docker-registry does not answer")
	return host
}

// identity is a key and a certificate for it, signed by itself.
type identity struct {
	*ecdsa.PrivateKey
	der               []byte
	certFile, keyFile string
}

func newIdentity(t *testing.T) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	id := identity{key, der, filepath.Join(t.TempDir(), "ca.crt"), filepath.Join(t.TempDir(), "key")}
	require.NoError(t, os.WriteFile(id.certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	require.NoError(t, os.WriteFile(id.keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}), 0o600))
	return id
}

// sign makes a JSON Web Token (RFC 7519), with the certificate of who signs it.
func (id identity) sign(claims map[string]any) string {
	part := func(v any) string {
		b, err := json.Marshal(v)
		must(err)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(map[string]any{"typ": "JWT", "alg": "ES256", "x5c": []string{base64.StdEncoding.EncodeToString(id.der)}}) + "." + part(claims)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, id.PrivateKey, sum[:])
	must(err)
	signature := make([]byte, 64) // RFC 7518, 3.4
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// tokens is a token server: anna may do what she asks for, nobody else anything.
func (id identity) tokens(t *testing.T) (realm string) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, given := r.BasicAuth()
		if given && (user != anna.Username || password != anna.Password) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		access := []map[string]any{}
		for _, scope := range r.URL.Query()["scope"] {
			if parts := strings.Split(scope, ":"); given && len(parts) == 3 {
				access = append(access, map[string]any{"type": parts[0], "name": parts[1], "actions": strings.Split(parts[2], ",")})
			}
		}
		now := time.Now().Unix()
		must(json.NewEncoder(w).Encode(map[string]string{"token": id.sign(map[string]any{
			"iss": "test", "sub": user, "aud": "registry", "exp": now + 300, "nbf": now - 10, "iat": now, "jti": "1", "access": access,
		})}))
	}))
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{id.der}, PrivateKey: id.PrivateKey}}}
	srv.Config.ErrorLog = quiet
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return strings.Replace(srv.URL, "127.0.0.1", "localhost", 1) + "/token" // go-containerregistry wants a name
}

// TestDockerRegistryLetsOnlyAnnaIn has a private CA, and passwords or tokens.
func TestDockerRegistryLetsOnlyAnnaIn(t *testing.T) {
	id := newIdentity(t)
	passwords := filepath.Join(t.TempDir(), "htpasswd")
	require.NoError(t, os.WriteFile(passwords, []byte("anna:$2a$04$jX11UKDmceeZbQBuLdc9h.4LLHGzyCTKFuyjNKieCdM5JiW9X/E4i\n"), 0o644))
	for kind, auth := range map[string]string{
		"basic": fmt.Sprintf("auth: {htpasswd: {realm: test, path: %s}}", passwords),
		"token": fmt.Sprintf("auth: {token: {realm: %s, service: registry, issuer: test, rootcertbundle: %s}}", id.tokens(t), id.certFile),
	} {
		t.Run(kind, func(t *testing.T) {
			host := dockerRegistry(t, fmt.Sprintf(", tls: {certificate: %s, key: %s}", id.certFile, id.keyFile), auth)
			s, ref := newStore(t), parse(t, host+"/team/web:1")
			_, err := s.Add(simple(t, "a=1", "b=2"), ref.String(), nil)
			require.NoError(t, err)
			require.ErrorContains(t, s.Push(t.Context(), ref, images.PushOptions{Registry: images.Registry{Auth: anna}}), "x509")

			certs := t.TempDir()
			require.NoError(t, os.MkdirAll(filepath.Join(certs, host), 0o755))
			require.NoError(t, os.Symlink(id.certFile, filepath.Join(certs, host, "ca.crt")))
			for _, auth := range []authn.Authenticator{nil, mallory} {
				r := images.Registry{Auth: auth, CertsDir: certs}
				require.ErrorIs(t, s.Push(t.Context(), ref, images.PushOptions{Registry: r}), images.ErrUnauthorized)
				_, err = pull(t, newStore(t), ref, images.PullOptions{Registry: r})
				require.ErrorIs(t, err, images.ErrUnauthorized)
			}
			r := images.Registry{Auth: anna, CertsDir: certs}
			require.NoError(t, r.Login(t.Context(), host))
			require.NoError(t, s.Push(t.Context(), ref, images.PushOptions{Registry: r}))
			u := newTrees()
			img, err := pull(t, newStore(t), ref, images.PullOptions{Registry: r, Unpack: u})
			require.NoError(t, err)
			require.Equal(t, "a=1\nb=2\n", u.tree(img.Top()))

			// A mount asks for what may be read there, too.
			other := parse(t, host+"/other/web:1")
			require.NoError(t, s.Tag(ref.String(), other.String()))
			var told []string
			require.NoError(t, s.Push(t.Context(), other, images.PushOptions{Registry: r, Progress: func(p images.Progress) { told = append(told, p.Status) }}))
			require.Contains(t, told, "Mounted from team/web")
		})
	}
}
