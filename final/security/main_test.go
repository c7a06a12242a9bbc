package security

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"cutaway/chapters/lab"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { lab.Main(m, lab.Sandbox) }

// onThread runs fn on a thread that dies with it, and returns what the kernel
// says of that thread.
func onThread(t *testing.T, fn func() error) (status map[string]string, err error) {
	t.Helper()
	done := make(chan error)
	var text []byte
	go func() {
		runtime.LockOSThread() // and never unlocked
		err := fn()
		// The thread may not read its own file any more, having become another user.
		text, _ = os.ReadFile("/proc/thread-self/status")
		done <- err
	}()
	err = <-done
	status = map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		status[name] = strings.Join(strings.Fields(value), " ")
	}
	require.NotEmpty(t, status)
	return status, err
}
