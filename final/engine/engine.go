package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	cgroups "cutaway/03-cgroups"
	unionfs "cutaway/04-unionfs"
	images "cutaway/05-images"
	network "cutaway/06-network"
	"cutaway/final/build"
	"cutaway/final/plan"
	"cutaway/final/shim"
	"cutaway/final/volume"

	"golang.org/x/sys/unix"
)

// Options says where an engine keeps its things.
type Options struct {
	Hosts         []string // addresses to serve at, such as unix:///run/cutaway/cutaway.sock
	DataRoot      string   // kept; "" = DefaultDataRoot
	ExecRoot      string   // gone at reboot; "" = DefaultExecRoot
	StorageDriver string   // "" = the best that works
	Toolbox       string   // the binary that cutaway/toolbox is made of; "" = our own, which has to hold it
	Registries    Registries
	Ready         func() // called when all addresses are being served
}

// Where an engine keeps its things if nobody says.
const (
	DefaultDataRoot = "/var/lib/cutaway"
	DefaultExecRoot = "/run/cutaway"
)

// ErrBusy means that another engine has the same data root.
var ErrBusy = errors.New("another engine uses this data root; end it, or choose another with --data-root")

// Engine keeps containers.
type Engine struct {
	o       Options
	lock    *os.File    // of the data root
	closed  atomic.Bool // Close was called
	sparing sync.Mutex  // held while a spare shim is started, and when it is dropped
	exe     *os.File    // a sealed copy of our own binary, which shims and children run
	layers  *unionfs.Store
	images  *images.Store
	volumes *volume.Store
	net     *network.Network
	groups  *cgroups.System
	cache   *build.Cache // of builds
	needs   needs

	mu         sync.Mutex // guards what follows; held for moments only
	containers map[string]*Container
	names      map[string]string // name → ID
	execs      map[string]*Exec
	spare      *shim.Spare // for the next start; or nil
	likely     shim.Spawn  // what the next start will want
}

// Open opens the data root, prepares the network, and takes over the containers
// that an earlier engine has left, running or not.
func Open(o Options) (*Engine, error) {
	e := &Engine{o: withDefaults(o), containers: map[string]*Container{}, names: map[string]string{}, execs: map[string]*Exec{}, likely: usual}
	e.needs.by = map[string]int{}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"check how registries are reached", o.Registries.check},
		{"lock the data root", e.takeLock},
		{"copy the engine's binary", e.copyExe},
		{"open the layers", e.openStores},
		{"open the builds", e.openBuilds},
		{"find the cgroups", e.findGroups},
		{"open the network", e.openNetwork},
		{"take over containers", e.restore},
		{"end what builds were doing", e.endBuilds},
		{"make cutaway/toolbox", e.addToolbox},
		{"prepare the network", e.prepareNetwork}, // the last, for it stays when the engine ends
	} {
		if err := step.do(); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", step.name, err), e.Close())
		}
	}
	go e.keepSpare()
	return e, nil
}

func withDefaults(o Options) Options {
	if o.DataRoot == "" {
		o.DataRoot = DefaultDataRoot
	}
	if o.ExecRoot == "" {
		o.ExecRoot = DefaultExecRoot
	}
	if o.Registries.CertsDir == "" {
		o.Registries.CertsDir = DefaultCertsDir
	}
	return o
}

// Close lets go of everything. Containers go on.
func (e *Engine) Close() error {
	e.closed.Store(true)
	errs := []error{e.dropSpare()}
	for _, c := range e.all() {
		errs = append(errs, c.detach())
	}
	if e.net != nil {
		errs = append(errs, e.net.Close())
	}
	if e.layers != nil {
		errs = append(errs, e.layers.Close())
	}
	for _, f := range []*os.File{e.exe, e.lock} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

func (e *Engine) takeLock() error {
	for _, dir := range []string{e.data("containers"), e.exec("containers"), e.exec("netns"), e.exec("shims")} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(e.data("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(lockPatience); ; time.Sleep(lockPatience / 100) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			e.lock = f
			return nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("%s: %w", e.o.DataRoot, ErrBusy), f.Close())
		}
	}
}

// lockPatience is how long an engine waits for the data root: a process that one
// before it was about to start when it was killed has its descriptors until execve.
const lockPatience = 2 * time.Second

// copyExe makes a copy of the running binary that nobody can change. A process
// that exec starts in a container has the engine's binary as /proc/PID/exe for
// a moment: with the file on disk there, a container could open and overwrite
// it (CVE-2019-5736).
func (e *Engine) copyExe() error {
	fd, err := unix.MemfdCreate("cutaway", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return os.NewSyscallError("memfd_create", err)
	}
	e.exe = os.NewFile(uintptr(fd), "cutaway")
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer self.Close()
	if _, err := e.exe.ReadFrom(self); err != nil {
		return err
	}
	_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	return os.NewSyscallError("fcntl F_ADD_SEALS", err)
}

// exePath names the copy for whoever we start.
func (e *Engine) exePath() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), e.exe.Fd()) }

func (e *Engine) openStores() (err error) {
	if e.layers, err = unionfs.Open(e.data("layers"), e.o.StorageDriver); err != nil {
		return err
	}
	if e.images, err = images.OpenStore(e.data("images")); err != nil {
		return err
	}
	e.volumes, err = volume.OpenStore(e.data("volumes"))
	return err
}

func (e *Engine) findGroups() (err error) {
	if e.groups, err = cgroups.Detect(); err != nil || e.groups.Mode() != "hybrid" {
		return err
	}
	// A v2 tree beside v1's controllers has at most hugetlb, which no option of
	// ours needs, and entering a group of it waits for all CPUs.
	e.groups.Hierarchies = slices.DeleteFunc(e.groups.Hierarchies, func(h cgroups.Hierarchy) bool {
		needed := func(c string) bool { return c != "hugetlb" }
		return h.Version == cgroups.V2 && !slices.ContainsFunc(h.Controllers, needed)
	})
	return nil
}

func (e *Engine) openNetwork() (err error) {
	o := network.OpenOptions{Dir: e.exec("network")}
	if tag := e.tag(); tag != "" {
		o.Bridge = "cw-" + tag
	}
	e.net, err = network.Open(o)
	return err
}

// prepareNetwork makes the bridge and the firewall's table, or finds them. If it
// cannot, and no container uses them, it leaves neither.
func (e *Engine) prepareNetwork() error {
	for _, step := range e.net.Base() {
		err := step.Do()
		if err == nil {
			continue
		}
		err = fmt.Errorf("%s: %w", step, err)
		if len(e.net.Allocated()) > 0 {
			return err
		}
		return errors.Join(err, e.removeNetwork())
	}
	return nil
}

// removeNetwork undoes what prepareNetwork does.
func (e *Engine) removeNetwork() error {
	var errs []error
	for _, step := range slices.Backward(e.net.Base()) {
		if u, ok := step.(plan.Undoer); ok {
			errs = append(errs, u.Undo())
		}
	}
	return errors.Join(errs...)
}

// tag tells engines apart that share a machine: "" for the one with the default
// roots, else a few digits made from its own.
func (e *Engine) tag() string {
	if e.o.DataRoot == DefaultDataRoot && e.o.ExecRoot == DefaultExecRoot {
		return ""
	}
	sum := sha256.Sum256([]byte(e.o.DataRoot + "\x00" + e.o.ExecRoot))
	return hex.EncodeToString(sum[:4])
}

func (e *Engine) data(names ...string) string {
	return filepath.Join(append([]string{e.o.DataRoot}, names...)...)
}

func (e *Engine) exec(names ...string) string {
	return filepath.Join(append([]string{e.o.ExecRoot}, names...)...)
}

// all is every container there is at this moment.
func (e *Engine) all() []*Container {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Collect(maps.Values(e.containers))
}
