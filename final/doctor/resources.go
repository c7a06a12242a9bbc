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
	f := Finding{Name: "cgroups", Verdict: Fine}
	s, err := cgroups.Detect()
	if err != nil && !isRoot() && p.hasCgroups() {
		f.Found = "mounted; which groups can be made only root can try"
		return f
	}
	if err != nil {
		f.Verdict, f.Found = Problem, err.Error()
		f.Means, f.Remedy = "nothing can be limited or counted, so no container starts", "mount -t cgroup2 none /sys/fs/cgroup"
		return f
	}
	f.Found = s.Mode()
	for _, h := range s.Hierarchies {
		if isRoot() && unix.Access(h.Base, unix.W_OK) != nil {
			f.Verdict, f.Found = Problem, s.Mode()+", but "+h.Base+" cannot be written to"
			f.Means, f.Remedy = "no group can be made there", "mount it read-write, or have it delegated (systemd: Delegate=yes)"
		}
	}
	return f
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
	f := Finding{Name: "controllers", Verdict: Fine}
	s, err := cgroups.Detect()
	if err != nil && !isRoot() && p.hasCgroups() {
		f.Found = "only root can ask"
		return f
	}
	if err != nil {
		f.Verdict, f.Found, f.Remedy = Problem, "none", "see cgroups"
		return f
	}
	have := s.Controllers()
	f.Found = strings.Join(have, " ")
	var missing []string
	for _, c := range []string{"memory", "cpu", "pids", "cpuset", "devices", "freezer"} {
		if !slices.Contains(have, c) {
			missing = append(missing, c)
		}
	}
	if missing != nil {
		f.Verdict, f.Found = Note, "missing: "+strings.Join(missing, " ")
		f.Means, f.Remedy = "their options (-m, --cpus, --pids-limit …) are refused", "delegate them: /sys/fs/cgroup/cgroup.subtree_control; on a Raspberry Pi cgroup_enable=memory on the kernel's command line"
	}
	return f
}

// layers tries the storage drivers where the layers will be.
func layers(p Patient) Finding {
	f := Finding{Name: "layers", Verdict: Fine}
	dir := existing(p.DataRoot)
	if !isRoot() {
		f.Found = "overlay is not in /proc/filesystems; its module may be loaded when it is needed"
		if strings.Contains(p.read("proc/filesystems"), "overlay") {
			f.Found = "the kernel has overlay; whether it works in " + dir + " only root can try"
		}
		return f
	}
	temp, err := os.MkdirTemp(dir, "cutaway-doctor-")
	if err == nil {
		defer os.RemoveAll(temp)
		var s *unionfs.Store
		if s, err = unionfs.Open(temp, unionfs.Options{}); err == nil {
			f.Found = fmt.Sprintf("%s in %s: %s", s.Driver(), dir, s.Reason())
			if s.Driver() != "overlay" {
				f.Verdict, f.Means, f.Remedy = Note, "containers start slower and take more room than with overlay", "a data root on ext4 or xfs"
			}
			return f
		}
	}
	f.Verdict, f.Found = Problem, err.Error()
	f.Means, f.Remedy = "no image can be unpacked there", "another --data-root, on ext4, xfs or btrfs"
	return f
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
	f := Finding{Name: "disk", Verdict: Fine}
	dir := existing(p.DataRoot)
	if err := unix.Statfs(dir, &st); err != nil {
		f.Verdict, f.Found = Problem, fmt.Sprintf("%s: %v", dir, err)
		return f
	}
	free := int64(st.Bavail) * st.Bsize
	f.Found = fmt.Sprintf("%.1f GB free in %s", float64(free)/1e9, dir)
	switch {
	case free < 100e6:
		f.Verdict, f.Means, f.Remedy = Problem, "not even one image fits", "make room, or another --data-root"
	case free < 2e9:
		f.Verdict, f.Means, f.Remedy = Note, "a few images will fill it", "cutaway rmi what is not needed, or another --data-root"
	}
	return f
}

// inodes run out before the room does where files are small.
func inodes(p Patient) Finding {
	var st unix.Statfs_t
	f := Finding{Name: "inodes", Verdict: Fine, Found: "no fixed number"}
	dir := existing(p.DataRoot)
	if err := unix.Statfs(dir, &st); err != nil || st.Files == 0 {
		return f // btrfs and others make them as needed
	}
	f.Found = fmt.Sprintf("%d free in %s", st.Ffree, dir)
	if st.Ffree < 50000 {
		f.Verdict, f.Means, f.Remedy = Note, "an image of many small files will not fit, though df shows room", "another --data-root; mkfs.ext4 -i makes more of them"
	}
	return f
}

// clock: certificates of registries are not valid in 1970.
func clock(Patient) Finding {
	f := Finding{Name: "clock", Verdict: Fine, Found: time.Now().Format(time.RFC3339)}
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	switch {
	case time.Now().Year() < 2025:
		f.Verdict, f.Means, f.Remedy = Problem, "certificates of registries seem not to be valid yet", "date -s …, or start chrony or systemd-timesyncd"
	case err == nil && state == unix.TIME_ERROR:
		f.Verdict = Fine // nobody keeps it; it looks right all the same
		f.Found += ", not synchronised"
	case err != nil && !errors.Is(err, unix.EPERM):
		f.Found += fmt.Sprintf(" (adjtimex: %v)", err)
	}
	return f
}
