package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	namespaces "cutaway/02-namespaces"
)

// userDemo: root inside is a nobody outside, with all of root's rights over
// what the namespace owns and none over anything else.
var userDemo = demo{
	kind:  namespaces.User,
	clone: []namespaces.Kind{namespaces.User, namespaces.UTS},
	facts: func(where) []fact {
		return []fact{
			{"user", fmt.Sprint(os.Geteuid())},
			{"uid_map", words("/proc/self/uid_map")},
			{"setgroups", words("/proc/self/setgroups")},
			{"capabilities", status("CapEff")},
			{"owner of /", owner("/")},
			{"may set the hostname", may(namespaces.Hostname{Name: hostname()}.Do())},
			{"may make a device", may(mknod())},
			{"may read /etc/shadow", may(read("/etc/shadow"))},
		}
	},
}

// utsDemo: two names.
var utsDemo = demo{
	kind:  namespaces.UTS,
	clone: []namespaces.Kind{namespaces.UTS},
	steps: func(string) []namespaces.Step {
		return []namespaces.Step{namespaces.Hostname{Name: "box"}, namespaces.Domainname{Name: "example"}}
	},
	facts: func(where) []fact {
		return []fact{{"hostname", hostname()}, {"domain name", words("/proc/sys/kernel/domainname")}}
	},
}

// pidDemo: one process, two numbers.
var pidDemo = demo{
	kind:  namespaces.PID,
	clone: []namespaces.Kind{namespaces.PID, namespaces.Mnt},
	steps: func(string) []namespaces.Step {
		return []namespaces.Step{
			namespaces.Propagation{Target: "/", Mode: "rprivate"},
			proc,
		}
	},
	facts: func(w where) []fact {
		if w.child == 0 {
			w.child = os.Getpid()
		}
		pids, err := namespaces.PIDs(w.child)
		all, err2 := filepath.Glob("/proc/[0-9]*")
		return []fact{
			{"numbers of the child", or(strings.Trim(fmt.Sprint(pids), "[]"), err)},
			{"program of PID 1", words("/proc/1/comm")},
			{"processes in /proc", or(fmt.Sprint(len(all)), err2)},
		}
	},
}

// networkDemo: inside there is one interface, and not even a UNIX socket of
// the outside, if its name is an abstract one.
var networkDemo = demo{
	kind:  namespaces.Net,
	clone: []namespaces.Kind{namespaces.Net},
	steps: func(string) []namespaces.Step { return []namespaces.Step{namespaces.Loopback{}} },
	setup: func(id string) (func() error, error) {
		l, err := net.Listen("unix", "@"+id)
		if err != nil {
			return nil, err
		}
		return l.Close, nil
	},
	facts: func(w where) []fact {
		var names []string
		links, err := net.Interfaces()
		for _, l := range links {
			names = append(names, l.Name)
		}
		c, err2 := net.Dial("unix", "@"+w.id)
		if err2 == nil {
			c.Close()
		}
		return []fact{
			{"interfaces", or(strings.Join(names, " "), err)},
			{"may reach the socket @" + w.id, may(err2)},
		}
	},
}

// timeDemo: the uptime is another; the time of day is not.
var timeDemo = demo{
	kind: namespaces.Time,
	steps: func(string) []namespaces.Step {
		return []namespaces.Step{
			namespaces.Unshare{New: []namespaces.Kind{namespaces.Time}},
			namespaces.ClockOffset{Monotonic: 24 * time.Hour, Boottime: 100 * 24 * time.Hour},
		}
	},
	facts: func(where) []fact {
		return []fact{
			{"CLOCK_BOOTTIME", clock(unix.CLOCK_BOOTTIME)},
			{"CLOCK_MONOTONIC", clock(unix.CLOCK_MONOTONIC)},
			{"time of day", time.Now().UTC().Format("2006-01-02 15:04")},
		}
	},
	// A real fork(2), which Go has not: it alone takes a process into its
	// children's time namespace on every kernel. See ClockOffset.
	fork: true,
}
