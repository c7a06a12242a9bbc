package unionfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// devicemapper has block devices share: each layer is a thin device with a file system, a snapshot of its parent's. Like vfs
// it keeps whole trees; blocks are copied when they are written to. Admin-guide/device-mapper/thin-provisioning.rst.
//
//	DIR/devicemapper/pool/data              the blocks of all devices, in a sparse file
//	                     /metadata          whose they are; the kernel's own format
//	                     /layers/…/device   the number of the layer's device in the pool
//
// The pool keeps a number of our own, its transaction ID: the last device number that was given away; 0 means that there is
// no base yet, the device 0 with an empty file system, of which all others are snapshots of snapshots. A number
// is written to a layer's directory before its device is made. So a crash at any moment leaves no device without a directory.
type devicemapper struct{}

// Thin is a device that shares its blocks with those which are snapshots of it, and gets new ones from its pool.
type Thin struct {
	Dir     string `json:"dir"`     // the pool's directory
	Pool    string `json:"pool"`    // what device-mapper calls the pool
	Number  uint32 `json:"number"`  // of the device, in the pool
	Sectors int64  `json:"sectors"` // of 512 bytes; the pool's size, so that what a container may write is limited only by that
}

const (
	// poolSize is Docker's default, in bytes. The file is sparse, and never larger than what is free where it lies. Another size can
	// be had with truncate(1): before the first start, or later to enlarge the pool.
	poolSize = 100 << 30
	// poolReserve is the part of the pool below which no new layer is made: Docker's dm.min_free_space.
	poolReserve = 0.1
)

// probe makes the pool and the base, if need be. The pool would go after each use and come back with the next, if the store did not
// hold it.
func (devicemapper) probe(dir string) (io.Closer, error) {
	if err := unix.Access(control, unix.R_OK|unix.W_OK); err != nil {
		return nil, fmt.Errorf("%s cannot be used (is dm_mod in this kernel, and are you root of the machine?): %w", control, err)
	}
	dir = filepath.Join(dir, "pool")
	if err := poolFiles(dir); err != nil {
		return nil, err
	}
	p, err := openPool(dir)
	if err != nil {
		return nil, fmt.Errorf("open the pool (is there a module dm_thin_pool, and loop? dmesg tells more): %w", err)
	}
	last, err := p.status()
	if err == nil && last == 0 {
		err = p.makeBase()
	}
	if errors.Is(err, unix.ENOSPC) { // what is there can be used, and removed
		err = nil
	}
	if err = errors.Join(err, p.lock.Close()); err != nil {
		return nil, errors.Join(err, p.dev.Close())
	}
	return p.dev, nil
}

// poolFiles makes the sparse files of the pool, unless they are there.
func poolFiles(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	size := min(poolSize, int64(st.Bavail)*st.Bsize) &^ 0xffff
	for _, name := range []string{"data", "metadata"} {
		file := filepath.Join(dir, name)
		if i, err := os.Stat(file); err == nil {
			size = i.Size()
		} else if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Truncate(file, size)); err != nil {
			return err
		}
		size = max(size/64, 2<<20) // the kernel wants 48 bytes for each block of 64 KiB, and more for snapshots
	}
	return nil
}

// pool is the pool, open and locked against others; it goes with its last device.
type pool struct {
	Thin // without a number
	lock *os.File
	dev  *os.File
}

func openPool(dir string) (*pool, error) {
	lock, err := hold(dir, unix.LOCK_EX)
	if err != nil {
		return nil, err
	}
	p := &pool{Thin: *thin(dir, 0), lock: lock}
	err = patiently(func() error {
		data, err := loop(filepath.Join(dir, "data"))
		if err != nil {
			return err
		}
		defer data.Close()
		metadata, err := loop(filepath.Join(dir, "metadata"))
		if err != nil {
			return err
		}
		defer metadata.Close()
		p.dev, err = activate(p.Pool, p.poolDoes(metadata.Name(), data.Name()))
		return err
	})
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return p, nil
}

// poolDoes has blocks of 64 KiB, and errors instead of endless waiting when the pool is full.
func (t Thin) poolDoes(metadata, data string) string {
	return fmt.Sprintf("0 %d thin-pool %s %s 128 0 1 error_if_no_space", t.Sectors, metadata, data)
}

func (t Thin) does(pool string) string {
	return fmt.Sprintf("0 %d thin %s %d", t.Sectors, pool, t.Number)
}
func (t Thin) name() string { return fmt.Sprintf("%s-%d", t.Pool, t.Number) }

// Close lets go of the pool.
func (p *pool) Close() error { return errors.Join(p.dev.Close(), p.lock.Close()) }

// message tells the pool to do something: dmsetup message POOL 0 ….
func (p *pool) message(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	_, _, err := order{call: unix.DM_TARGET_MSG, name: p.Pool, data: append(make([]byte, 8), text+"\x00"...)}.do()
	if err != nil {
		return fmt.Errorf("dmsetup message %s 0 %q: %w", p.Pool, text, err)
	}
	return nil
}

// status reads what "dmsetup status POOL" shows, and returns the transaction ID. A pool that has no room for new layers is ENOSPC.
//
//	TRANSACTION USED/TOTAL-METADATA USED/TOTAL-DATA HELD-ROOT rw|ro|out_of_data_space …
func (t Thin) status() (last uint32, err error) {
	_, answer, err := order{call: unix.DM_TABLE_STATUS, name: t.Pool}.do()
	if err != nil {
		return 0, fmt.Errorf("dmsetup status %s: %w", t.Pool, err)
	}
	line := unix.ByteSliceToString(answer[unix.SizeofDmTargetSpec:])
	var used, total float64 // blocks of 64 KiB
	var meta, root, mode string
	if _, err := fmt.Sscanf(line, "%d %s %g/%g %s %s", &last, &meta, &used, &total, &root, &mode); err != nil {
		return 0, fmt.Errorf("the pool is broken: dmsetup status %s says %q", t.Pool, line)
	}
	if mode == "rw" && total-used > poolReserve*total {
		return last, nil
	}
	return last, fmt.Errorf("the pool is full, %.0f of %.0f MiB are used (%s): remove containers or images, or enlarge it with truncate(1) while none is used: %q: %w",
		used/16, total/16, mode, filepath.Join(t.Dir, "data"), unix.ENOSPC)
}

// makeBase makes the device 0.
func (p *pool) makeBase() error {
	_ = p.message("delete 0") // of somebody who was killed here
	if err := p.message("create_thin 0"); err != nil {
		return err
	}
	dev, err := p.open(0)
	if err != nil {
		return err
	}
	defer dev.Close()
	if out, err := exec.Command("mkfs.ext4", "-q", "-m", "0", "-E", "nodiscard", dev.Name()).CombinedOutput(); err != nil {
		return fmt.Errorf("%w, of the package e2fsprogs: %s", err, out)
	}
	fs, err := configure("ext4", []string{"source=" + dev.Name()})
	if err != nil {
		return err
	}
	err = os.Remove(procPath(fs) + "/lost+found")
	if err = errors.Join(err, fs.Close()); err != nil {
		return err
	}
	return p.message("set_transaction_id 0 1")
}

// open opens a device of the pool.
func (p *pool) open(number uint32) (dev *os.File, err error) {
	t := p.Thin
	t.Number = number
	err = patiently(func() error {
		dev, err = activate(t.name(), t.does(p.dev.Name()))
		return err
	})
	return dev, err
}

// ext4Options have the file system tell the pool what it needs no more, and not write what it does not need yet.
func ext4Options() []string { return []string{"discard", "noinit_itable"} }

// mount mounts the device's file system, nowhere yet.
func (t Thin) mount(options []string) (*os.File, error) {
	p, err := openPool(t.Dir)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	dev, err := p.open(t.Number)
	if err != nil {
		return nil, err
	}
	defer dev.Close()
	return configure("ext4", append([]string{"source=" + dev.Name()}, options...))
}

// String returns the commands that activate the pool, if need be, and the device.
func (t Thin) String() string {
	find := func(file string) string {
		return "$(losetup --nooverlap --find --show " + quote(filepath.Join(t.Dir, file)) + ")"
	}
	made := func(name, does string) string {
		return fmt.Sprintf("dmsetup status %s >/dev/null 2>&1 || dmsetup create %s --table \"%s\"\ndmsetup mknodes %s\n", name, name, does, name)
	}
	return made(t.Pool, t.poolDoes(find("metadata"), find("data"))) + made(t.name(), t.does("/dev/mapper/"+t.Pool))
}

// create makes a snapshot of the parent's device, or of the base.
func (devicemapper) create(d *draft, parent *layer) error {
	p, err := openPool(d.s.path("pool"))
	if err != nil {
		return err
	}
	defer p.Close()
	last, err := p.status()
	if err != nil {
		return err
	}
	d.Device = last + 1
	if err := p.message("set_transaction_id %d %d", last, d.Device); err != nil {
		return err
	}
	if err := d.writeDevice(); err != nil {
		return err
	}
	origin := uint32(0)
	if parent != nil {
		origin = parent.Device
	}
	return p.message("create_snap %d %d", d.Device, origin)
}

// writeDevice notes the number of the device that is about to be made. It is on disk afterwards.
func (l *layer) writeDevice() error {
	f, err := os.Create(filepath.Join(l.dir, "device"))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, l.Device)
	return errors.Join(err, f.Sync(), f.Close())
}

func (devicemapper) mount(s *Store, l layer) Mount {
	return Mount{Type: "devicemapper", Thin: thin(s.path("pool"), l.Device), Options: append(ext4Options(), l.mode()...)}
}

// thin describes a device. If the pool is not there, Do says so.
func thin(dir string, number uint32) *Thin {
	var st unix.Stat_t
	_ = unix.Stat(filepath.Join(dir, "data"), &st)
	return &Thin{Dir: dir, Pool: fmt.Sprintf("cutaway-%x-%d", st.Dev, st.Ino), Number: number, Sectors: st.Size / 512}
}

// full tells of an error when a layer was written to a device if the pool being full was why: with everything on disk, where
// errors show that the kernel kept to itself till then.
func (d *draft) full(root *os.File, err error) error {
	f, oerr := os.Open(procPath(root) + "/.") // root itself is a descriptor that can only be looked at
	if oerr != nil {
		return errors.Join(err, oerr)
	}
	if err = errors.Join(err, os.NewSyscallError("syncfs", unix.Syncfs(int(f.Fd()))), f.Close()); err == nil {
		return nil
	}
	_, full := thin(d.s.path("pool"), 0).status()
	return errors.Join(full, err)
}

// destroy removes the device.
func (devicemapper) destroy(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, "device"))
	if number := strings.TrimSpace(string(b)); err == nil && number != "" {
		p, err := openPool(filepath.Join(dir, "../../pool"))
		if err != nil {
			return err
		}
		err = patiently(func() error { return p.message("delete %s", number) })
		if err = errors.Join(err, p.Close()); err != nil && !errors.Is(err, unix.ENODATA) {
			return err
		}
	}
	return os.RemoveAll(dir)
}
