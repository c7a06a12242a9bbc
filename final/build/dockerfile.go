package build

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Dockerfile is one that was read. What is written in it is BuildKit's to say:
// its own parser reads it.
type Dockerfile struct {
	name   string
	before []instructions.ArgCommand // the ARGs before the first FROM
	stages []instructions.Stage
	escape rune
}

// Parse reads a Dockerfile; name is how errors call it. The error names the
// line, and is about "build.Dockerfile".
func Parse(name string, text []byte) (*Dockerfile, error) {
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, atLine(name, lineOf(err), unreadable.about(err))
	}
	d := &Dockerfile{name: name, escape: parsed.EscapeToken}
	if d.stages, d.before, err = instructions.Parse(parsed.AST, nil); err != nil {
		return nil, atLine(name, lineOf(err), unreadable.about(inner(err)))
	}
	if len(d.stages) == 0 {
		return nil, atLine(name, 0, unreadable.about(errors.New("there is no FROM: nothing says what to build upon")))
	}
	return d, nil
}

// lineOf is the first line that an error of the parser is about, 0 if it does not say.
func lineOf(err error) int {
	if e, ok := errors.AsType[*parser.LocationError](err); ok && len(e.Locations) > 0 && len(e.Locations[0]) > 0 {
		return e.Locations[0][0].Start.Line
	}
	return 0
}

// inner is an error without "dockerfile parse error on line 3", which atLine says.
func inner(err error) error {
	if next := errors.Unwrap(err); next != nil && strings.HasPrefix(err.Error(), "dockerfile parse error") {
		return next
	}
	return err
}

// line is where an instruction begins.
func line(location []parser.Range) int {
	if len(location) == 0 {
		return 0
	}
	return location[0].Start.Line
}

// trigger reads an ONBUILD instruction of a base image.
func trigger(text string) (instructions.Command, error) {
	parsed, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	if len(parsed.AST.Children) != 1 {
		return nil, fmt.Errorf("%q is not one instruction", text)
	}
	return instructions.ParseCommand(parsed.AST.Children[0])
}

// find is the stage that --target, FROM or --from names, by name or by number,
// among the first so many.
func (d *Dockerfile) find(name string, among int) (int, bool) {
	if i, ok := instructions.HasStage(d.stages[:among], name); ok {
		return i, true
	}
	i, err := strconv.Atoi(name)
	return i, err == nil && i >= 0 && i < among
}

// needed tells which stages the stage number target stands on or copies from.
// The others need not be built.
func (d *Dockerfile) needed(target int, word func(string) (string, error)) (map[int]bool, error) {
	need := map[int]bool{target: true}
	for i := target; i >= 0; i-- {
		if !need[i] {
			continue
		}
		base, err := word(d.stages[i].BaseName)
		if err != nil {
			return nil, atLine(d.name, line(d.stages[i].Location), err)
		}
		if n, ok := instructions.HasStage(d.stages[:i], base); ok {
			need[n] = true
		}
		for _, c := range d.stages[i].Commands {
			for _, from := range origins(c) {
				if n, ok := d.find(from, i); ok {
					need[n] = true
				}
			}
		}
	}
	return need, nil
}

// origins names the stages or images that a command takes files from.
func origins(c instructions.Command) (from []string) {
	switch c := c.(type) {
	case *instructions.CopyCommand:
		from = append(from, c.From)
	case *instructions.RunCommand:
		for _, m := range instructions.GetMounts(c) {
			from = append(from, m.From)
		}
	}
	return from
}

// Open reads the Dockerfile of a context. Like all of it, it is looked for in
// the context only, wherever a link may lead.
func Open(dir, name string) (*Dockerfile, error) {
	t, err := openTree(dir)
	if err != nil {
		return nil, err
	}
	defer t.close()
	text, err := t.read(name)
	if errors.Is(err, fs.ErrNotExist) && name == "Dockerfile" {
		text, err = t.read("dockerfile") // Docker takes this, too
	}
	if err != nil {
		return nil, noFile.errorf("cannot locate specified Dockerfile: %s: %w", name, errors.Unwrap(err))
	}
	if name = path.Base(name); strings.HasPrefix(name, ".dockerfile.") {
		name = "Dockerfile" // the client invented this name for one from elsewhere
	}
	return Parse(name, text)
}
