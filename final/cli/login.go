package cli

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/cli/cli/config/types"
	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/types/registry"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	images "cutaway/05-images"
)

// hub is what Docker Hub is called in Docker's configuration file.
const hub = "https://index.docker.io/v1/"

// hostKey is what a registry is called there.
func hostKey(server string) string {
	_, host, ok := strings.Cut(server, "://")
	if !ok {
		host = server
	}
	host, _, _ = strings.Cut(host, "/")
	switch host {
	case "", "docker.io", "index.docker.io", "registry-1.docker.io":
		return hub
	}
	return host
}

// dockerConfig reads ~/.docker/config.json, or that in $DOCKER_CONFIG, as docker does: both clients share logins.
func dockerConfig() (*configfile.ConfigFile, error) {
	file, err := config.Load("")
	if err != nil {
		return nil, badLogin.About(fmt.Errorf("read docker's configuration: %w", err))
	}
	return file, nil
}

// credentials is the header for requests about an image: what docker has for its registry, in its file or in the
// credential helper that this names; "" for nothing.
func credentials(image string) (string, error) {
	ref, err := images.ParseReference(image)
	if err != nil {
		return "", nil //nolint:nilerr // the engine says what is wrong with it
	}
	file, err := dockerConfig()
	if err != nil {
		return "", err
	}
	have, err := file.GetAuthConfig(hostKey(ref.Domain))
	if err != nil {
		return "", badLogin.About(fmt.Errorf("credentials for %s: %w", ref.Domain, err))
	}
	if have == (types.AuthConfig{}) {
		return "", nil
	}
	return authconfig.Encode(forEngine(have))
}

// allCredentials is the header for builds, which may need any registry: all that docker has. What a credential helper
// does not tell is missing, as in docker; a build may do without.
func allCredentials() (string, error) {
	file, err := dockerConfig()
	if err != nil {
		return "", err
	}
	all := map[string]registry.AuthConfig{}
	known, _ := file.GetAllCredentials()
	for server, auth := range known {
		all[server] = forEngine(auth)
	}
	data, err := json.Marshal(all)
	return base64.URLEncoding.EncodeToString(data), err
}

// forEngine is what docker's file has, as the API has it.
func forEngine(c types.AuthConfig) registry.AuthConfig {
	return registry.AuthConfig{
		Username: c.Username, Password: c.Password, Auth: c.Auth,
		ServerAddress: c.ServerAddress, IdentityToken: c.IdentityToken, RegistryToken: c.RegistryToken,
	}
}

// loginFlags are the flags of login.
type loginFlags struct {
	user, password string
	stdin          bool
}

func (a *app) loginCommand() *cobra.Command {
	var f loginFlags
	c := command("login [OPTIONS] [SERVER]", "Log in to a registry",
		func(ctx context.Context, args []string) error { return a.login(ctx, f, strings.Join(args, "")) })
	c.Flags().StringVarP(&f.user, "username", "u", "", "user name")
	c.Flags().StringVarP(&f.password, "password", "p", "", "password, which others on this machine then see")
	c.Flags().BoolVar(&f.stdin, "password-stdin", false, "read the password from standard input")
	return c
}

// login has the engine try the credentials, and keeps them where docker does.
func (a *app) login(ctx context.Context, f loginFlags, server string) error {
	file, err := dockerConfig()
	if err != nil {
		return err
	}
	key := hostKey(server)
	auth, err := a.askLogin(f, file, key)
	if err != nil {
		return err
	}
	auth.ServerAddress = key
	var done registry.AuthResponse
	if err := a.do(ctx, call{method: "POST", path: "/auth", body: forEngine(auth)}, &done); err != nil {
		return err
	}
	if done.IdentityToken != "" {
		auth.Password, auth.IdentityToken = "", done.IdentityToken
	}
	store := file.GetCredentialsStore(key)
	if err := store.Store(auth); err != nil {
		return badLogin.About(fmt.Errorf("keep the credentials: %w", err))
	}
	fmt.Fprintln(a.out, done.Status)
	return nil
}

// askLogin finds the credentials: on the command line, on standard input, among those that are known, or by asking.
func (a *app) askLogin(f loginFlags, file *configfile.ConfigFile, key string) (auth types.AuthConfig, err error) {
	terminal := term.IsTerminal(int(a.in.Fd()))
	switch {
	case f.stdin && f.password != "":
		return auth, errors.New("--password and --password-stdin are mutually exclusive")
	case f.stdin && f.user == "":
		return auth, errors.New("must provide --username with --password-stdin")
	case f.stdin:
		text, err := io.ReadAll(a.in)
		f.password = strings.TrimRight(string(text), "\r\n")
		if err == nil && f.password == "" {
			err = errors.New("password is empty")
		}
		return types.AuthConfig{Username: f.user, Password: f.password}, err
	case f.password != "":
		fmt.Fprintln(a.err, "WARNING! Using --password via the CLI is insecure. Use --password-stdin.")
	case f.user == "":
		if auth, err = file.GetAuthConfig(key); err == nil && auth.Username+auth.IdentityToken != "" {
			fmt.Fprintln(a.out, "Authenticating with existing credentials...")
			return auth, nil
		}
	}
	if !terminal && (f.user == "" || f.password == "") {
		return auth, errors.New("cannot ask for a user name and a password without a terminal: use --username and --password-stdin")
	}
	if f.user == "" {
		fmt.Fprint(a.out, "Username: ")
		f.user, err = bufio.NewReader(a.in).ReadString('\n')
		f.user = strings.TrimSpace(f.user)
	}
	if err == nil && f.password == "" {
		fmt.Fprint(a.out, "Password: ")
		var typed []byte
		typed, err = term.ReadPassword(int(a.in.Fd()))
		fmt.Fprintln(a.out)
		f.password = string(typed)
	}
	return types.AuthConfig{Username: f.user, Password: f.password}, err
}

func (a *app) logoutCommand() *cobra.Command {
	return command("logout [SERVER]", "Forget the credentials for a registry", func(_ context.Context, args []string) error {
		file, err := dockerConfig()
		if err != nil {
			return err
		}
		key := hostKey(strings.Join(args, ""))
		if have, err := file.GetAuthConfig(key); err == nil && have.Username+have.IdentityToken == "" {
			fmt.Fprintf(a.out, "Not logged in to %s\n", key)
			return nil
		}
		fmt.Fprintf(a.out, "Removing login credentials for %s\n", key)
		if err := file.GetCredentialsStore(key).Erase(key); err != nil {
			return badLogin.About(fmt.Errorf("forget the credentials: %w", err))
		}
		return nil
	})
}
