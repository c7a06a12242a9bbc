package toolbox

import (
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// options are the options of one call: name to value; the value of a flag that takes none is "true".
type options map[string]string

// has reports whether the option was given.
func (o options) has(name string) bool {
	_, ok := o[name]
	return ok
}

// parse splits the arguments into options and operands; options end at the first operand or at "--". The spec names
// the options, separated by spaces; a trailing colon says that a value follows. One letter is a short option, and short
// flags may be bundled ("-la"); longer names are long options ("--vm 2", "--vm=2"). "-5" is an old form of "-n 5".
func (c *command) parse() error {
	if c.spec == unparsed {
		return nil
	}
	set := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	set.SetInterspersed(false)
	set.SetOutput(io.Discard)
	for word := range strings.FieldsSeq(c.spec) {
		name, value := strings.CutSuffix(word, ":")
		short := ""
		if len(name) == 1 {
			short = name
		}
		if value {
			set.StringP(name, short, "", "")
		} else {
			set.BoolP(name, short, false, "")
		}
	}
	if len(c.args) > 0 && strings.Contains(c.spec, "n:") {
		if n, err := strconv.Atoi(c.args[0]); err == nil && n < 0 {
			c.args = slices.Replace(slices.Clone(c.args), 0, 1, "-n", strconv.Itoa(-n))
		}
	}
	if err := set.Parse(c.args); err != nil {
		return usagef("%s", strings.TrimPrefix(err.Error(), "pflag: "))
	}
	c.options, c.args = options{}, set.Args()
	set.Visit(func(f *pflag.Flag) { c.options[f.Name] = f.Value.String() })
	switch {
	case len(c.args) < c.least:
		return usagef("missing operand")
	case len(c.args) > c.most:
		return usagef("extra operand %q", c.args[c.most])
	}
	return nil
}

// number is the value of an option that takes a number, or the default if it was not given.
func (o options) number(name string, without int) (int, error) {
	if !o.has(name) {
		return without, nil
	}
	n, err := strconv.Atoi(o[name])
	if err != nil || n < 0 {
		return 0, usagef("option %s: %q is not a number", name, o[name])
	}
	return n, nil
}

// duration is the value of an option that takes a time, or the default if it was not given.
func (o options) duration(name string, without time.Duration) (time.Duration, error) {
	if !o.has(name) {
		return without, nil
	}
	return duration(o[name])
}

// duration reads "1.5", "10s", "2m", "1h" or "1d".
func duration(s string) (time.Duration, error) {
	number, unit := s, time.Second
	for suffix, u := range map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour} {
		if digits, ok := strings.CutSuffix(s, suffix); ok {
			number, unit = digits, u
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n < 0 || n*unit.Seconds() > 100*366*24*3600 {
		return 0, usagef("%q is not a time", s)
	}
	return time.Duration(n * float64(unit)), nil
}
