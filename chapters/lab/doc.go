// Package lab is where this repository's tests run: namespaces of their own in front, a search for
// leftovers behind.
//
// A test of a container engine mounts, clones and adds network links. It must not do that to the machine it
// runs on, and it must not leave anything behind. So TestMain hands over to lab:
//
//	func TestMain(m *testing.M) { lab.Main(m, lab.Root) }
//
// and what happens is
//
//	go test ──► test binary             the "outside" stage: clones …
//	              └► test binary, PID 1   the "first" stage: private mounts, fresh /proc, lo up, reaps orphans
//	                   └► test binary     the "inside" stage: m.Run(), then the search for leftovers
//
// All three are the same file, executed again ([os.Executable]); the environment variable CUTAWAY_LAB tells them
// apart. PID 1 of a PID namespace takes every other process with it when it ends, so whatever a test left running
// dies with the test.
//
// # Vocabulary
//
// A mode says how far from the host a package's tests are kept ([Plain], [Sandbox], [Root], [RootOrSandbox]). A tier is what
// the caller promised: CUTAWAY_TIER=root, as "make test" sets it, turns every skip for want of root or of an
// installed program into a failure. A leak is a descriptor, mount, cgroup, link or process that was not there before
// m.Run and is there afterwards; leaks fail the run.
//
// # Not guaranteed
//
// The file system is the host's: a test writes under t.TempDir only. In Root mode cgroups and kernel modules are
// the host's too; name cgroups by [CgroupName] so that they can be told from everybody else's. A descriptor that the
// garbage collector would have closed later counts as a leak.
package lab
