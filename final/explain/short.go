package explain

import (
	"path/filepath"
	"strings"

	chroot "cutaway/01-chroot"
	"cutaway/final/plan"
)

// variable is a name for a long string that a plan is full of.
type variable struct{ name, value string }

// short replaces long strings by shell variables, so that a line fits on a
// page and can still be pasted.
type short struct {
	used     []variable // in the order in which a shell has to set them
	replacer *strings.Replacer
}

// shorten finds what is worth a name: the container's ID, its tree and its
// directory.
func shorten(p *plan.Plan) *short {
	s := &short{}
	var pairs []string
	if pivot, ok := plan.Find[chroot.Pivot](p); ok {
		dir := filepath.Dir(pivot.Root)
		s.used = append(s.used, variable{"C", dir}, variable{"R", "$C/" + filepath.Base(pivot.Root)})
		pairs = append(pairs, pivot.Root, "$R", dir+"/", "$C/")
	}
	s.used = append([]variable{{"ID", p.Container}}, s.used...)
	pairs = append(pairs, p.Container, "$ID")
	if len(s.used) > 1 {
		s.used[1].value = strings.ReplaceAll(s.used[1].value, p.Container, "$ID")
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
