package toolbox

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// stress keeps processors busy and memory in use, so that limits can be seen to bite. Memory is mapped and
// every page of it written: memory that was only asked for counts against no limit.
func stress(c *command) error {
	o, err := c.noOperands("cpu: vm: vm-bytes: timeout: c: m: t:")
	if err != nil {
		return err
	}
	for short, long := range map[string]string{"c": "cpu", "m": "vm", "t": "timeout"} {
		if o.has(short) {
			o[long] = o[short]
		}
	}
	cpus, err := workers(o, "cpu")
	if err != nil {
		return err
	}
	vms, err := workers(o, "vm")
	if err != nil {
		return err
	}
	if cpus+vms == 0 {
		return usagef("--cpu or --vm is needed")
	}
	bytes := int64(256 << 20)
	if o.has("vm-bytes") {
		if bytes, err = byteSize(o["vm-bytes"]); err != nil {
			return err
		}
	}
	timeout := time.Duration(-1) // none
	if o.has("timeout") {
		if timeout, err = duration(o["timeout"]); err != nil {
			return err
		}
	}
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), cpus+1)) // a limit is to be met by the kernel, not by Go
	for range cpus {
		go func() {
			for { //nolint:staticcheck // using a processor is the purpose
			}
		}()
	}
	for range vms {
		if err := holdMemory(c, bytes); err != nil {
			return err
		}
	}
	if timeout < 0 {
		select {}
	}
	time.Sleep(timeout)
	return nil
}

func workers(o options, name string) (int, error) {
	if !o.has(name) {
		return 0, nil
	}
	n := number(o[name])
	if n < 0 {
		return 0, usagef("--%s: %q is not a number", name, o[name])
	}
	return n, nil
}

// holdMemory maps memory, writes to every page of it, and says so.
func holdMemory(c *command, bytes int64) error {
	memory, err := unix.Mmap(-1, 0, int(bytes), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return fmt.Errorf("map %d bytes: %w", bytes, err)
	}
	for i := 0; i < len(memory); i += os.Getpagesize() {
		memory[i] = 1
	}
	_, err = fmt.Fprintf(c.out, "stress: holding %s\n", humanSize(uint64(bytes)))
	return err
}

// byteSize reads "64m" or "1g": binary units, as Docker and stress(1) understand them.
func byteSize(s string) (int64, error) {
	digits := strings.TrimRight(strings.ToLower(s), "b")
	shift := 0
	if i := strings.IndexByte("kmg", last(digits)); i >= 0 {
		shift, digits = 10*(i+1), digits[:len(digits)-1]
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > 1<<62>>shift {
		return 0, usagef("%q is not a size", s)
	}
	return n << shift, nil
}

func last(s string) byte {
	if s == "" {
		return 0
	}
	return s[len(s)-1]
}
