package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	"github.com/spf13/pflag"
)

// createFlags is a create request while its flags are being read: each flag writes where its value belongs.
type createFlags struct {
	name     string
	pull     string // "missing", "always", "never"
	platform string

	config container.Config
	host   container.HostConfig

	environmentFlags
	attach []string // of -a
}

// bind declares docker's flags of "run" and "create", group by group. They end at the image: what follows
// belongs to the command, byte for byte.
func (f *createFlags) bind(fs *pflag.FlagSet) {
	fs.SetInterspersed(false)
	fs.StringVar(&f.name, "name", "", "name of the container")
	fs.StringVar(&f.pull, "pull", "missing", "pull the image before creating: always, missing, never")
	fs.StringVar(&f.platform, "platform", "", "platform of the image: os/arch[/variant]")
	f.bindProcess(fs)
	f.bindStreams(fs)
	f.bindLimits(fs)
	f.bindIsolation(fs)
	f.bindNetwork(fs)
	f.bindStorage(fs)
}

func (f *createFlags) bindProcess(fs *pflag.FlagSet) {
	f.environmentFlags.bind(fs)
	fs.Func("entrypoint", "replace the image's `entrypoint`; an empty one takes it away", func(s string) error {
		f.config.Entrypoint = []string{s}
		return nil
	})
	fs.StringVarP(&f.config.User, "user", "u", "", "`NAME|UID[:GROUP|GID]`")
	fs.StringArrayVar(&f.host.GroupAdd, "group-add", nil, "one more `group`")
	fs.StringVarP(&f.config.WorkingDir, "workdir", "w", "", "working directory in the container")
	fs.StringVar(&f.config.StopSignal, "stop-signal", "", "what \"stop\" sends")
	fs.Func("stop-timeout", "`seconds` that \"stop\" waits before it kills", func(s string) error {
		n, err := strconv.Atoi(s)
		f.config.StopTimeout = &n
		return err
	})
	fs.FuncP("label", "l", "`NAME[=VALUE]`", func(s string) error {
		name, value, _ := strings.Cut(s, "=")
		put(&f.config.Labels, name, value)
		return nil
	})
	fs.BoolVar(&f.host.AutoRemove, "rm", false, "remove the container when it has ended")
}

func (f *createFlags) bindStreams(fs *pflag.FlagSet) {
	fs.BoolVarP(&f.config.OpenStdin, "interactive", "i", false, "keep standard input open")
	fs.BoolVarP(&f.config.Tty, "tty", "t", false, "give the process a terminal")
	fs.StringArrayVarP(&f.attach, "attach", "a", nil, "attach to one `stream` only: stdin, stdout or stderr")
}

func (f *createFlags) bindLimits(fs *pflag.FlagSet) {
	r := &f.host.Resources
	fs.FuncP("memory", "m", "limit of memory in `bytes`, or 64m, 1g", bytesTo(&r.Memory))
	fs.Func("memory-swap", "limit of memory and swap in `bytes`, -1 for none", bytesTo(&r.MemorySwap))
	fs.Func("memory-reservation", "`bytes` that memory is reclaimed down to when it is short", bytesTo(&r.MemoryReservation))
	fs.Func("cpus", "`number` of processors, 0.5 for half of one", func(s string) error {
		n, err := strconv.ParseFloat(s, 64)
		if err != nil || n < 0 || n > 1e6 {
			return fmt.Errorf("%q is not a number of processors", s)
		}
		r.NanoCPUs = int64(n*1e9 + 0.5)
		return nil
	})
	fs.StringVar(&r.CpusetCpus, "cpuset-cpus", "", "processors to run on: 0-2,4")
	fs.StringVar(&r.CpusetMems, "cpuset-mems", "", "memory nodes to use")
	fs.Int64VarP(&r.CPUShares, "cpu-shares", "c", 0, "share of processor time, relative to others")
	fs.Func("pids-limit", "limit of processes, a `number` or -1 for none", func(s string) error {
		n, err := strconv.ParseInt(s, 10, 64)
		r.PidsLimit = &n
		return err
	})
	fs.Func("ulimit", "`NAME=SOFT[:HARD]`, see getrlimit(2)", func(s string) error {
		limit, err := units.ParseUlimit(s)
		r.Ulimits = append(r.Ulimits, limit)
		return err
	})
	fs.Func("shm-size", "size of /dev/shm in `bytes`", bytesTo(&f.host.ShmSize))
	fs.IntVar(&f.host.OomScoreAdj, "oom-score-adj", 0, "how readily the kernel kills it: -1000 to 1000")
}

func (f *createFlags) bindIsolation(fs *pflag.FlagSet) {
	fs.BoolVar(&f.host.ReadonlyRootfs, "read-only", false, "mount the root file system read-only")
	fs.StringArrayVar(&f.host.CapAdd, "cap-add", nil, "add a `capability`, or ALL")
	fs.StringArrayVar(&f.host.CapDrop, "cap-drop", nil, "drop a `capability`, or ALL")
	fs.StringArrayVar(&f.host.SecurityOpt, "security-opt", nil, "`option`: no-new-privileges, seccomp=unconfined|FILE")
	fs.StringVar((*string)(&f.host.PidMode), "pid", "", "PID namespace: host or container:NAME")
	fs.StringVar((*string)(&f.host.IpcMode), "ipc", "", "IPC namespace: private, shareable, none, host, container:NAME")
	fs.StringVar((*string)(&f.host.UTSMode), "uts", "", "UTS namespace: host")
	fs.StringVar((*string)(&f.host.UsernsMode), "userns", "", "user namespace: host")
	fs.StringVar((*string)(&f.host.CgroupnsMode), "cgroupns", "", "cgroup namespace: private or host")
	fs.Func("device", "a device of the host: `HOST[:PATH][:rwm]`", func(s string) error {
		d, err := parseDevice(s)
		f.host.Devices = append(f.host.Devices, d)
		return err
	})
	fs.Func("sysctl", "`NAME=VALUE` of a namespaced kernel parameter", func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("%q has no \"=\"", s)
		}
		put(&f.host.Sysctls, name, value)
		return nil
	})
}

func (f *createFlags) bindStorage(fs *pflag.FlagSet) {
	fs.FuncP("volume", "v", "`[SOURCE:]TARGET[:ro]`; SOURCE is a path of the host or a volume's name", f.volume)
	fs.Func("tmpfs", "`PATH[:OPTIONS]`, a file system in memory", func(s string) error {
		path, options, _ := strings.Cut(s, ":")
		put(&f.host.Tmpfs, path, options)
		return nil
	})
}

// volume reads one -v. The daemon's working directory is another one, so that "./data" is made absolute here.
func (f *createFlags) volume(s string) error {
	source, rest, ok := strings.Cut(s, ":")
	if !ok {
		if !filepath.IsAbs(s) {
			return fmt.Errorf("%q is not an absolute path", s)
		}
		put(&f.config.Volumes, s, struct{}{})
		return nil
	}
	if source == "." || source == ".." || strings.HasPrefix(source, "./") || strings.HasPrefix(source, "../") {
		abs, err := filepath.Abs(source)
		if err != nil {
			return err
		}
		source = abs
	}
	f.host.Binds = append(f.host.Binds, source+":"+rest)
	return nil
}

// put stores into a map that may not be there yet.
func put[M ~map[K]V, K comparable, V any](m *M, key K, value V) {
	if *m == nil {
		*m = M{}
	}
	(*m)[key] = value
}

// bytesTo reads "64m" and the like; "-1" stands for no limit where docker takes it.
func bytesTo(n *int64) func(string) error {
	return func(s string) (err error) {
		if s == "-1" {
			*n = -1
			return nil
		}
		*n, err = units.RAMInBytes(s)
		return err
	}
}

// parseDevice reads "/dev/x", "/dev/x:/dev/y", "/dev/x:rw" or "/dev/x:/dev/y:rw".
func parseDevice(s string) (container.DeviceMapping, error) {
	parts := strings.Split(s, ":")
	d := container.DeviceMapping{PathOnHost: parts[0], PathInContainer: parts[0], CgroupPermissions: "rwm"}
	rest := parts[1:]
	if len(rest) > 0 && strings.HasPrefix(rest[0], "/") {
		d.PathInContainer, rest = rest[0], rest[1:]
	}
	if len(rest) > 0 {
		d.CgroupPermissions, rest = rest[0], rest[1:]
	}
	if len(rest) > 0 || !filepath.IsAbs(d.PathOnHost) || d.CgroupPermissions == "" || strings.Trim(d.CgroupPermissions, "rwm") != "" {
		return d, fmt.Errorf("%q is not a device: HOST[:PATH][:rwm]", s)
	}
	return d, nil
}

// environmentFlags are where variables come from.
type environmentFlags struct{ env, files []string }

func (f *environmentFlags) bind(fs *pflag.FlagSet) {
	fs.StringArrayVarP(&f.env, "env", "e", nil, "set `NAME=VALUE` in the environment; NAME alone takes it from here")
	fs.StringArrayVar(&f.files, "env-file", nil, "read environment variables from a `file`")
}

// environment puts the files' variables before those of -e, which win. Those without "=" have the value that they
// have here, or are left out.
func (f *environmentFlags) environment() (found []string, err error) {
	var all []string
	for _, name := range f.files {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(data)) {
			line = strings.TrimLeft(strings.TrimRight(line, "\r\n"), " \t")
			if line != "" && !strings.HasPrefix(line, "#") {
				all = append(all, line)
			}
		}
	}
	for _, v := range append(all, f.env...) {
		if strings.Contains(v, "=") {
			found = append(found, v)
		} else if value, ok := os.LookupEnv(v); ok {
			found = append(found, v+"="+value)
		}
	}
	return found, nil
}
