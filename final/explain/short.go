package explain

import (
	"path/filepath"
	"strings"

	chroot "cutaway/01-chroot"
	network "cutaway/06-network"
	"cutaway/final/plan"
)

// short replaces long strings by shell variables, so that a line fits on a
// page and can still be pasted.
type short struct {
	used     []string // NAME=VALUE, in the order in which a shell has to set them
	replacer *strings.Replacer
}

// shorten finds what is worth a name: the container's ID, the data root, the
// container's directory and tree in it, and its network namespace.
func shorten(p *plan.Plan) *short {
	s := &short{}
	var pairs []string
	name := func(name, path string) {
		s.used = append(s.used, name+"="+strings.NewReplacer(pairs...).Replace(path))
		pairs = append([]string{path + "/", "$" + name + "/"}, pairs...) // the longest comes first
		if strings.HasSuffix(path, p.Container) || name == "R" {         // it is named alone, too
			pairs = append([]string{path, "$" + name}, pairs...)
		}
	}
	name("ID", p.Container)
	if pivot, ok := plan.Find[chroot.Pivot](p); ok {
		dir := filepath.Dir(pivot.Root)
		name("D", filepath.Dir(filepath.Dir(dir)))
		name("C", dir)
		name("R", pivot.Root)
	}
	if ns, ok := plan.Find[network.Namespace](p); ok {
		name("N", ns.Path)
	}
	s.replacer = strings.NewReplacer(pairs...)
	return s
}

// apply shortens a command, but for what is in single quotes: nothing is
// replaced there by a shell.
func (s *short) apply(command string) string {
	parts := strings.Split(command, "'")
	for i := 0; i < len(parts); i += 2 {
		parts[i] = s.replacer.Replace(parts[i])
	}
	return strings.Join(parts, "'")
}
