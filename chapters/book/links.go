package book

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
)

var (
	// link matches [text](target) and ![text](target "title").
	link = regexp.MustCompile(`\]\(([^)\s]+)(?:\s+"[^"]*")?\)`)
	// html matches the targets of HTML tags: <img src="…">, <source srcset="…">, <a href="…">.
	html = regexp.MustCompile(`<[a-z]+\s[^>]*?(?:src|srcset|href)="([^"]+)"`)
	// code matches what Markdown shows as it is.
	code = regexp.MustCompile("`[^`\n]+`")
)

// BrokenLinks returns a problem for every relative link of the page whose file, or heading, does not exist.
func (p Page) BrokenLinks() []string {
	var problems []string
	for i, line := range p.prose() {
		for _, expr := range []*regexp.Regexp{link, html} {
			for _, m := range expr.FindAllStringSubmatch(code.ReplaceAllString(line, ""), -1) {
				if !p.resolves(m[1]) {
					problems = append(problems, p.problem(i, "broken link %s", m[1]))
				}
			}
		}
	}
	return problems
}

// prose returns the lines of the page with those inside fences emptied.
func (p Page) prose() []string {
	lines := strings.Split(p.Text, "\n")
	open := false
	for i, line := range lines {
		if fence := strings.HasPrefix(strings.TrimSpace(line), "```"); fence || open {
			lines[i] = ""
			open = open != fence
		}
	}
	return lines
}

// resolves reports whether a target leads somewhere. Where the network is needed to know, it does.
func (p Page) resolves(target string) bool {
	if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
		return true
	}
	file, anchor, _ := strings.Cut(target, "#")
	path := filepath.Join(p.Root, filepath.Dir(p.Path), file)
	if file == "" {
		path = filepath.Join(p.Root, p.Path)
	}
	if anchor == "" || filepath.Ext(path) != ".md" {
		_, err := os.Stat(path)
		return err == nil
	}
	text, err := os.ReadFile(path)
	return err == nil && (Page{Text: string(text)}).hasHeading(anchor)
}

// hasHeading reports whether a heading of the page gets this anchor from GitHub: lower case, spaces as hyphens,
// without punctuation.
func (p Page) hasHeading(anchor string) bool {
	for _, line := range p.prose() {
		title := strings.TrimLeft(line, "#")
		if title == line || !strings.HasPrefix(title, " ") {
			continue
		}
		slug := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(title))
		if slug == anchor {
			return true
		}
	}
	return false
}
