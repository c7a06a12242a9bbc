package cgroups

import "golang.org/x/sys/unix"

// freezeAndGo does not wait.
//
// Caught by: frozen
func (g Group) freezeAndGo(on bool) error { return g.writeFreezer(on) }

// freezeBySignal stops the processes, as everybody could see who waits for them.
//
// Caught by: frozen
func (g Group) freezeBySignal(on bool) error {
	pids, err := g.Procs()
	for _, pid := range pids {
		_ = unix.Kill(pid, map[bool]unix.Signal{true: unix.SIGSTOP, false: unix.SIGCONT}[on])
	}
	return err
}

// freezeAlways knows only one direction.
//
// Caught by: thawed
func (g Group) freezeAlways(bool) error {
	return retry(func() (bool, error) {
		if err := g.writeFreezer(true); err != nil {
			return false, err
		}
		return g.Frozen()
	}, "freeze %q", g.Paths...)
}
