package engine

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"os"
	goruntime "runtime"
	"slices"
	"strings"
	"time"

	daemon "cutaway/07-daemon"

	"github.com/moby/moby/api/types/container"
	api "github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/system"
	"golang.org/x/sys/unix"
)

// Version is the engine's own.
const Version = "0.1.0"

// Info answers docker info.
func (e *Engine) Info(context.Context) (system.Info, error) {
	var mem unix.Sysinfo_t
	if err := unix.Sysinfo(&mem); err != nil {
		return system.Info{}, os.NewSyscallError("sysinfo", err)
	}
	all, err := e.images.List()
	if err != nil {
		return system.Info{}, err
	}
	has := func(controller string) bool { return slices.Contains(e.groups.Controllers(), controller) }
	forward, _ := os.ReadFile("/proc/sys/net/ipv4/ip_forward")
	name, _ := os.Hostname()
	info := system.Info{
		ID: e.networkID("engine")[:36], Name: name, ServerVersion: Version, Images: len(all),
		Driver: e.layers.Driver(), DriverStatus: [][2]string{{"Chosen because", e.layers.Reason()}},
		LoggingDriver: "json-file", CgroupDriver: "cgroupfs", CgroupVersion: e.cgroupVersion(),
		MemoryLimit: has("memory"), SwapLimit: has("memory"), CPUCfsPeriod: has("cpu"), CPUCfsQuota: has("cpu"),
		CPUShares: has("cpu"), CPUSet: has("cpuset"), PidsLimit: has("pids"),
		IPv4Forwarding: strings.TrimSpace(string(forward)) == "1",
		SystemTime:     time.Now().Format(time.RFC3339Nano), KernelVersion: kernel(), OperatingSystem: distribution(),
		OSType: "linux", Architecture: machine(), NCPU: goruntime.NumCPU(), MemTotal: int64(mem.Totalram) * int64(mem.Unit),
		DockerRootDir: e.o.DataRoot, IndexServerAddress: "https://index.docker.io/v1/", LiveRestoreEnabled: true,
		Runtimes: map[string]system.RuntimeWithStatus{"cutaway": {}}, DefaultRuntime: "cutaway",
		SecurityOptions: []string{}, NGoroutines: goruntime.NumGoroutine(),
		Plugins: system.PluginsInfo{Volume: []string{"local"}, Network: []string{"bridge", "host", "null"}, Log: []string{"json-file"}},
	}
	for _, c := range e.all() {
		info.Containers++
		switch c.look().State.shown() {
		case container.StateRunning:
			info.ContainersRunning++
		case container.StatePaused:
			info.ContainersPaused++
		default:
			info.ContainersStopped++
		}
	}
	return info, nil
}

// Version answers docker version.
func (e *Engine) Version(context.Context) (system.VersionResponse, error) {
	v := system.VersionResponse{Version: Version, KernelVersion: kernel()}
	v.Platform.Name = "cutaway"
	// Docker's client shows what it finds here, and not the fields above.
	v.Components = []system.ComponentVersion{{Name: "Engine", Version: Version, Details: map[string]string{
		"ApiVersion": daemon.MaxVersion.String(), "MinAPIVersion": daemon.MinVersion.String(), "GoVersion": goruntime.Version(),
		"Os": goruntime.GOOS, "Arch": goruntime.GOARCH, "KernelVersion": kernel(), "Experimental": "false",
	}}}
	return v, nil
}

func (e *Engine) cgroupVersion() string {
	if e.groups.Mode() == "v2" {
		return "2"
	}
	return "1"
}

// networkID makes a stable ID for one of this engine's networks.
func (e *Engine) networkID(name string) string {
	sum := sha256.Sum256([]byte(e.o.DataRoot + "\x00" + name))
	return hex.EncodeToString(sum[:])
}

func parseMAC(s string) (api.HardwareAddr, error) {
	mac, err := net.ParseMAC(s)
	return api.HardwareAddr(mac), err
}

func uname() unix.Utsname {
	var u unix.Utsname
	_ = unix.Uname(&u) // fails only for a bad address
	return u
}

func kernel() string {
	u := uname()
	return unix.ByteSliceToString(u.Release[:])
}

func machine() string {
	u := uname()
	return unix.ByteSliceToString(u.Machine[:])
}

// distribution is PRETTY_NAME of os-release(5).
func distribution() string {
	f, err := os.Open("/etc/os-release")
	if err != nil {
		return "Linux"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "PRETTY_NAME="); ok {
			return strings.Trim(name, `"`)
		}
	}
	return "Linux"
}

var _ daemon.System = (*Engine)(nil)
