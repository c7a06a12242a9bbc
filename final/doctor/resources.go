package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	cgroups "cutaway/03-cgroups"
	unionfs "cutaway/04-unionfs"

	"golang.org/x/sys/unix"
)

// cgroupMode: all three work; none does not.
func cgroupMode(p Patient) Finding {
	s, err := cgroups.Detect()
	switch {
	case err != nil && !isRoot() && p.hasCgroups():
		return fine("mounted; which groups can be made only root can try")
	case err != nil:
		return problem(err.Error(), "nothing can be limited or counted, so no container starts", "mount -t cgroup2 none /sys/fs/cgroup")
	}
	for _, h := range s.Hierarchies {
		if isRoot() && unix.Access(h.Base, unix.W_OK) != nil {
			return problem(s.Mode()+", but "+h.Base+" cannot be written to", "no group can be made there",
				"mount it read-write, or have it delegated (systemd: Delegate=yes)")
		}
	}
	return fine(s.Mode())
}

// hasCgroups tells whether a hierarchy is mounted, writable or not. The type
// stands behind the dash:
//
//	31 23 0:28 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw
func (p Patient) hasCgroups() bool {
	return strings.Contains(p.read("proc/self/mountinfo"), " - cgroup")
}

// cgroupControllers: without one, its options are errors.
func cgroupControllers(p Patient) Finding {
	s, err := cgroups.Detect()
	switch {
	case err != nil && !isRoot() && p.hasCgroups():
		return fine("only root can ask")
	case err != nil:
		return problem("none", "", "see cgroups")
	}
	have := s.Controllers()
	var missing []string
	for _, c := range []string{"memory", "cpu", "pids", "cpuset", "devices", "freezer"} {
		if !slices.Contains(have, c) {
			missing = append(missing, c)
		}
	}
	if missing != nil {
		return note("missing: "+strings.Join(missing, " "), "their options (-m, --cpus, --pids-limit …) are refused",
			"delegate them: /sys/fs/cgroup/cgroup.subtree_control; on a Raspberry Pi cgroup_enable=memory on the kernel's command line")
	}
	return fine(strings.Join(have, " "))
}

// layers tries the storage drivers where the layers will be.
func layers(p Patient) Finding {
	dir := existing(p.DataRoot)
	switch {
	case !isRoot() && strings.Contains(p.read("proc/filesystems"), "overlay"):
		return fine("the kernel has overlay; whether it works in " + dir + " only root can try")
	case !isRoot():
		return fine("overlay is not in /proc/filesystems; its module may be loaded when it is needed")
	}
	var s *unionfs.Store
	temp, err := os.MkdirTemp(dir, "cutaway-doctor-")
	if err == nil {
		defer os.RemoveAll(temp)
		s, err = unionfs.Open(temp, "")
	}
	if err != nil {
		return problem(err.Error(), "no image can be unpacked there", "another --data-root, on ext4, xfs or btrfs")
	}
	found := fmt.Sprintf("%s in %s: %s", s.Driver(), dir, s.Reason())
	if s.Driver() != "overlay" {
		return note(found, "containers start slower and take more room than with overlay", "a data root on ext4 or xfs")
	}
	return fine(found)
}

// existing is the nearest directory upwards that is there.
func existing(dir string) string {
	for !exists("/", dir) && dir != "/" {
		dir = filepath.Dir(dir)
	}
	return dir
}

// disk is the room for layers.
func disk(p Patient) Finding {
	var st unix.Statfs_t
	dir := existing(p.DataRoot)
	if err := unix.Statfs(dir, &st); err != nil {
		return problem(fmt.Sprintf("%s: %v", dir, err), "", "")
	}
	free := int64(st.Bavail) * st.Bsize
	found := fmt.Sprintf("%.1f GB free in %s", float64(free)/1e9, dir)
	switch {
	case free < 100e6:
		return problem(found, "not even one image fits", "make room, or another --data-root")
	case free < 2e9:
		return note(found, "a few images will fill it", "cutaway rmi what is not needed, or another --data-root")
	}
	return fine(found)
}

// inodes run out before the room does where files are small.
func inodes(p Patient) Finding {
	var st unix.Statfs_t
	dir := existing(p.DataRoot)
	if err := unix.Statfs(dir, &st); err != nil || st.Files == 0 {
		return fine("no fixed number") // btrfs and others make them as needed
	}
	found := fmt.Sprintf("%d free in %s", st.Ffree, dir)
	if st.Ffree < 50000 {
		return note(found, "an image of many small files will not fit, though df shows room", "another --data-root; mkfs.ext4 -i makes more of them")
	}
	return fine(found)
}

// clock: certificates of registries are not valid in 1970.
func clock(Patient) Finding {
	found := time.Now().Format(time.RFC3339)
	if time.Now().Year() < 2025 {
		return problem(found, "certificates of registries seem not to be valid yet", "date -s …, or start chrony or systemd-timesyncd")
	}
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	switch {
	case err == nil && state == unix.TIME_ERROR: // nobody keeps it; it looks right all the same
		found += ", not synchronised"
	case err != nil && !errors.Is(err, unix.EPERM):
		found += fmt.Sprintf(" (adjtimex: %v)", err)
	}
	return fine(found)
}
