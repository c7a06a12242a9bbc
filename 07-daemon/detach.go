package daemon

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

// DefaultDetachKeys leave a container without ending it.
const DefaultDetachKeys = "ctrl-p,ctrl-q"

var errDetached = errors.New("read escape sequence")

// ParseDetachKeys reads a list of keys, each a single character, "DEL", or
// "ctrl-" and one of a–z @ [ \ ] ^ _, and gives the bytes that a terminal sends
// for them. An empty list is the default.
func ParseDetachKeys(s string) ([]byte, error) {
	if s == "" {
		s = DefaultDetachKeys
	}
	var keys []byte
	for key := range strings.SplitSeq(s, ",") {
		ctrl, isCtrl := strings.CutPrefix(key, "ctrl-")
		switch {
		case len(key) == 1:
			keys = append(keys, key[0])
		case key == "DEL":
			keys = append(keys, 0x7f)
		case isCtrl && len(ctrl) == 1 && strings.Contains("@abcdefghijklmnopqrstuvwxyz[\\]^_", ctrl):
			keys = append(keys, ctrl[0]&0x1f) // ASCII: Ctrl clears the upper three bits
		default:
			return nil, Errorf(Invalid, "invalid detach keys (%s) provided: unknown key %q", s, key)
		}
	}
	return keys, nil
}

// detacher reads what a person types and ends with errDetached when the keys
// come. A byte that may begin the sequence is held back until the next one
// tells: with the default keys a shell sees Ctrl-P only after one more key.
type detacher struct {
	r    io.Reader
	keys []byte
	held []byte // what was read and is a prefix of keys
}

// Read implements io.Reader.
func (d *detacher) Read(p []byte) (int, error) {
	if len(p) <= len(d.keys) {
		return 0, io.ErrShortBuffer // what is held may have to go out at once
	}
	for {
		n, err := d.r.Read(p[:len(p)-len(d.keys)])
		out, found := d.scan(p[:n])
		if found {
			err = errDetached
		} else if err != nil {
			out, d.held = append(out, d.held...), nil
		}
		if n = copy(p, out); n > 0 || err != nil {
			return n, err
		}
	}
}

// scan gives the bytes that are not, or no longer, a part of the sequence.
func (d *detacher) scan(in []byte) (out []byte, found bool) {
	for _, b := range in {
		d.held = append(d.held, b)
		for !bytes.HasPrefix(d.keys, d.held) {
			out, d.held = append(out, d.held[0]), d.held[1:]
		}
		if len(d.held) == len(d.keys) {
			return out, true
		}
	}
	return out, false
}
