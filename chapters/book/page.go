package book

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Page is one Markdown file.
type Page struct {
	Root string // the repository
	Path string // of the file, from Root
	Text string
}

// Pages reads all Markdown files of the repository that belong to the book: those at its root, in chapters and in
// final.
func Pages(root string) ([]Page, error) {
	var pages []Page
	for _, pattern := range []string{"*.md", "chapters/*.md", "final/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			path, err := filepath.Rel(root, file)
			if err != nil {
				return nil, err
			}
			pages = append(pages, Page{root, path, string(text)})
		}
	}
	return pages, nil
}

// Write stores the page's text in its file.
func (p Page) Write() error {
	return os.WriteFile(filepath.Join(p.Root, p.Path), []byte(p.Text), 0o644)
}

// marker matches a line such as <!-- code: 01-chroot/pivot.go Pivot.Do -->, and nothing else on it.
var marker = regexp.MustCompile(`^<!-- (code|transcript): (\S+)((?: \S+)*) -->$`)

// Filler computes the body of one fence, from what its marker says: the file and the names behind it. The
// old body is what the page says so far.
type Filler func(file string, names []string, old string) (string, error)

// Listings returns the page with every listing as it is in the code. Problems are markers that name nothing.
func (p Page) Listings() (Page, []string) {
	return p.fill("code", func(file string, names []string, _ string) (string, error) {
		return listing(filepath.Join(p.Root, file), names)
	})
}

// fill returns the page with the body of every fence of a kind computed anew. A fence whose body cannot be computed
// stays as it is, and the page's problems say why.
func (p Page) fill(kind string, body Filler) (Page, []string) {
	var out, problems []string
	lines := strings.Split(p.Text, "\n")
	for i := 0; i < len(lines); i++ {
		out = append(out, lines[i])
		m := marker.FindStringSubmatch(lines[i])
		if m == nil || m[1] != kind || p.quoted(lines[:i]) {
			continue
		}
		first, last, ok := fence(lines, i+1)
		if !ok {
			problems = append(problems, p.problem(i, "no fence behind %s", lines[i]))
			continue
		}
		old := strings.Join(lines[first+1:last], "\n")
		text, err := body(m[2], strings.Fields(m[3]), old)
		if err != nil {
			problems = append(problems, p.problem(i, "%v", err))
			text = old
		}
		out = append(out, lines[i+1:first+1]...)
		if text != "" {
			out = append(out, text)
		}
		out = append(out, lines[last])
		i = last
	}
	p.Text = strings.Join(out, "\n")
	return p, problems
}

// fence finds the fence that begins at the first line after from which is not empty.
func fence(lines []string, from int) (first, last int, ok bool) {
	first = from
	for first < len(lines) && strings.TrimSpace(lines[first]) == "" {
		first++
	}
	if first >= len(lines) || !strings.HasPrefix(lines[first], "```") {
		return 0, 0, false
	}
	n := slices.Index(lines[first+1:], "```")
	return first, first + 1 + n, n >= 0
}

// quoted reports whether the line after these stands inside a fence, where a marker is an example.
func (p Page) quoted(before []string) bool {
	open := false
	for _, line := range before {
		if strings.HasPrefix(line, "```") {
			open = !open
		}
	}
	return open
}

// problem is a sentence about line i (from 0) of the page.
func (p Page) problem(i int, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: %s", p.Path, i+1, fmt.Sprintf(format, args...))
}
