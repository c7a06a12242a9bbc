package unionfs

import (
	"path/filepath"
	"slices"
)

// mountUpsideDown has the base on top.
//
// Caught by: which wins
func (o overlay) mountUpsideDown(s *Store, l layer) Mount {
	if len(l.Lower) == 0 {
		return vfs{}.mount(s, l)
	}
	m := Mount{Type: "overlay", Dir: s.dir, Lower: slices.Clone(l.Lower), Options: append(o.options(), l.mode()...)}
	slices.Reverse(m.Lower)
	if l.Link != "" {
		m.Lower = append(m.Lower, l.Link)
		return m
	}
	own := filepath.Join("layers", dirName(l.ID))
	m.Upper, m.Work = filepath.Join(own, "diff"), filepath.Join(own, "work")
	return m
}

// mountWithoutItself shows of an image's layer what is below it.
//
// Caught by: the image
func (o overlay) mountWithoutItself(s *Store, l layer) Mount {
	if len(l.Lower) == 0 {
		return vfs{}.mount(s, l)
	}
	m := Mount{Type: "overlay", Dir: s.dir, Lower: l.Lower, Options: append(o.options(), l.mode()...)}
	if l.Link != "" {
		if len(m.Lower) == 1 {
			m.Lower = append(m.Lower, m.Lower[0])
		}
		return m
	}
	own := filepath.Join("layers", dirName(l.ID))
	m.Upper, m.Work = filepath.Join(own, "diff"), filepath.Join(own, "work")
	return m
}

// mountWritable takes every layer for the uppermost.
//
// Caught by: the image is safe
func (o overlay) mountWritable(s *Store, l layer) Mount {
	if len(l.Lower) == 0 {
		return vfs{}.mount(s, l)
	}
	own := filepath.Join("layers", dirName(l.ID))
	return Mount{
		Type: "overlay", Dir: s.dir, Lower: l.Lower, Options: o.options(),
		Upper: filepath.Join(own, "diff"), Work: filepath.Join(own, "work"),
	}
}
