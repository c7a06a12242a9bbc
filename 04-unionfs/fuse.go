package unionfs

import (
	"fmt"
	"os/exec"
	"strings"
)

// exec mounts with a program that serves the file system from user space.
func (m Mount) exec() error {
	cmd := exec.Command(m.Type, "-o", m.data(), m.Target)
	cmd.Dir = m.Dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w", strings.TrimSpace(string(out)), err)
	}
	return nil
}
