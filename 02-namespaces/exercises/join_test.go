package exercises

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	namespaces "cutaway/02-namespaces"
	"cutaway/chapters/exercise"
)

// joinable are the kinds that a thread of a Go process can join; the mounts last, for they may have another /proc.
var joinable = []namespaces.Kind{namespaces.UTS, namespaces.IPC, namespaces.Net, namespaces.Cgroup, namespaces.PID, namespaces.Mnt}

// join joins a namespace, and says on which thread.
func join(args []string) (any, error) {
	runtime.LockOSThread()
	return unix.Gettid(), namespaces.Join{Kind: namespaces.Kind(args[0]), Path: args[1]}.Do()
}

// container is a process in namespaces of its own.
func container(g *exercise.G) int {
	g.Helper()
	flags := uintptr(0)
	for _, k := range joinable {
		flags |= k.Flag()
	}
	pid, err := sleeper(g, &syscall.SysProcAttr{Cloneflags: flags})
	g.Must(err)
	return pid
}

func gradeJoin(g *exercise.G) {
	pid := container(g)
	for _, k := range joinable {
		path := fmt.Sprintf("/proc/%d/ns/%s", pid, k.ProcName())
		p := g.Start(exercise.Child{Role: "join", Args: []string{string(k), path}})
		hint := "The errno is one of setns(2)'s."
		if k == namespaces.Mnt {
			hint = "setns(2): a thread that shares its root and working directory with others, as all of a Go process do, cannot join a mount namespace. One call ends the sharing."
		}
		g.NoError(p.Err, hint)
		var tid int
		p.Saw(&tid)
		file := k.ProcName()
		if k == namespaces.PID {
			file = "pid_for_children"
		}
		g.Check(exercise.Check{Name: "namespace", Want: g.Link(path), Got: g.Link(p.Proc(fmt.Sprintf("task/%d/ns/%s", tid, file))),
			Hint: "Two threads share a namespace exactly if the numbers are equal: a new one is not the container's."})
		g.Check(exercise.Check{Name: "descriptors", Want: "none is of a namespace", Got: openNamespaces(g, p.Proc("fd")),
			Hint: "An open descriptor keeps a namespace alive when its last process has gone, and every program that is started inherits it."})
	}
	p := g.Start(exercise.Child{Role: "join", Args: []string{string(namespaces.Net), fmt.Sprintf("/proc/%d/ns/uts", pid)}})
	g.Fails(p.Err, unix.EINVAL, "a uts namespace is no network namespace: setns(2) compares, if it is told what to expect")
	p = g.Start(exercise.Child{Role: "join", Args: []string{string(namespaces.Net), "/run/" + exercise.Word("none")}})
	g.Fails(p.Err, unix.ENOENT, "there is no such file")
}

// openNamespaces says which of a process's descriptors are of namespaces.
func openNamespaces(g *exercise.G, dir string) string {
	var all []string
	for _, fd := range g.Names(dir) {
		if to, err := os.Readlink(filepath.Join(dir, fd)); err == nil && strings.Contains(to, ":[") && !strings.HasPrefix(to, "pipe:") &&
			!strings.HasPrefix(to, "socket:") && !strings.HasPrefix(to, "anon_inode:") {
			all = append(all, to)
		}
	}
	if all == nil {
		return "none is of a namespace"
	}
	return strings.Join(all, ", ")
}

// threads is what was seen of OnThread.
type threads struct {
	Inside, Outside string // the network namespace, for f and for the caller afterwards
	Strangers       int    // goroutines that were started later and ran elsewhere than at home
	Error           string
}

// thread joins a network namespace, several times, and then looks where others are.
func thread(args []string) (any, error) {
	var saw threads
	home := here()
	for range 20 {
		var err error
		fromFirstThread(func() {
			err = namespaces.OnThread(func() error {
				if err := (namespaces.Join{Kind: namespaces.Net, Path: args[0]}).Do(); err != nil {
					return err
				}
				saw.Inside = here()
				return nil
			})
			saw.Outside = here()
		})
		if err != nil {
			return saw, err
		}
	}
	saw.Strangers = strangers(home)
	if err := namespaces.OnThread(func() error { return fmt.Errorf("%s", args[1]) }); err != nil {
		saw.Error = err.Error()
	}
	return saw, nil
}

func here() string {
	to, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return err.Error()
	}
	return to
}

// onThreads puts many goroutines on a thread each, all at once, so that every thread that is idle is used, and calls f on them.
func onThreads(f func()) {
	var all, met sync.WaitGroup
	const many = 40
	met.Add(many)
	for range many {
		all.Go(func() {
			runtime.LockOSThread()
			met.Done()
			met.Wait()
			runtime.UnlockOSThread()
			f()
		})
	}
	all.Wait()
}

// fromFirstThread calls f on the process's first thread, where a new goroutine of f's is likely to run, too; or elsewhere, if that
// thread is not to be had.
func fromFirstThread(f func()) {
	var once sync.Once
	onThreads(func() {
		if unix.Gettid() == unix.Getpid() {
			once.Do(f)
		}
	})
	once.Do(f)
}

// strangers counts the threads that are not where they should be.
func strangers(home string) int {
	var n atomic.Int64
	onThreads(func() {
		if here() != home {
			n.Add(1)
		}
	})
	return int(n.Load())
}

func gradeThread(g *exercise.G) {
	path := fmt.Sprintf("/proc/%d/ns/net", container(g))
	home, word := here(), exercise.Word("error")
	p := g.Start(exercise.Child{Role: "thread", Args: []string{path, word}})
	g.NoError(p.Err, "")
	var saw threads
	p.Saw(&saw)
	g.Check(exercise.Check{Name: "inside", Want: g.Link(path), Got: saw.Inside, Hint: "Was f called, and once it was, on one thread until its end?"})
	hint := "/proc/PID is about the first thread of the process, and f ran there. It is the one thread that cannot end before the process."
	if saw.Outside != home {
		hint = "f ran on the thread of whoever called OnThread, who is in the container's namespace now."
	}
	g.Check(exercise.Check{Name: "first thread", Want: home, Got: g.Link(p.Proc("ns/net")), Hint: hint})
	g.Check(exercise.Check{Name: "strangers", Want: "0 elsewhere", Got: fmt.Sprint(saw.Strangers, " elsewhere"),
		Hint: "A thread that joined the container went back among the idle ones, and goroutines that know nothing of it ran there. When does the runtime end a thread?"})
	g.Check(exercise.Check{Name: "caller", Want: home, Got: saw.Outside, Hint: "The caller itself is in the container's namespace."})
	g.Check(exercise.Check{Name: "told error", Want: word, Got: saw.Error, Hint: "What f returns, OnThread returns."})
}
