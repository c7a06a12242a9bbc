// Package chapters is the book. As Go it is one page only: errors.md, which a
// program can look things up in.
package chapters

import (
	_ "embed"
	"strings"
)

//go:embed errors.md
var errorsPage string

// Section is what the page of errors says of one error.
type Section struct {
	ID   string // "unionfs.Mount/EINVAL"
	Text string // Markdown: paragraphs, and blocks of commands indented by four spaces
}

// Errors lists the sections of errors.md in its order. Each begins with a
// heading that is nothing but an ID in backquotes.
func Errors() []Section {
	var all []Section
	inside := false
	for line := range strings.Lines(errorsPage) {
		if strings.HasPrefix(line, "#") {
			heading := strings.TrimSpace(strings.TrimLeft(line, "#"))
			id, after, _ := strings.Cut(strings.TrimPrefix(heading, "`"), "`")
			if inside = id != heading && after == ""; inside {
				all = append(all, Section{ID: id})
			}
			continue
		}
		if inside {
			all[len(all)-1].Text += line
		}
	}
	for i := range all {
		all[i].Text = strings.TrimSpace(all[i].Text)
	}
	return all
}

// Cause is the paragraph that says why the error usually comes; "" if the
// section has none.
func (s Section) Cause() string {
	for p := range strings.SplitSeq(s.Text, "\n\n") {
		if strings.HasPrefix(p, "Usually because ") {
			return strings.Join(strings.Fields(p), " ")
		}
	}
	return ""
}
