package spec

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// DefaultPath is where programs are looked for if neither the image nor the
// user says (moby, daemon/pkg/oci/defaults.go).
const DefaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Merge completes what the user asked for with what the image wants. The user
// wins; environments, labels, volumes and ports add up. An entrypoint of the
// user's hides both the image's entrypoint and its command.
func Merge(user container.Config, image v1.Config) container.Config {
	c := user
	if len(c.Entrypoint) == 0 {
		if len(c.Cmd) == 0 {
			c.Cmd = image.Cmd
		}
		if c.Entrypoint == nil {
			c.Entrypoint = image.Entrypoint
		}
	}
	if len(c.Entrypoint) == 1 && c.Entrypoint[0] == "" {
		c.Entrypoint = nil // docker run --entrypoint ""
	}
	c.Env = mergeEnv(image.Env, user.Env)
	c.User = cmp.Or(user.User, image.User)
	c.WorkingDir = cmp.Or(user.WorkingDir, image.WorkingDir)
	c.StopSignal = cmp.Or(user.StopSignal, image.StopSignal)
	c.Labels = mergeMaps(image.Labels, user.Labels)
	c.Volumes = mergeMaps(image.Volumes, user.Volumes)
	for p := range image.ExposedPorts {
		port, err := network.ParsePort(p)
		if err != nil {
			continue // an image's mistake; Docker ignores it too
		}
		if c.ExposedPorts == nil {
			c.ExposedPorts = network.PortSet{}
		}
		c.ExposedPorts[port] = struct{}{}
	}
	return c
}

// Args is the whole command line of a container.
func Args(c container.Config) []string { return slices.Concat(c.Entrypoint, c.Cmd) }

func mergeMaps[V any](image, user map[string]V) map[string]V {
	if len(image) == 0 {
		return user
	}
	m := maps.Clone(image)
	maps.Copy(m, user)
	return m
}

// mergeEnv puts the entries of over into base, each in the place of the one
// with the same name. An entry without "=" takes its name away.
func mergeEnv(base, over []string) []string {
	env := slices.Clone(base)
	for _, entry := range over {
		name, _, set := strings.Cut(entry, "=")
		same := func(s string) bool { return s == name || strings.HasPrefix(s, name+"=") }
		i := slices.IndexFunc(env, same)
		switch {
		case !set:
			env = slices.DeleteFunc(env, same)
		case i >= 0:
			env[i] = entry
		default:
			env = append(env, entry)
		}
	}
	return env
}
