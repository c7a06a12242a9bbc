package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"text/template"

	"github.com/docker/go-units"
	"github.com/spf13/pflag"
)

// listFlags are the flags of all commands that print a list.
type listFlags struct {
	quiet, noTrunc bool
	format         string
}

func (f *listFlags) bind(fs *pflag.FlagSet) {
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "show IDs only")
	fs.BoolVar(&f.noTrunc, "no-trunc", false, "show everything in full")
	fs.StringVar(&f.format, "format", "", "\"json\", \"table TEMPLATE\" or a Go template")
}

// id is an ID as it is shown.
func (f listFlags) id(id string) string {
	if f.noTrunc {
		return id
	}
	return shortID(id)
}

// row is a line of a table: what docker calls the field ({{.Names}}), and its text.
type row map[string]string

// table is what a list command prints: columns by default, or what --format makes of the rows.
type table struct {
	columns []column // all that --format can name; those with show make the default table
	rows    []row
}

type column struct {
	name, title string
	show        bool
}

// write prints the table in docker's formats: "" and "table" for columns, "json", "table TEMPLATE" and "TEMPLATE".
func (t table) write(w io.Writer, f listFlags) error {
	format := f.format
	switch {
	case format == "" && f.quiet:
		format = "{{.ID}}"
	case format == "" || format == "table":
		format = "table " + t.defaultTemplate()
	}
	source, columns := strings.CutPrefix(format, "table ")
	tmpl, err := parseTemplate(source)
	if err != nil {
		return err
	}
	if !columns {
		return t.lines(w, tmpl)
	}
	aligned := tabwriter.NewWriter(w, 10, 1, 3, ' ', 0)
	if err := tmpl.Execute(aligned, t.titles()); err != nil {
		return fmt.Errorf("format: %w", err)
	}
	fmt.Fprintln(aligned)
	if err := t.lines(aligned, tmpl); err != nil {
		return err
	}
	return aligned.Flush()
}

func (t table) lines(w io.Writer, tmpl *template.Template) error {
	for _, r := range t.rows {
		if err := tmpl.Execute(w, r); err != nil {
			return fmt.Errorf("format: %w", err)
		}
		fmt.Fprintln(w)
	}
	return nil
}

func (t table) defaultTemplate() string {
	var cells []string
	for _, c := range t.columns {
		if c.show {
			cells = append(cells, "{{."+c.name+"}}")
		}
	}
	return strings.Join(cells, "\t")
}

func (t table) titles() row {
	titles := row{}
	for _, c := range t.columns {
		titles[c.name] = c.title
	}
	return titles
}

// parseTemplate knows docker's functions, bytes, and "json" for a value as a whole. "\t" and "\n" may be written with a
// backslash, as a shell leaves them.
func parseTemplate(source string) (*template.Template, error) {
	if source == "json" {
		source = "{{json .}}"
	}
	source = strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(source)
	tmpl, err := template.New("format").Option("missingkey=error").Funcs(template.FuncMap{
		"bytes":    func(n int64) string { return units.BytesSize(float64(n)) },
		"json":     toJSON,
		"join":     join,
		"split":    strings.Split,
		"lower":    strings.ToLower,
		"upper":    strings.ToUpper,
		"title":    func(s string) string { return strings.ToUpper(truncate(s, 1)) + s[len(truncate(s, 1)):] },
		"truncate": truncate,
		"pad": func(s string, before, after int) string {
			return strings.Repeat(" ", before) + s + strings.Repeat(" ", after)
		},
	}).Parse(source)
	if err != nil {
		return nil, fmt.Errorf("--format: %w", err)
	}
	return tmpl, nil
}

// shortID is the first twelve digits, without the name of the hash.
func shortID(id string) string { return truncate(strings.TrimPrefix(id, "sha256:"), 12) }

// humanSize is so many bytes, to three digits.
func humanSize(n int64) string { return units.HumanSizeWithPrecision(float64(n), 3) }

func toJSON(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// join joins a list of anything: what comes from JSON is a list of any.
func join(list any, separator string) string {
	switch list := list.(type) {
	case []string:
		return strings.Join(list, separator)
	case []any:
		words := make([]string, len(list))
		for i, v := range list {
			words[i] = fmt.Sprint(v)
		}
		return strings.Join(words, separator)
	}
	return fmt.Sprint(list)
}

// truncate keeps the first n characters.
func truncate(s string, n int) string {
	if r := []rune(s); n >= 0 && len(r) > n {
		return string(r[:n])
	}
	return s
}

// ellipsis is truncate that shows that something is missing, within the n characters.
func ellipsis(s string, n int) string {
	if len([]rune(s)) <= n {
		return s
	}
	return truncate(s, n-1) + "…"
}
