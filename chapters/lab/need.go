package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// These are the only ways to skip a test. Each says in the test's output what was missing, and each is a
// failure where its reason cannot be true.

// NeedKernel skips the test on a kernel older than version ("5.11"); why names what came with that version.
func NeedKernel(t testing.TB, version, why string) {
	t.Helper()
	if older(version) {
		t.Skipf("needs Linux %s (%s), this is %s", version, why, release())
	}
}

// NeedRoot skips the test when it does not run with the user ID 0 of the host; being root in a sandbox is not
// enough. With CUTAWAY_TIER=root it fails instead.
func NeedRoot(t testing.TB) {
	t.Helper()
	if hostRoot() {
		return
	}
	if promisedRoot() {
		t.Fatalf("%s=root was promised, but the test runs as user %d or in a user namespace", tierVar, os.Geteuid())
	}
	t.Skip("needs root: run make test, or go test with sudo")
}

// NeedProgram skips the test when a program is not installed. "make test" installs what tests need, so with
// CUTAWAY_TIER=root it fails instead.
func NeedProgram(t testing.TB, name string) {
	t.Helper()
	_, err := exec.LookPath(name)
	switch {
	case err == nil:
	case promisedRoot():
		t.Fatalf("%s=root was promised, but %s is not installed", tierVar, name)
	default:
		t.Skipf("needs the program %s: run make test", name)
	}
}

// NeedSupport skips the test when err says that this kernel cannot do what the test is about: ENOSYS, ENODEV,
// EOPNOTSUPP, ENOENT or EINVAL. Any other error fails it; and so does any error at all on a kernel that is not
// older than version, which names the first one that always can ("" = depends on how the kernel was built).
func NeedSupport(t testing.TB, err error, version string) {
	t.Helper()
	if err == nil {
		return
	}
	for _, errno := range []error{unix.ENOSYS, unix.ENODEV, unix.EOPNOTSUPP, unix.ENOENT, unix.EINVAL} {
		if errors.Is(err, errno) && (version == "" || older(version)) {
			t.Skipf("Linux %s cannot do this: %v", release(), err)
		}
	}
	t.Fatalf("Linux %s should be able to do this: %v", release(), err)
}

// promisedRoot reports whether the caller said that everything the tests need is there.
func promisedRoot() bool { return os.Getenv(tierVar) == "root" }

// hostRoot reports whether this process is root in the initial user namespace: true for root on the host and in Root
// mode, false in a sandbox. The inode number is the same on every kernel, PROC_USER_INIT_INO in linux/proc_ns.h.
func hostRoot() bool {
	target, err := os.Readlink("/proc/self/ns/user")
	return err == nil && target == "user:[4026531837]" && os.Geteuid() == 0
}

// older reports whether the running kernel is older than version, which is like "5.11".
func older(version string) bool {
	var want, have [2]int
	_, err := fmt.Sscanf(version, "%d.%d", &want[0], &want[1])
	must(err)
	_, err = fmt.Sscanf(release(), "%d.%d", &have[0], &have[1])
	must(err)
	return have[0] < want[0] || have[0] == want[0] && have[1] < want[1]
}

// release is the version of the running kernel, uname(2).
func release() string {
	var u unix.Utsname
	must(unix.Uname(&u))
	return strings.TrimSpace(unix.ByteSliceToString(u.Release[:]))
}
