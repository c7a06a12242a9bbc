package toolbox

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/docker/go-units"
	"golang.org/x/sys/unix"
)

// stress keeps processors busy and memory in use, so that limits can be seen to bite. Memory is mapped and
// every page of it written: memory that was only asked for counts against no limit.
func stress(c *command) error {
	cpus, err := c.number("cpu", 0)
	if err != nil {
		return err
	}
	vms, err := c.number("vm", 0)
	if err != nil {
		return err
	}
	if cpus+vms == 0 {
		return usagef("--cpu or --vm is needed")
	}
	bytes, err := units.RAMInBytes(cmp.Or(c.options["vm-bytes"], "256m"))
	if err != nil {
		return usagef("%v", err)
	}
	timeout, err := c.duration("timeout", 36500*24*time.Hour)
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), cpus+1)) // a limit is to be met by the kernel, not by Go
	for range cpus {
		go func() {
			for { //nolint:staticcheck // using a processor is the purpose
			}
		}()
	}
	for range vms {
		memory, err := unix.Mmap(-1, 0, int(bytes), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			return fmt.Errorf("map %d bytes: %w", bytes, err)
		}
		for i := 0; i < len(memory); i += os.Getpagesize() {
			memory[i] = 1
		}
		fmt.Fprintf(c.out, "stress: holding %s\n", humanSize(uint64(bytes)))
	}
	time.Sleep(timeout)
	return nil
}
