package unionfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// control is where device-mapper takes its orders.
const control = "/dev/mapper/control"

// order is one call of ioctl(2) to device-mapper: linux/dm-ioctl.h. The command for people is dmsetup(8).
type order struct {
	call  uint
	name  string // the device's
	flags uint32
	data  []byte // what follows the header
}

// do gives an order; what comes back is the header, and what follows it.
func (o order) do() (h unix.DmIoctl, answer []byte, err error) {
	f, err := os.OpenFile(control, os.O_RDWR, 0)
	if err != nil {
		return h, nil, err
	}
	defer f.Close()
	h = unix.DmIoctl{
		Version: [3]uint32{unix.DM_VERSION_MAJOR, 27}, // that which brought deferred removal, Linux 3.13
		Flags:   o.flags, Data_size: 4096, Data_start: unix.SizeofDmIoctl, Target_count: 1,
	}
	copy(h.Name[:len(h.Name)-1], o.name)
	words := make([]uint64, h.Data_size/8)
	buf := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), h.Data_size)
	*(*unix.DmIoctl)(unsafe.Pointer(&words[0])) = h
	copy(buf[h.Data_start:], o.data)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), uintptr(o.call), uintptr(unsafe.Pointer(&words[0]))); errno != 0 {
		return h, nil, errno
	}
	h = *(*unix.DmIoctl)(unsafe.Pointer(&words[0]))
	return h, buf[h.Data_start:], nil
}

// table returns what a device does, from the words of dmsetup(8): "0 SECTORS KIND ARGS".
func table(line string) []byte {
	f := strings.SplitN(line, " ", 4)
	var spec unix.DmTargetSpec
	_, _ = fmt.Sscan(f[1], &spec.Length)
	copy(spec.Target_type[:], f[2])
	head := unsafe.Slice((*byte)(unsafe.Pointer(&spec)), unix.SizeofDmTargetSpec)
	return append(append([]byte{}, head...), f[3]+"\x00"...)
}

// activate opens the device name, and makes it if it is not there. The kernel removes it when nobody has it open or mounted
// any more, so that none is left behind by whoever is killed.
func activate(name, does string) (*os.File, error) {
	h, _, err := order{call: unix.DM_DEV_STATUS, name: name}.do()
	if err != nil || h.Flags&unix.DM_ACTIVE_PRESENT_FLAG == 0 { // not there, or its maker was killed halfway
		_, _, _ = order{call: unix.DM_DEV_REMOVE, name: name}.do()
		for _, o := range []order{
			{call: unix.DM_DEV_CREATE, name: name},
			{call: unix.DM_TABLE_LOAD, name: name, data: table(does)},
			{call: unix.DM_DEV_SUSPEND, name: name}, // without the flag of that name: resume
		} {
			if h, _, err = o.do(); err != nil {
				_, _, _ = order{call: unix.DM_DEV_REMOVE, name: name}.do()
				return nil, fmt.Errorf("dmsetup create %s --table %q: %w", name, does, err)
			}
		}
	}
	f, err := os.OpenFile(fmt.Sprintf("/dev/dm-%d", unix.Minor(h.Dev)), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	if _, _, err = (order{call: unix.DM_DEV_REMOVE, name: name, flags: unix.DM_DEFERRED_REMOVE}).do(); err != nil {
		return nil, errors.Join(fmt.Errorf("dmsetup remove --deferred %s: %w", name, err), f.Close()) // it went before it was opened
	}
	return f, nil
}

// patiently tries for ten seconds what another may just be letting go of, or have in hand.
func patiently(try func() error) error {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := try()
		passing := errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENOENT)
		if !passing || time.Now().After(end) {
			return err
		}
	}
}

// loop opens the loop device of a file. If there is none it makes one, which goes with its last user. Two for one file
// would not see what the other writes.
func loop(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, err
	}
	inUse, _ := filepath.Glob("/sys/block/loop*/loop")
	for _, dir := range inUse {
		dev, err := os.OpenFile("/dev/"+filepath.Base(filepath.Dir(dir)), os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if i, err := unix.IoctlLoopGetStatus64(int(dev.Fd())); err == nil && i.Device == st.Dev && i.Inode == st.Ino {
			_ = unix.IoctlSetInt(int(dev.Fd()), unix.LOOP_SET_CAPACITY, 0) // the file may have grown
			return dev, nil
		}
		_ = dev.Close()
	}
	ctl, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer ctl.Close()
	n, err := unix.IoctlRetInt(int(ctl.Fd()), unix.LOOP_CTL_GET_FREE)
	if err != nil {
		return nil, os.NewSyscallError("ioctl LOOP_CTL_GET_FREE", err)
	}
	dev, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	conf := &unix.LoopConfig{Fd: uint32(f.Fd()), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR}}
	if err := unix.IoctlLoopConfigure(int(dev.Fd()), conf); err != nil { // EBUSY: somebody else was quicker
		return nil, errors.Join(os.NewSyscallError("ioctl LOOP_CONFIGURE", err), dev.Close())
	}
	return dev, nil
}
