package security

import (
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// User changes from root to the user that the image or the command line names,
// as the container's own /etc/passwd and /etc/group know it; so it is done
// after the root was changed.
//
// Name is "user", "user:group", or numbers in place of either, as for docker
// run --user; "" is root. A number needs no entry in the files. Groups are more
// of them, by name or number. The standard streams are given to the user, so
// that a program can open /dev/stderr again. Capabilities are kept for the step
// that follows.
//
// Man page: setuid(2), setgroups(2), PR_SET_KEEPCAPS(2const)
type User struct {
	Name   string
	Groups []string
	Umask  int // permission bits
}

// identity is a user in numbers.
type identity struct {
	UID, GID int
	Groups   []int
	Home     string
}

// Do looks the names up and changes the calling thread's user.
//
// The raw system calls are meant: those of package syscall change all threads,
// and this one is the only one that execve will leave.
func (u User) Do() error {
	who, err := lookup(u.Name, u.Groups)
	if err != nil {
		return err
	}
	for fd := range 3 {
		// EINVAL and EPERM: somebody else's file, or one that has no owner.
		if err := unix.Fchown(fd, who.UID, who.GID); err != nil && err != unix.EINVAL && err != unix.EPERM && err != unix.EROFS {
			return &os.PathError{Op: "fchown", Path: fmt.Sprintf("/dev/fd/%d", fd), Err: err}
		}
	}
	unix.Umask(u.Umask)
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	if err := setGroups(who.Groups); err != nil {
		return err
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESGID, uintptr(who.GID), uintptr(who.GID), uintptr(who.GID)); e != 0 {
		return os.NewSyscallError("setresgid", e)
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(who.UID), uintptr(who.UID), uintptr(who.UID)); e != 0 {
		return os.NewSyscallError("setresuid", e)
	}
	// For plan.Exec, if the container's environment has no HOME.
	return os.Setenv("HOME", who.Home)
}

// String is setpriv(1), which starts a shell.
func (u User) String() string {
	name, group, _ := strings.Cut(u.Name, ":")
	if name == "" {
		name = "0"
	}
	switch {
	case group == "" && name == "0":
		group = "0"
	case group == "":
		group = `"$(id -g ` + name + `)"`
	}
	groups := "--init-groups"
	if len(u.Groups) > 0 {
		groups = "--groups=" + strings.Join(u.Groups, ",")
	}
	return fmt.Sprintf("setpriv --reuid=%s --regid=%s %s bash", name, group, groups)
}

// lookup finds the numbers, as Docker does (moby/sys/user, GetExecUser).
func lookup(spec string, more []string) (identity, error) {
	name, group, hasGroup := strings.Cut(spec, ":")
	if name == "" {
		name = "0"
	}
	who := identity{Home: "/"}
	account, err := user.Lookup(name)
	if err != nil {
		account, err = user.LookupId(name)
	}
	if err != nil {
		n, numeric := number(name)
		if !numeric {
			return who, fmt.Errorf("unable to find user %s: no matching entries in passwd file", name)
		}
		who.UID = n
	} else {
		who.UID, _ = strconv.Atoi(account.Uid)
		who.GID, _ = strconv.Atoi(account.Gid)
		who.Home = account.HomeDir
	}
	if hasGroup && group != "" {
		who.GID, err = groupID(group)
		if err != nil {
			return who, err
		}
	} else if account != nil {
		// An unreadable or absent /etc/group only means no more groups.
		ids, _ := account.GroupIds()
		for _, id := range ids {
			if n, ok := number(id); ok {
				who.Groups = append(who.Groups, n)
			}
		}
	}
	for _, g := range more {
		n, err := groupID(g)
		if err != nil {
			return who, err
		}
		who.Groups = append(who.Groups, n)
	}
	if !slices.Contains(who.Groups, who.GID) {
		who.Groups = append(who.Groups, who.GID)
	}
	return who, nil
}

func groupID(name string) (int, error) {
	if g, err := user.LookupGroup(name); err == nil {
		name = g.Gid
	}
	if n, ok := number(name); ok {
		return n, nil
	}
	return 0, fmt.Errorf("unable to find group %s: no matching entries in group file", name)
}

// number reads a user or group number: 0 to 2³¹-1, as Docker allows.
func number(s string) (int, bool) {
	n, err := strconv.ParseInt(s, 10, 32)
	return int(n), err == nil && n >= 0
}

// setGroups is setgroups(2) for the calling thread only.
func setGroups(groups []int) error {
	list := make([]uint32, len(groups)+1) // one more, so that it has an address
	for i, g := range groups {
		list[i] = uint32(g)
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(&list[0])), 0); e != 0 {
		return os.NewSyscallError("setgroups", e)
	}
	return nil
}
