package truth

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	namespaces "cutaway/02-namespaces"
	cgroups "cutaway/03-cgroups"
	"cutaway/chapters/lab"
	"cutaway/final/plan"
	"cutaway/final/rootfs"
	"cutaway/final/security"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/stretchr/testify/require"
)

// request is what the client sends to create a container.
type request struct {
	*container.Config
	HostConfig *container.HostConfig
}

// cases are containers that take different ways through a start; with -short,
// only the first few: what depends on the version of the kernel and of cgroups.
var cases = []struct {
	name  string
	shape func(r *request)
}{
	{"plain", func(*request) {}},
	{"limits", func(r *request) {
		h := r.HostConfig
		h.Memory, h.NanoCPUs, h.PidsLimit, h.CpusetCpus = 64<<20, 5e8, new(int64(50)), "0"
	}},
	{"terminal", func(r *request) { r.Tty, r.HostConfig.ConsoleSize = true, [2]uint{24, 80} }},
	{"published ports", func(r *request) {
		r.HostConfig.PortBindings = network.PortMap{
			network.MustParsePort("80/tcp"): {{HostPort: "8080"}}, network.MustParsePort("53/udp"): {{HostPort: "5353"}},
		}
	}},
	{"volumes", func(r *request) {
		r.HostConfig.Binds = []string{"vol1:/etc", "/usr:/host:ro"}
		r.HostConfig.Tmpfs = map[string]string{"/scratch": "size=1m"}
		r.Volumes = map[string]struct{}{"/new/deep": {}}
	}},
	{"user, read-only, no new privileges", func(r *request) {
		r.User, r.WorkingDir = "1000:100", "/tmp"
		r.HostConfig.ReadonlyRootfs, r.HostConfig.SecurityOpt = true, []string{"no-new-privileges"}
	}},
	{"capabilities, limits of the process", func(r *request) {
		r.HostConfig.CapAdd, r.HostConfig.CapDrop = []string{"NET_ADMIN"}, []string{"CHOWN", "MKNOD"}
		r.HostConfig.OomScoreAdj = 100
		r.HostConfig.Ulimits = []*container.Ulimit{{Name: "nofile", Soft: 512, Hard: 2048}}
	}},
	{"no network", func(r *request) { r.HostConfig.NetworkMode = "none" }},
	{"the host's network", func(r *request) { r.HostConfig.NetworkMode = "host" }},
	{"another container's network", func(r *request) { r.HostConfig.NetworkMode = "container:plain" }},
	{"names and sysctls", func(r *request) {
		r.Hostname, r.Domainname = "web", "example.org"
		r.HostConfig.Sysctls = map[string]string{"net.ipv4.ip_unprivileged_port_start": "0"}
	}},
}

// started is a container or an exec that was started, and its plan.
type started struct {
	name, path string // of the request that started it
	plan       *plan.Plan
}

// shortly is how many of the cases there are with -short.
const shortly = 3

// run starts a container of each kind, and a process in the first of them.
func run(d *traced) (list []started) {
	cases := cases
	if testing.Short() {
		cases = cases[:shortly]
	}
	for _, c := range cases {
		r := request{&container.Config{Image: "cutaway/toolbox", Cmd: []string{"sleep", "1000"}}, &container.HostConfig{}}
		c.shape(&r)
		name := ""
		if len(list) == 0 {
			name = "?name=plain"
		}
		var made container.CreateResponse
		d.call("POST /containers/create"+name, r, &made)
		s := started{c.name, "/containers/" + made.ID + "/start", &plan.Plan{}}
		d.call("POST "+s.path, nil, nil)
		d.call("GET /containers/"+made.ID+"/plan", nil, s.plan)
		list = append(list, s)
	}
	for _, r := range []container.ExecCreateRequest{{Cmd: []string{"true"}, User: "1000"}, {Cmd: []string{"true"}, Tty: true}} {
		var made container.ExecCreateResponse
		d.call("POST /containers/plain/exec", r, &made)
		s := started{fmt.Sprintf("exec, terminal %t", r.Tty), "/exec/" + made.ID + "/start", &plan.Plan{}}
		d.call("POST "+s.path, container.ExecStartRequest{Detach: true, Tty: r.Tty}, nil)
		d.call("GET /exec/"+made.ID+"/plan", nil, s.plan)
		list = append(list, s)
	}
	return list
}

func TestAPlanIsWhatTheKernelWasAsked(t *testing.T) {
	lab.NeedProgram(t, "strace")
	d := start(t)
	list := run(d)
	facts := see(d.dir, d.trace())
	if keep := os.Getenv("CUTAWAY_TRUTH_KEEP"); keep != "" {
		text, err := os.ReadFile(d.path("trace"))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(keep, text, 0o600))
	}
	ground := &plan.Plan{}
	for _, it := range list[0].plan.Of(plan.Base) {
		ground.Add(plan.Base, it.Step)
		ground.Items[len(ground.Items)-1].State = plan.Done
	}
	lies := map[string][]string{"once for all containers": base(facts).compare(ground)}
	for _, s := range list {
		w, err := between(facts, s.path)
		require.NoError(t, err)
		p := &plan.Plan{Items: slices.DeleteFunc(slices.Clone(s.plan.Items), func(it *plan.Item) bool { return it.Lane == plan.Base })}
		if lies[s.name] = w.compare(p); len(lies[s.name]) == 0 && !testing.Short() {
			bites(t, w, p)
		}
	}
	var report strings.Builder
	for _, name := range slices.Sorted(maps.Keys(lies)) {
		for _, lie := range lies[name] {
			fmt.Fprintf(&report, "%s: %s\n", name, lie)
		}
	}
	require.Empty(t, short(d.dir, report.String()))
}

// bites makes false plans of a true one, and sees that each is found out: a
// step too few, a step too many, a step that says something else, and steps in
// another order.
func bites(t *testing.T, w *window, p *plan.Plan) {
	t.Helper()
	lie := func(what string, items ...*plan.Item) {
		t.Helper()
		require.NotEmpty(t, w.compare(&plan.Plan{Items: items}), what)
	}
	for i, it := range p.Items {
		if !w.certain(it) {
			continue // there is nothing that it did
		}
		lie("without "+it.Name()+" "+it.Step.String(), slices.Delete(slices.Clone(p.Items), i, i+1)...)
		lie("twice "+it.Name()+" "+it.Step.String(), slices.Insert(slices.Clone(p.Items), i, it)...)
	}
	for _, other := range []plan.Step{
		namespaces.Hostname{Name: "other"}, rootfs.Mount{Source: "tmpfs", Target: "/other", Type: "tmpfs"}, security.NoNewPrivileges{},
		cgroups.Set{Path: "/sys/fs/cgroup/other/pids.max", Value: "1"},
	} {
		lie("with "+other.String(), append(slices.Clone(p.Items), &plan.Item{Lane: plan.Inside, Step: other, State: plan.Done})...)
	}
	last := len(p.Items) - 1
	moved := slices.Insert(slices.Clone(p.Items[:last]), slices.Index(p.Items, p.Of(plan.Inside)[0]), p.Items[last])
	lie("with execve first", moved...)
}
