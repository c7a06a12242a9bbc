package engine

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	daemon "cutaway/07-daemon"
	"cutaway/final/plan"
	"cutaway/final/volume"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// addMounts finds out what is to be mounted: first what --volume and --mount
// say, then what the image wants that they do not cover.
func (e *Engine) addMounts(c *Container) error {
	r := &c.record
	for _, bind := range r.Host.Binds {
		m, err := parseBind(bind)
		if err != nil {
			return badVolume.About(daemon.Errorf(daemon.Invalid, "invalid volume specification: '%s': %w", bind, err))
		}
		r.Mounts = append(r.Mounts, m)
	}
	for _, asked := range r.Host.Mounts {
		m, err := parseMount(asked)
		if err != nil {
			return badVolume.About(daemon.Errorf(daemon.Invalid, "invalid mount config for type %q: %w", asked.Type, err))
		}
		if asked.Type != mount.TypeTmpfs {
			r.Mounts = append(r.Mounts, m)
		}
	}
	for _, at := range slices.Sorted(maps.Keys(r.Config.Volumes)) {
		at = path.Clean(at)
		covered := func(m container.MountPoint) bool { return m.Destination == at }
		if _, isTmpfs := r.Host.Tmpfs[at]; isTmpfs || slices.ContainsFunc(r.Mounts, covered) {
			continue
		}
		r.Mounts = append(r.Mounts, container.MountPoint{Type: mount.TypeVolume, Destination: at, RW: true})
	}
	seen := map[string]bool{}
	for i := range r.Mounts {
		if m := r.Mounts[i]; seen[m.Destination] {
			return badVolume.About(daemon.Errorf(daemon.Invalid, "Duplicate mount point: %s", m.Destination))
		}
		seen[r.Mounts[i].Destination] = true
		if err := e.place(r, &r.Mounts[i]); err != nil {
			return err
		}
	}
	return nil
}

// place says where the volume of a mount is. It is made at the start.
func (e *Engine) place(r *Record, m *container.MountPoint) error {
	if m.Type != mount.TypeVolume {
		return nil
	}
	if m.Name == "" {
		m.Name = volume.Anonymous()
		r.Nameless = append(r.Nameless, m.Name)
	}
	m.Driver = "local"
	source, err := e.volumes.Path(m.Name)
	if err != nil {
		return badVolume.About(daemon.Errorf(daemon.Invalid, "%w", err))
	}
	m.Source = source
	return nil
}

// parseBind reads "[source:]destination[:options]", as --volume has it. A
// source with a slash in front is a directory of the host, else a volume.
func parseBind(s string) (container.MountPoint, error) {
	m := container.MountPoint{Type: mount.TypeVolume, RW: true}
	parts := strings.Split(s, ":")
	switch len(parts) {
	case 1:
		m.Destination = parts[0]
	case 2:
		m.Name, m.Destination = parts[0], parts[1]
	case 3:
		m.Name, m.Destination, m.Mode = parts[0], parts[1], parts[2]
	default:
		return m, fmt.Errorf("more than two colons")
	}
	if strings.HasPrefix(m.Name, "/") {
		m.Type, m.Source, m.Name, m.Propagation = mount.TypeBind, filepath.Clean(m.Name), "", mount.PropagationRPrivate
	}
	for _, word := range strings.FieldsFunc(m.Mode, func(r rune) bool { return r == ',' }) {
		switch word {
		case "ro":
			m.RW = false
		case "rw", "z", "Z", "nocopy", "consistent", "cached", "delegated":
		case "private", "rprivate", "slave", "rslave", "shared", "rshared":
			m.Propagation = mount.Propagation(word)
		default:
			return m, fmt.Errorf("invalid mode: %s", word)
		}
	}
	return m, destination(&m)
}

// destination checks and cleans the place in the container.
func destination(m *container.MountPoint) error {
	if !path.IsAbs(m.Destination) {
		return fmt.Errorf("invalid mount path: '%s' mount path must be absolute", m.Destination)
	}
	if m.Destination = path.Clean(m.Destination); m.Destination == "/" {
		return fmt.Errorf("destination can't be '/'")
	}
	return nil
}

// parseMount reads an entry of --mount.
func parseMount(asked mount.Mount) (container.MountPoint, error) {
	m := container.MountPoint{Type: asked.Type, Destination: asked.Target, RW: !asked.ReadOnly}
	switch asked.Type {
	case mount.TypeBind:
		m.Source, m.Propagation = filepath.Clean(asked.Source), mount.PropagationRPrivate
		if !filepath.IsAbs(asked.Source) {
			return m, fmt.Errorf("mount path must be absolute")
		}
		if asked.BindOptions != nil && asked.BindOptions.Propagation != "" {
			m.Propagation = asked.BindOptions.Propagation
		}
		if o := asked.BindOptions; o != nil && (o.NonRecursive || o.ReadOnlyNonRecursive) {
			return m, fmt.Errorf("bind-recursive: cutaway binds what is mounted below too, and read-only if the bind is; leave it out")
		}
		mayMake := asked.BindOptions != nil && asked.BindOptions.CreateMountpoint
		if _, err := os.Stat(m.Source); err != nil && !mayMake {
			return m, fmt.Errorf("bind source path does not exist: %s", m.Source)
		}
	case mount.TypeVolume:
		m.Name = asked.Source
		if asked.VolumeOptions != nil && asked.VolumeOptions.NoCopy {
			m.Mode = "nocopy"
		}
	}
	return m, destination(&m)
}

// binds is a container's mounts in the words of the OCI specification, with the
// three files that the engine writes for it.
func (e *Engine) binds(r Record, files string) []specs.Mount {
	var list []specs.Mount
	for _, f := range []struct{ name, at string }{
		{"resolv.conf", "/etc/resolv.conf"}, {"hostname", "/etc/hostname"}, {"hosts", "/etc/hosts"},
	} {
		list = append(list, specs.Mount{Source: filepath.Join(files, f.name), Destination: f.at, Type: "bind", Options: []string{"bind", "rprivate"}})
	}
	for _, m := range r.Mounts {
		options := []string{"rbind", string(mount.PropagationRPrivate)}
		if m.Propagation != "" {
			options[1] = string(m.Propagation)
		}
		if !m.RW {
			options = append(options, "rro") // with the mounts below, as Docker does since 25.0
		}
		list = slices.DeleteFunc(list, func(f specs.Mount) bool { return f.Destination == m.Destination })
		list = append(list, specs.Mount{Source: m.Source, Destination: m.Destination, Type: "bind", Options: options})
	}
	return list
}

// volumeSteps makes volumes, and directories of the host that --volume names,
// where they are not there yet, and fills new volumes with what the image has in
// their place.
func volumeSteps(r Record, rootfs string) []plan.Step {
	var steps []plan.Step
	for _, m := range r.Mounts {
		if m.Type == mount.TypeBind {
			if _, err := os.Lstat(m.Source); missing(err) {
				steps = append(steps, volume.Directory{Path: m.Source})
			}
			continue
		}
		steps = append(steps, volume.Directory{Path: m.Source})
		if !slices.Contains(strings.Split(m.Mode, ","), "nocopy") {
			steps = append(steps, volume.Fill{Root: rootfs, From: m.Destination, To: m.Source})
		}
	}
	return steps
}
