package namespaces_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	namespaces "cutaway/02-namespaces"
	"cutaway/chapters/lab"
)

// threadKinds are those that a thread of a Go process can change.
var threadKinds = []namespaces.Kind{
	namespaces.Mnt, namespaces.UTS, namespaces.IPC, namespaces.PID, namespaces.Cgroup, namespaces.Net,
}

func TestEveryKindHasAFlagAndAFile(t *testing.T) {
	require.Len(t, namespaces.Kinds, 8)
	var all uintptr
	for _, k := range namespaces.Kinds {
		require.NotZero(t, k.Flag(), k)
		require.Zero(t, all&k.Flag(), "%s shares a flag", k)
		all |= k.Flag()
		id, err := namespaces.ID(os.Getpid(), k)
		require.NoError(t, err)
		link, err := os.Readlink("/proc/self/ns/" + k.ProcName())
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("%s:[%d]", k.ProcName(), id), link)
	}
	require.Zero(t, namespaces.Kind("nothing").Flag())
	_, err := namespaces.ID(1<<30, namespaces.UTS)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestCloneMakesExactlyTheNamespacesAskedFor(t *testing.T) {
	for _, k := range append(slices.Clone(threadKinds), namespaces.User) {
		c := namespaces.Clone{New: []namespaces.Kind{k}}
		if k == namespaces.User {
			c.UIDMap, c.GIDMap = ownMap(), ownMap()
		}
		pid := sleeper(t, c)
		for _, other := range namespaces.Kinds {
			ours, err := namespaces.ID(0, other)
			require.NoError(t, err)
			theirs, err := namespaces.ID(pid, other)
			require.NoError(t, err)
			require.Equal(t, other == k, ours != theirs, "clone %s: %s", k, other)
		}
	}
}

func TestCloneMakesRootOfAnotherUsersNumbers(t *testing.T) {
	lab.NeedRoot(t)
	c := namespaces.Clone{
		New:    []namespaces.Kind{namespaces.User},
		UIDMap: []namespaces.IDMap{{Inside: 0, Outside: 100000, Count: 1000}},
		GIDMap: []namespaces.IDMap{{Inside: 0, Outside: 200000, Count: 1000}},
	}
	cmd := exec.Command("sh", "-c", "id -u; id -g; cat /proc/self/setgroups; grep CapEff /proc/self/status")
	cmd.SysProcAttr = c.Attr()
	out, err := cmd.Output()
	require.NoError(t, err)
	words := strings.Fields(string(out))
	require.Equal(t, []string{"0", "0", "allow"}, words[:3])
	require.NotEqual(t, "0000000000000000", words[4])

	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", sleeper(t, c)))
	require.NoError(t, err)
	require.Contains(t, string(status), "Uid:\t100000\t")
	require.Contains(t, string(status), "Gid:\t200000\t")
}

func TestCloneIsUnshareForAShell(t *testing.T) {
	c := namespaces.Clone{
		New:    []namespaces.Kind{namespaces.User, namespaces.Mnt, namespaces.PID},
		UIDMap: []namespaces.IDMap{{Inside: 0, Outside: 1000, Count: 1}, {Inside: 1, Outside: 100000, Count: 65536}},
	}
	require.Equal(t, "unshare --user --mount --pid --map-users 0:1000:1 --map-users 1:100000:65536 --fork", c.String())
}

func TestUnshareChangesOneThread(t *testing.T) {
	for _, k := range threadKinds {
		before, err := namespaces.ID(os.Getpid(), k)
		require.NoError(t, err)
		var inside, child uint64
		err = namespaces.OnThread(func() (err error) {
			if err = (namespaces.Unshare{New: []namespaces.Kind{k}}).Do(); err != nil {
				return err
			}
			if inside, err = namespaces.ID(0, k); err != nil {
				return err
			}
			child, err = idOfChild(k)
			return err
		})
		require.NoError(t, err, k)
		require.NotEqual(t, before, child, k)
		require.Equal(t, k == namespaces.PID, inside == before, "%s: only children are in a new PID namespace", k)
		after, err := namespaces.ID(os.Getpid(), k)
		require.NoError(t, err)
		require.Equal(t, before, after, k)
	}
}

// idOfChild is the ID of the namespace that a new child of this thread is in.
func idOfChild(k namespaces.Kind) (uint64, error) {
	out, err := exec.Command("readlink", "/proc/self/ns/"+k.ProcName()).Output()
	if err != nil {
		return 0, err
	}
	var id uint64
	_, err = fmt.Sscanf(string(out), k.ProcName()+":[%d]", &id)
	return id, err
}

func TestUnshareOfAUserNamespaceIsRefusedToThreads(t *testing.T) {
	err := namespaces.OnThread(namespaces.Unshare{New: []namespaces.Kind{namespaces.User}}.Do)
	require.ErrorIs(t, err, unix.EINVAL)
	require.EqualError(t, err, "unshare --user: invalid argument")
}

func TestJoinEntersTheNamespaceOfAProcess(t *testing.T) {
	pid := sleeper(t, namespaces.Clone{New: threadKinds})
	for _, k := range threadKinds {
		path := fmt.Sprintf("/proc/%d/ns/%s", pid, k.ProcName())
		var got uint64
		err := namespaces.OnThread(func() (err error) {
			if err = (namespaces.Join{Kind: k, Path: path}).Do(); err != nil {
				return err
			}
			if k == namespaces.PID { // its /proc is not ours: look from outside
				return nil
			}
			got, err = namespaces.ID(0, k)
			return err
		})
		require.NoError(t, err, k)
		want, err := namespaces.ID(pid, k)
		require.NoError(t, err)
		if k != namespaces.PID {
			require.Equal(t, want, got, k)
		}
	}
}

func TestJoinChecksTheKind(t *testing.T) {
	err := namespaces.OnThread(namespaces.Join{Kind: namespaces.Net, Path: "/proc/self/ns/uts"}.Do)
	require.ErrorIs(t, err, unix.EINVAL)
	err = namespaces.OnThread(namespaces.Join{Kind: namespaces.Net, Path: "/proc/self/status"}.Do)
	require.ErrorIs(t, err, unix.EINVAL)
	require.ErrorContains(t, err, "setns network /proc/self/status")
	require.ErrorIs(t, namespaces.Join{Kind: namespaces.Net, Path: "/proc/self/ns/none"}.Do(), os.ErrNotExist)
	require.Equal(t, "nsenter --net=/run/netns/a", namespaces.Join{Kind: namespaces.Net, Path: "/run/netns/a"}.String())
}

// The bug that put other engines' containers on the host's network: a
// goroutine that moves to a thread which was left in another namespace.
func TestNoGoroutineIsEverInAJoinedNamespaceByAccident(t *testing.T) {
	home, err := namespaces.ID(os.Getpid(), namespaces.Net)
	require.NoError(t, err)
	path := fmt.Sprintf("/proc/%d/ns/net", sleeper(t, namespaces.Clone{New: []namespaces.Kind{namespaces.Net}}))
	away, err := inode(path)
	require.NoError(t, err)

	var wg sync.WaitGroup
	errs := make(chan error, 400)
	check := func(want uint64) error {
		for range 50 {
			if id, err := namespaces.ID(0, namespaces.Net); err != nil || id != want {
				return fmt.Errorf("in %d, not %d: %w", id, want, err)
			}
		}
		return nil
	}
	for range 200 {
		wg.Go(func() {
			errs <- namespaces.OnThread(func() error {
				if err := (namespaces.Join{Kind: namespaces.Net, Path: path}).Do(); err != nil {
					return err
				}
				return check(away)
			})
		})
		wg.Go(func() { errs <- check(home) })
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
}

// lostChild has the bug: a thread that is in another namespace is unlocked,
// and some goroutine that knows nothing of it runs there.
func lostChild([]string) error {
	home, err := namespaces.ID(0, namespaces.Net)
	if err != nil {
		return err
	}
	unshared := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_NEWNET)
		runtime.UnlockOSThread() // "we are done with it"
		unshared <- err
	}()
	if err := <-unshared; err != nil {
		return err
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		here := make(chan uint64)
		go func() { id, _ := namespaces.ID(0, namespaces.Net); here <- id }()
		if <-here != home {
			return nil
		}
	}
	return errors.New("no goroutine was lost")
}

func TestUnlockedThreadTakesAStrangerAlong(t *testing.T) {
	out, err := child("lost").CombinedOutput()
	require.NoError(t, err, "the bug must bite: %s", out)
}

func inode(path string) (uint64, error) {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	return st.Ino, err
}

func TestOnThreadIsNeverTheMainThread(t *testing.T) {
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			require.EqualError(t, namespaces.OnThread(func() error {
				if unix.Gettid() == unix.Getpid() {
					return fmt.Errorf("on the main thread")
				}
				return fmt.Errorf("elsewhere")
			}), "elsewhere")
		})
	}
	wg.Wait()
}
