package unionfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// driver is one way to keep a stack of layers. A union driver keeps in each layer's diff only what the layer
// changed, and lets the kernel merge at mount time. A whole-tree driver keeps in each diff the finished tree.
type driver interface {
	// probe is nil if the driver works in dir, an existing directory, else it says why not.
	probe(dir string) error
	// create makes dir/diff for a layer on top of the diff directory parent ("" for a first layer).
	create(dir, parent string) error
	// destroy removes dir and everything in it; a missing dir is fine.
	destroy(dir string) error
	// mount describes how layer l is shown; Target is filled in by the caller.
	mount(s *Store, l layer) Mount
	// opaque is the attribute that marks a directory as hiding what is below; "" for whole-tree drivers.
	opaque() string
}

var drivers = []struct {
	name string
	driver
}{
	{"overlay", overlay{}},
	{"vfs", vfs{}},
}

// choose finds the driver for dir. A store that has layers stays with the driver that made them; the others could
// not see them.
func choose(dir, want string) (*Store, error) {
	var no []string
	for _, d := range drivers {
		s := &Store{dir: filepath.Join(dir, d.name), name: d.name, driver: d.driver}
		layers, _ := os.ReadDir(s.path("layers"))
		if want != d.name && (want != "" || hasOther(dir, d.name) && len(layers) == 0) {
			continue
		}
		err := errors.Join(os.MkdirAll(s.dir, 0o711), d.probe(s.dir))
		switch {
		case err == nil && want != "":
			s.reason = "it was asked for"
		case err == nil && len(layers) > 0:
			s.reason = "it made the layers that are here"
		case err == nil && len(no) == 0:
			s.reason = "it is the best, and it works here"
		case err == nil:
			s.reason = "it works here; " + strings.Join(no, "; ")
		default:
			no = append(no, fmt.Sprintf("%s does not: %v", d.name, err))
			_ = os.Remove(s.dir)
			continue
		}
		return s, nil
	}
	if len(no) == 0 {
		return nil, fmt.Errorf("unknown storage driver %q", want)
	}
	return nil, fmt.Errorf("no storage driver works in %q: %s", dir, strings.Join(no, "; "))
}

// hasOther reports whether another driver has layers in dir.
func hasOther(dir, name string) bool {
	for _, d := range drivers {
		if layers, _ := os.ReadDir(filepath.Join(dir, d.name, "layers")); d.name != name && len(layers) > 0 {
			return true
		}
	}
	return false
}
