package truth

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"cutaway/chapters/lab"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// patience is how long anything may take on a busy machine.
const patience = 300 * time.Second

// calls is what strace looks at: every call that changes namespaces, mounts,
// cgroups, links, rules, identity or files, and those that tell which file a
// descriptor is.
const calls = "clone,clone3,fork,vfork,unshare,setns,execve,execveat,socket,read," +
	"mount,umount2,pivot_root,chroot,move_mount,fsopen,fspick,fsconfig,fsmount,open_tree,mount_setattr," +
	"open,openat,openat2,creat,mknod,mknodat,symlink,symlinkat,link,linkat,mkdir,mkdirat," +
	"chown,fchown,lchown,fchownat,chmod,fchmod,fchmodat,fchmodat2,truncate,ftruncate,utimensat," +
	"rename,renameat,renameat2,unlink,unlinkat,rmdir,setxattr,lsetxattr,fsetxattr," +
	"write,pwrite64,writev,pwritev,sendto,sendmsg,sendmmsg,sendfile,copy_file_range,splice," +
	"sethostname,setdomainname,bpf,prctl,capset,seccomp,landlock_restrict_self," +
	"setuid,setgid,setreuid,setregid,setresuid,setresgid,setfsuid,setfsgid,setgroups,umask," +
	"prlimit64,setrlimit,ioctl,dup2,dup3,close_range,chdir,fchdir,setsid,personality,keyctl"

// traced is a daemon under strace.
type traced struct {
	t    *testing.T
	dir  string
	cmd  *exec.Cmd
	log  bytes.Buffer
	http *http.Client
}

// start starts a daemon under strace; it ends with the test.
func start(t *testing.T) *traced {
	t.Helper()
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			require.False(t, s.Key == "CGO_ENABLED" && s.Value == "1", "the containers run this binary, which therefore must be static: CGO_ENABLED=0 go test, or make test")
		}
	}
	dir, err := os.MkdirTemp("", "cutaway-truth-")
	require.NoError(t, err)
	d := &traced{t: t, dir: dir}
	exe, err := os.Executable()
	require.NoError(t, err)
	// seccomp-bpf: calls that are not traced, such as Go's futex, go at full speed.
	d.cmd = exec.Command("strace", "-f", "--seccomp-bpf", "-q", "-y", "-v", "-s", "4096", "--decode-pids=pidns",
		"-e", "trace=?"+strings.ReplaceAll(calls, ",", ",?"), // "?": unless there is no such call here
		"-e", "signal=none", "-o", d.path("trace"), exe)
	d.cmd.Env = append(os.Environ(), daemonEnv+"="+dir)
	d.cmd.Stdout, d.cmd.Stderr = &d.log, &d.log
	require.NoError(t, d.cmd.Start())
	t.Cleanup(func() { d.stop() })
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", d.path("sock"))
	}
	d.http = &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: patience}
	require.Eventually(t, func() bool { _, err := os.Stat(d.path("ready")); return err == nil }, patience, 20*time.Millisecond, &d.log)
	return d
}

func (d *traced) path(name string) string { return filepath.Join(d.dir, name) }

// trace removes all containers, ends the daemon and reads what it did.
func (d *traced) trace() []call {
	d.t.Helper()
	d.remove()
	pid, err := os.ReadFile(d.path("ready"))
	require.NoError(d.t, err)
	n, err := strconv.Atoi(string(pid))
	require.NoError(d.t, err)
	require.NoError(d.t, unix.Kill(n, unix.SIGTERM))
	err = d.cmd.Wait() // for strace, which ends with the last process that it looks at
	d.cmd = nil
	require.NoError(d.t, err, &d.log)
	return parse(d.t, d.path("trace"))
}

// remove removes all containers.
func (d *traced) remove() {
	var list []struct{ ID string }
	d.call("GET /containers/json?all=1", nil, &list)
	for _, c := range list {
		d.call("DELETE /containers/"+c.ID+"?force=1&v=1", nil, nil)
	}
}

// stop ends the daemon, if the test has not, and removes what it leaves for the
// next one.
func (d *traced) stop() {
	if d.cmd != nil {
		d.trace()
	}
	links, err := lab.Links()
	require.NoError(d.t, err)
	for _, link := range links {
		if link.Type() == "bridge" {
			require.NoError(d.t, netlink.LinkDel(link))
		}
	}
	require.NoError(d.t, os.RemoveAll(d.dir))
}

// call makes one request of the API, such as "GET /info"; answer is what is to be decoded, or nil.
func (d *traced) call(what string, body, answer any) {
	d.t.Helper()
	method, path, _ := strings.Cut(what, " ")
	data, err := json.Marshal(body)
	require.NoError(d.t, err)
	req, err := http.NewRequest(method, "http://daemon"+path, bytes.NewReader(data))
	require.NoError(d.t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := d.http.Do(req)
	require.NoError(d.t, err, "%s", &d.log)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(d.t, err)
	require.Less(d.t, resp.StatusCode, 300, "%s %s: %s", method, path, text)
	if answer != nil {
		require.NoError(d.t, json.Unmarshal(text, answer))
	}
}
