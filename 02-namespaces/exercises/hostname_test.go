package exercises

import (
	"os"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	namespaces "cutaway/02-namespaces"
	"cutaway/chapters/exercise"
)

// names are what a UTS namespace holds, and which one it is.
type names struct{ Host, Domain, Before, After string }

// hostname sets the name of the namespace in which it was born.
func hostname(args []string) (any, error) {
	runtime.LockOSThread()
	var saw names
	saw.Before, _ = os.Readlink("/proc/thread-self/ns/uts")
	err := namespaces.Hostname{Name: args[0]}.Do()
	saw.After, _ = os.Readlink("/proc/thread-self/ns/uts")
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return nil, err
	}
	saw.Host, saw.Domain = unix.ByteSliceToString(u.Nodename[:]), unix.ByteSliceToString(u.Domainname[:])
	return saw, err
}

func gradeHostname(g *exercise.G) {
	attr := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUTS}
	domain := g.Read("/proc/sys/kernel/domainname")
	name := exercise.Word("box")
	p := g.Start(exercise.Child{Role: "hostname", Args: []string{name}, Attr: attr})
	g.NoError(p.Err, "sethostname(2) takes bytes.")
	var saw names
	p.Saw(&saw)
	hint := "uname(2) tells the name still as it was."
	if saw.Domain == name {
		hint = "You set the other name, the domain's."
	}
	g.Check(exercise.Check{Name: "hostname", Want: name, Got: saw.Host, Hint: hint})
	g.Check(exercise.Check{Name: "domain name", Want: domain, Got: saw.Domain, Hint: "There are two names in a UTS namespace; this one is not ours to set."})
	g.Check(exercise.Check{
		Name: "namespace", Want: saw.Before, Got: saw.After,
		Hint: "The container's other processes are in the namespace where you were, and see the old name.",
	})
	p = g.Start(exercise.Child{Role: "hostname", Args: []string{strings.Repeat("x", 65)}, Attr: attr})
	g.Fails(p.Err, unix.EINVAL, "a name has at most 64 bytes")
}
