package unionfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// driver is one way to keep a stack of layers.
//
// A union driver keeps in a layer's diff only what the layer changed, and has the stack merged when it is mounted. It says
// "removed" with a whiteout, a character device 0/0, and "nothing from below" with an attribute of the directory.
// A whole-tree driver keeps in each diff the finished tree, and has nothing to merge.
type driver interface {
	// probe fails with the reason if the driver does not work in dir, which exists. What it returns, if anything, stays
	// open as long as the store is used.
	probe(dir string) (io.Closer, error)
	// create makes the files of the layer d, in d.dir, as they are in parent (nil for a first layer).
	create(d *draft, parent *layer) error
	// destroy removes dir and all that is in it. A missing dir is fine.
	destroy(dir string) error
	// mount says how layer l is shown. The caller fills in Target.
	mount(s *Store, l layer) Mount
}

// named is a driver with its name, and which of the two it is.
type named struct {
	name  string
	union bool
	driver
}

// drivers are Docker's, in its order of preference.
var drivers = []named{
	{"overlay", true, overlay{}},
	{"fuse-overlayfs", true, fuse{}},
	{"btrfs", false, btrfs{}},
	{"vfs", false, vfs{}},
	{"devicemapper", false, devicemapper{}}, // after one that always works: only for those who ask for it
}

// choose finds the driver for dir.
func choose(dir, want string) (*Store, error) {
	reason := "it was asked for"
	if want == "" {
		reason = "it is the best that works here"
		if want = settled(dir); want != "" {
			reason = "it made the layers that are here"
		}
	}
	var failed []error
	var names []string
	for _, d := range drivers {
		names = append(names, d.name)
		if want != "" && want != d.name {
			continue
		}
		s := &Store{dir: filepath.Join(dir, d.name), driver: d}
		err := os.MkdirAll(s.dir, 0o700) // an old image may have set-user-ID files that nobody else here should reach
		if err == nil {
			s.held, err = d.probe(s.dir)
		}
		if err == nil {
			s.reason = strings.ReplaceAll(errors.Join(append(failed, errors.New(reason))...).Error(), "\n", "; ")
			return s, nil
		}
		failed = append(failed, fmt.Errorf("%s does not work here: %w", d.name, err))
		_ = os.Remove(s.dir) // stays if there is something in it
	}
	if len(failed) == 0 {
		return nil, fmt.Errorf("no storage driver is called %q: there are %s", want, strings.Join(names, ", "))
	}
	return nil, errors.Join(failed...)
}

// settled names the driver that has layers in dir: the others cannot see them.
func settled(dir string) string {
	for _, d := range drivers {
		if layers, _ := os.ReadDir(filepath.Join(dir, d.name, "layers")); len(layers) > 0 {
			return d.name
		}
	}
	return ""
}
