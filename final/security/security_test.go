package security

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestTheBoundingSetKeepsWhatIsNamed(t *testing.T) {
	status, err := onThread(t, Bounding{Keep: []string{"CAP_CHOWN", "CAP_KILL"}}.Do)
	require.NoError(t, err)
	require.Equal(t, "0000000000000021", status["CapBnd"])
}

func TestCapabilitiesAreExactlyThose(t *testing.T) {
	status, err := onThread(t, Capabilities{Effective: Default, Permitted: Default}.Do)
	require.NoError(t, err)
	require.Equal(t, "00000000a80425fb", status["CapEff"], "Docker's fourteen")
	require.Equal(t, "00000000a80425fb", status["CapPrm"])
	require.Equal(t, "0000000000000000", status["CapInh"])
}

func TestAmbientCapabilitiesSurviveForAnotherUser(t *testing.T) {
	one := []string{"CAP_NET_BIND_SERVICE"}
	status, err := onThread(t, Capabilities{Effective: one, Permitted: one, Inheritable: one, Ambient: one}.Do)
	require.NoError(t, err)
	require.Equal(t, "0000000000000400", status["CapAmb"])
}

func TestNoNewPrivileges(t *testing.T) {
	status, err := onThread(t, NoNewPrivileges{}.Do)
	require.NoError(t, err)
	require.Equal(t, "1", status["NoNewPrivs"])
}

func TestAResourceLimitIsSet(t *testing.T) {
	var before unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_CORE, &before))
	t.Cleanup(func() { _ = unix.Setrlimit(unix.RLIMIT_CORE, &before) })
	require.NoError(t, Rlimit{Type: "RLIMIT_CORE", Soft: 0, Hard: before.Max}.Do())
	var now unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_CORE, &now))
	require.Equal(t, unix.Rlimit{Cur: 0, Max: before.Max}, now)
	require.ErrorContains(t, Rlimit{Type: "RLIMIT_FUN"}.Do(), "RLIMIT_FUN")
}

func TestAnOOMScoreIsSet(t *testing.T) {
	for _, adjust := range []int{300, 500} { // raising needs no privilege
		require.NoError(t, OOMScore{Adjust: adjust}.Do())
		now, err := os.ReadFile(oomScoreFile)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintln(adjust), string(now))
	}
	require.ErrorIs(t, OOMScore{Adjust: 5000}.Do(), unix.EINVAL)
}

func TestTweak(t *testing.T) {
	for _, row := range []struct {
		name      string
		add, drop []string
		want      []string // of CHOWN KILL SYS_ADMIN with the base CHOWN KILL
	}{
		{"nothing", nil, nil, []string{"CAP_CHOWN", "CAP_KILL"}},
		{"one more", []string{"sys_admin"}, nil, []string{"CAP_CHOWN", "CAP_KILL", "CAP_SYS_ADMIN"}},
		{"one less", nil, []string{"CAP_CHOWN"}, []string{"CAP_KILL"}},
		{"none", nil, []string{"ALL"}, nil},
		{"none but one", []string{"CHOWN"}, []string{"all"}, []string{"CAP_CHOWN"}},
	} {
		got, err := Tweak([]string{"CAP_CHOWN", "CAP_KILL"}, row.add, row.drop)
		require.NoError(t, err)
		require.Equal(t, row.want, got, row.name)
	}
	all, err := Tweak(nil, []string{"ALL"}, []string{"KILL"})
	require.NoError(t, err)
	require.Len(t, all, len(names)-1)
	_, err = Tweak(nil, []string{"FLY"}, nil)
	require.ErrorContains(t, err, "FLY")
}

func TestUserNames(t *testing.T) {
	// The host's files; root and daemon are in every /etc/passwd.
	root, err := lookup("", nil)
	require.NoError(t, err)
	require.Zero(t, root.UID)
	require.Equal(t, "/root", root.Home)
	for _, row := range []struct {
		spec     string
		uid, gid int
	}{
		{"root", 0, 0}, {"0:0", 0, 0}, {"4242", 4242, 0}, {"4242:17", 4242, 17}, {"daemon:4", 1, 4},
	} {
		who, err := lookup(row.spec, nil)
		require.NoError(t, err, row.spec)
		require.Equal(t, []int{row.uid, row.gid}, []int{who.UID, who.GID}, row.spec)
		require.Contains(t, who.Groups, row.gid)
	}
	more, err := lookup("4242", []string{"7", "daemon"})
	require.NoError(t, err)
	require.Subset(t, more.Groups, []int{7, 1})
	for _, bad := range []string{"no-such", "root:no-such", "-1", "99999999999"} {
		_, err := lookup(bad, nil)
		require.ErrorContains(t, err, "unable to find", bad)
	}
}
