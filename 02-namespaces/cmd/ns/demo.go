package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"text/tabwriter"

	"golang.org/x/sys/unix"

	namespaces "cutaway/02-namespaces"
)

// demo shows one kind of namespace.
type demo struct {
	kind  namespaces.Kind
	clone []namespaces.Kind                     // the namespaces of the child
	steps func(id string) []namespaces.Step     // what the child does in them; nil = nothing
	setup func(id string) (func() error, error) // what is made outside first, and how to undo it; may be nil
	facts func(w where) []fact
	fork  bool // the facts are told by a child of the child
}

// where is the side that looks.
type where struct {
	id    string // part of the names of all that the demonstration makes
	child int    // outside: the child's process number; inside: 0
}

// fact is one line of the table.
type fact struct{ Name, Value string }

var demos = []demo{userDemo, mountDemo, utsDemo, ipcDemo, pidDemo, cgroupDemo, networkDemo, timeDemo}

// run starts a child in new namespaces, which does its steps and tells what it
// sees; then we look at the same things outside.
func (d demo) run(args []string) (err error) {
	if len(args) > 0 {
		return errUsage
	}
	id := fmt.Sprintf("cutaway-%d", os.Getpid())
	if d.setup != nil {
		undo, err := d.setup(id)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, undo()) }()
	}
	child := exec.Command("/proc/self/exe", becomeArg, string(d.kind), id)
	child.Stderr = os.Stderr
	stop, err := child.StdinPipe() // it stays until this is closed
	if err != nil {
		return err
	}
	out, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := namespaces.Start(child, unprivileged(d.clone)); err != nil {
		return err
	}
	var inside []fact
	err = json.NewDecoder(out).Decode(&inside)
	outside := d.look(where{id, child.Process.Pid})
	err = errors.Join(err, stop.Close(), child.Wait())
	if err != nil {
		return err
	}
	return sideBySide(outside, inside)
}

// look begins every table with the namespace itself.
func (d demo) look(w where) []fact {
	id, err := namespaces.ID(0, d.kind)
	first := fact{"namespace", or(fmt.Sprintf("%s:[%d]", d.kind.ProcName(), id), err)}
	return append([]fact{first}, d.facts(w)...)
}

// become is the child: it does the demonstration's steps, and then becomes
// this program once more, to tell the facts.
func become(args []string) error {
	if len(args) > 1 && args[0] == "all" {
		return namespaces.Become(allSteps(), args[1:])
	}
	d, err := named(args)
	if err != nil {
		return err
	}
	var steps []namespaces.Step
	if d.steps != nil {
		steps = d.steps(args[1])
	}
	tell := append([]string{"/proc/self/exe", factsArg}, args...)
	if d.fork {
		exe, err := unix.Open("/proc/self/exe", unix.O_PATH, 0) // in sh, /proc/self is sh
		if err != nil {
			return err
		}
		tell[0] = fmt.Sprintf("/proc/self/fd/%d", exe)
		tell = append([]string{"sh", "-c", `("$@"); exit $?`, "sh"}, tell...)
	}
	return namespaces.Become(steps, tell)
}

func tellFacts(args []string) error {
	d, err := named(args)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(d.look(where{id: args[1]})); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func named(args []string) (demo, error) {
	i := slices.IndexFunc(demos, func(d demo) bool { return len(args) == 2 && string(d.kind) == args[0] })
	if i < 0 {
		return demo{}, errUsage
	}
	return demos[i], nil
}

// unprivileged adds a user namespace for whoever needs one to make the others.
func unprivileged(kinds []namespaces.Kind) namespaces.Clone {
	c := namespaces.Clone{New: kinds}
	if os.Geteuid() != 0 && !slices.Contains(kinds, namespaces.User) {
		c.New = append([]namespaces.Kind{namespaces.User}, kinds...)
	}
	if slices.Contains(c.New, namespaces.User) {
		c.UIDMap, c.GIDMap = idMaps("/etc/subuid", os.Geteuid()), idMaps("/etc/subgid", os.Getegid())
	}
	return c
}

// idMaps is the caller as root, and behind it what /etc/subuid or subgid
// grants, if there is a program that can map that.
func idMaps(file string, id int) []namespaces.IDMap {
	maps := []namespaces.IDMap{{Inside: 0, Outside: uint32(id), Count: 1}}
	if os.Geteuid() == 0 {
		return []namespaces.IDMap{{Inside: 0, Outside: 100000, Count: 65536}}
	}
	me, err := user.Current()
	if err != nil {
		return maps
	}
	f, err := os.Open(file)
	if err != nil {
		return maps
	}
	defer f.Close()
	more, err := namespaces.Subordinate(f, me.Username, os.Geteuid())
	if _, e := exec.LookPath("newuidmap"); e != nil || err != nil {
		return maps
	}
	return append(maps, more...)
}

func sideBySide(outside, inside []fact) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "\tOUTSIDE\tINSIDE")
	for i, f := range outside {
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.Name, f.Value, inside[i].Value)
	}
	return w.Flush()
}

// or is value, unless there is an error to show in its place.
func or(value string, err error) string {
	if err != nil {
		return err.Error()
	}
	return value
}
