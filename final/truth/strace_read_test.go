package truth

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestATraceIsReadAlsoWhereCallsOverlap(t *testing.T) {
	file := filepath.Join(t.TempDir(), "trace")
	require.NoError(t, os.WriteFile(file, []byte(`41    mount("proc", "/proc/self/fd/9", "proc", MS_NOSUID, NULL <unfinished ...>
42    write(5</a (b), "c">, "x, \"y\") = 3\n\0012\\n", 12) = 12
43    execve("/bin/sh", ["sh", "-c", "exit 0"], ["A=)"] <unfinished ...>
41    <... mount resumed>)              = 0
41    read(3<socket:[1]>,  <unfinished ...>
41    +++ superseded by execve in pid 43 +++
41    <... execve resumed>)             = 0
44    openat(AT_FDCWD</>, "/none", O_RDONLY) = -1 ENOENT (No such file or directory)
45    futex(0x1, FUTEX_WAIT <unfinished ...>
45    <... futex resumed>)              = ?
45    +++ exited with 0 +++
46    capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=1<<CAP_CHOWN|1<<CAP_KILL, permitted=0, inheritable=0}) = 0
`), 0o600))
	calls := parse(t, file)
	require.Len(t, calls, 6)
	write, mount, exec, open, gone, capset := calls[0], calls[1], calls[2], calls[3], calls[4], calls[5]
	require.Equal(t, []string{`5</a (b), "c">`, `"x, \"y\") = 3\n\0012\\n"`, "12"}, write.args)
	require.Equal(t, "x, \"y\") = 3\n\x012\\n", text(write.arg(1)))
	number, path := descriptor(write.arg(0))
	require.Equal(t, [2]string{"5", `/a (b), "c"`}, [2]string{number, path})
	require.Equal(t, call{41, "mount", []string{`"proc"`, `"/proc/self/fd/9"`, `"proc"`, "MS_NOSUID", "NULL"}, "0", 4}, mount)
	require.Equal(t, []any{41, "execve", "0"}, []any{exec.pid, exec.name, exec.ret}, "a thread that calls execve is the process from there on")
	require.False(t, open.ok())
	require.False(t, gone.ok())
	require.Len(t, capset.args, 2)
}
