package toolbox

import "strings"

// options are the options of one call: name to value; the value of a flag that takes none is "".
type options map[string]string

// has reports whether the option was given.
func (o options) has(name string) bool {
	_, ok := o[name]
	return ok
}

// parse splits the arguments into options and operands, as getopt(3) does with POSIXLY_CORRECT: options end
// at the first operand or at "--". The spec names the options, separated by spaces; a trailing colon says
// that a value follows; one letter is a short option, and short flags may be bundled ("-la"); longer names
// are long options ("--vm 2", "--vm=2").
func (c *command) parse(spec string) (options, []string, error) {
	takesValue := map[string]bool{}
	for name := range strings.FieldsSeq(spec) {
		takesValue[strings.TrimSuffix(name, ":")] = strings.HasSuffix(name, ":")
	}
	p := optionParser{takesValue: takesValue, found: options{}, rest: c.args}
	for len(p.rest) > 0 && len(p.rest[0]) > 1 && p.rest[0][0] == '-' {
		arg := p.rest[0]
		p.rest = p.rest[1:]
		if arg == "--" {
			break
		}
		if err := p.argument(arg); err != nil {
			return nil, nil, err
		}
	}
	return p.found, p.rest, nil
}

// optionParser is the state of one parse.
type optionParser struct {
	takesValue map[string]bool
	found      options
	rest       []string // not looked at yet
}

// argument takes one argument that begins with "-", and the next one if it is this one's value.
func (p *optionParser) argument(arg string) error {
	if long, ok := strings.CutPrefix(arg, "--"); ok {
		name, value, hasValue := strings.Cut(long, "=")
		return p.option(found{name, value, hasValue}, arg)
	}
	if _, ok := p.takesValue[arg[1:]]; ok { // a name of several letters behind one dash, as in "ip -br"
		return p.option(found{name: arg[1:]}, arg)
	}
	for i := 1; i < len(arg); i++ {
		name, rest := arg[i:i+1], arg[i+1:]
		if !p.takesValue[name] {
			rest = ""
		}
		if err := p.option(found{name, rest, rest != ""}, "-"+name); err != nil {
			return err
		}
		if p.takesValue[name] {
			return nil
		}
	}
	return nil
}

// found is an option as it stands in the arguments.
type found struct {
	name, value string
	hasValue    bool // the value is in the same argument
}

// option stores one option; shown is how an error names it.
func (p *optionParser) option(f found, shown string) error {
	takes, known := p.takesValue[f.name]
	switch {
	case !known:
		return usagef("unknown option %s", shown)
	case !takes && f.hasValue:
		return usagef("option %s takes no value", shown)
	case takes && !f.hasValue && len(p.rest) == 0:
		return usagef("option %s needs a value", shown)
	case takes && !f.hasValue:
		f.value, p.rest = p.rest[0], p.rest[1:]
	}
	p.found[f.name] = f.value
	return nil
}

// noOperands is parse for an applet that takes options only.
func (c *command) noOperands(spec string) (options, error) {
	o, rest, err := c.parse(spec)
	if err == nil && len(rest) > 0 {
		err = usagef("extra operand %q", rest[0])
	}
	return o, err
}

// operands is parse for an applet that needs at least min operands.
func (c *command) operands(spec string, min int) (options, []string, error) {
	o, rest, err := c.parse(spec)
	if err == nil && len(rest) < min {
		err = usagef("missing operand")
	}
	return o, rest, err
}
