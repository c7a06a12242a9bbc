package exercises

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	namespaces "cutaway/02-namespaces"
	"cutaway/chapters/exercise"
	"cutaway/chapters/lab"
)

// idMaps are a process's files about users.
type idMaps struct{ UID, GID, Setgroups string }

// maps is somebody who is not root, and maps its own numbers for a child of its own.
func maps([]string) (any, error) {
	cmd := exec.Command("cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, Pdeathsig: unix.SIGKILL}
	stop, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	err = namespaces.Maps{
		PID:    cmd.Process.Pid,
		UIDMap: []namespaces.IDMap{{Inside: 0, Outside: uint32(os.Geteuid()), Count: 1}},
		GIDMap: []namespaces.IDMap{{Inside: 0, Outside: uint32(os.Getegid()), Count: 1}},
	}.Do()
	saw := idMaps{}
	for name, to := range map[string]*string{"uid_map": &saw.UID, "gid_map": &saw.GID, "setgroups": &saw.Setgroups} {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, name))
		*to = fields(string(text))
	}
	stop.Close()
	_ = cmd.Wait()
	return saw, err
}

func gradeMaps(g *exercise.G) {
	lab.NeedRoot(g.T)
	pid, err := sleeper(g, &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER})
	g.Must(err)
	a, b := uint32(exercise.Number(1000, 2000)), uint32(exercise.Number(100000, 200000))
	err = namespaces.Maps{
		PID:    pid,
		UIDMap: []namespaces.IDMap{{Inside: 0, Outside: a, Count: 1}, {Inside: 1, Outside: b, Count: 1000}},
		GIDMap: []namespaces.IDMap{{Inside: 0, Outside: a + 1, Count: 1}, {Inside: 1, Outside: b + 1, Count: 2000}},
	}.Do()
	g.NoError(err, "A map is written once: all lines in one write(2). The kernel takes no second one.")
	proc := fmt.Sprintf("/proc/%d", pid)
	g.Check(exercise.Check{Name: "uid_map", Want: fmt.Sprintf("0 %d 1 1 %d 1000", a, b), Got: fields(g.Read(filepath.Join(proc, "uid_map"))),
		Hint: "A line is: first number inside, first number outside, how many. All lines go in one write(2), for the kernel refuses a second. Users and groups have a file each."})
	g.Check(exercise.Check{Name: "gid_map", Want: fmt.Sprintf("0 %d 1 1 %d 2000", a+1, b+1), Got: fields(g.Read(filepath.Join(proc, "gid_map"))),
		Hint: "A line is: first number inside, first number outside, how many. Users and groups have a file each."})
	g.Check(exercise.Check{Name: "setgroups", Want: "allow", Got: g.Read(filepath.Join(proc, "setgroups")),
		Hint: "Root need not give setgroups(2) up, and the container's login programs call it."})

	me := uint32(exercise.Number(2000, 60000))
	p := g.Start(exercise.Child{Role: "maps", Attr: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: me, Gid: me + 1}}})
	var saw idMaps
	p.Saw(&saw)
	if p.Err != nil {
		g.Check(exercise.Check{Name: "a user's own map", Want: "no error", Got: p.Err,
			Hint: "Somebody who is not root may map its own group only after saying that it will not leave other groups: CVE-2014-8989. A file says it."})
	}
	g.Check(exercise.Check{Name: "a user's own map", Want: fmt.Sprintf("0 %d 1, 0 %d 1, deny", me, me+1), Got: saw.UID + ", " + saw.GID + ", " + saw.Setgroups,
		Hint: "This time it was no root who asked."})
}
