package explain

import (
	"fmt"
	"io"
	"strings"

	"cutaway/chapters"
)

// Error writes what chapters/errors.md says of an error: of exactly this one,
// or else of its step. An ID that the page does not have is an error that names
// those that look like it.
func Error(w io.Writer, id string, o Options) error {
	s, ok := section(id)
	if !ok {
		return fmt.Errorf("there is no error %q; %s", id, alternatives(id))
	}
	out := &page{Options: o}
	out.line(out.Paint(Bold, s.ID))
	out.markdown(s.Text)
	if chapter, ok := chapterOf(s.ID); ok {
		out.line("")
		out.line(out.Paint(Dim, "see "+chapter))
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// Errors writes the list of all errors that the page has, each with its first
// sentence.
func Errors(w io.Writer, o Options) error {
	out := &page{Options: o}
	for _, s := range chapters.Errors() {
		out.line(out.Paint(Bold, s.ID))
		first, _, _ := strings.Cut(s.Text, "\n\n")
		first = strings.Join(strings.Fields(first), " ")
		if sentence, _, more := strings.Cut(first, ". "); more {
			first = sentence + "."
		}
		out.wrap(strings.ReplaceAll(first, "`", ""), "    ", Plain)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// section finds what the page says of an error: under its ID, else under that
// of the step. Case does not matter.
func section(id string) (chapters.Section, bool) {
	step, _, _ := strings.Cut(id, "/")
	for _, want := range []string{id, step} {
		for _, s := range chapters.Errors() {
			if strings.EqualFold(s.ID, want) {
				return s, true
			}
		}
	}
	return chapters.Section{}, false
}

// alternatives names the sections that share a word with an ID.
func alternatives(id string) string {
	var near []string
	for _, s := range chapters.Errors() {
		for word := range strings.FieldsFuncSeq(strings.ToLower(id), func(r rune) bool { return r == '.' || r == '/' }) {
			if len(word) > 2 && strings.Contains(strings.ToLower(s.ID), word) {
				near = append(near, s.ID)
				break
			}
		}
	}
	if len(near) == 0 {
		return "\"cutaway explain --error\" lists all"
	}
	return "near it: " + strings.Join(near, ", ")
}

// chapterOf is the chapter that a step belongs to.
func chapterOf(id string) (chapter string, ok bool) {
	pkg, _, _ := strings.Cut(id, ".")
	source, ok := sourceOf(pkg)
	return source.chapter, ok
}

// markdown lays out paragraphs; blocks of commands stay as they are.
func (pg *page) markdown(text string) {
	for p := range strings.SplitSeq(text, "\n\n") {
		pg.line("")
		if strings.HasPrefix(p, "    ") {
			for line := range strings.SplitSeq(p, "\n") {
				pg.line("    " + pg.Paint(Cyan, strings.TrimPrefix(line, "    ")))
			}
			continue
		}
		pg.wrap(strings.ReplaceAll(strings.Join(strings.Fields(p), " "), "`", ""), "", Plain)
	}
}
