package build

import (
	"cmp"
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// variables are what $NAME means in a place of a Dockerfile. ENV goes before
// ARG. An ARG has the value that the user gave, else its own default, else that
// of an ARG before the first FROM; it ends with its stage.
type variables struct {
	escape   rune
	given    map[string]*string // by the user, for those who ask with ARG
	used     map[string]bool    // which of those were asked for
	defaults map[string]string  // of the ARGs before the first FROM, and of the platform
	args     map[string]string  // the ARGs so far that have a value
	env      []string           // of the image
}

// predefined tells whether a build argument needs no ARG. None of them makes a
// difference to the cache unless an ARG asks for it
// (docs.docker.com/reference/dockerfile, "Predefined ARGs").
func predefined(name string) bool {
	switch strings.ToLower(name) {
	case "http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy":
		return name == strings.ToLower(name) || name == strings.ToUpper(name)
	}
	return false
}

// platform sets the arguments that tell for what, and on what, is built.
func (v *variables) platform(target string) {
	v.defaults = map[string]string{}
	v.args = map[string]string{}
	for prefix, value := range map[string]string{
		"BUILD": "linux/" + runtime.GOARCH, "TARGET": cmp.Or(target, "linux/"+runtime.GOARCH),
	} {
		parts := append(strings.SplitN(value, "/", 3), "", "")
		v.defaults[prefix+"PLATFORM"], v.defaults[prefix+"OS"] = value, parts[0]
		v.defaults[prefix+"ARCH"], v.defaults[prefix+"VARIANT"] = parts[1], parts[2]
	}
	maps.Copy(v.args, v.defaults) // before the first FROM they need no ARG
}

// inStage is what a stage begins with: no ARG of the file's head is seen in it
// before an ARG of its own asks for it.
func (v *variables) inStage() variables {
	s := *v
	s.defaults, s.args, s.env = v.args, map[string]string{}, nil
	return s
}

// declare is ARG NAME or ARG NAME=VALUE.
func (v *variables) declare(name string, value *string) {
	v.used[name] = true
	if given, ok := v.given[name]; ok && given != nil {
		v.args[name] = *given
		return
	}
	if value != nil {
		v.args[name] = *value
	} else if value, ok := v.defaults[name]; ok {
		v.args[name] = value
	}
}

// arguments are the ARGs that a RUN sees as NAME=VALUE, in the order of their
// names; ENV has hidden some.
func (v *variables) arguments() (list []string) {
	for name, value := range v.args {
		if _, hidden := v.lookup(name); !hidden {
			list = append(list, name+"="+value)
		}
	}
	slices.Sort(list)
	return list
}

// proxies are the predefined arguments that were given and not asked for.
func (v *variables) proxies() (list []string) {
	for name, value := range v.given {
		if _, declared := v.args[name]; predefined(name) && !declared && value != nil {
			list = append(list, name+"="+*value)
		}
	}
	slices.Sort(list)
	return list
}

// lookup finds a variable of the image's environment.
func (v *variables) lookup(name string) (string, bool) {
	for _, e := range slices.Backward(v.env) {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// get is the value of a variable, "" if it has none.
func (v *variables) get(name string) string {
	value, _ := v.Get(name)
	return value
}

// Get and Keys are what BuildKit's shell package asks for.
func (v *variables) Get(name string) (string, bool) {
	if value, ok := v.lookup(name); ok {
		return value, true
	}
	value, ok := v.args[name]
	return value, ok
}

// Keys lists the names of all variables.
func (v *variables) Keys() (names []string) {
	for _, e := range v.env {
		name, _, _ := strings.Cut(e, "=")
		names = append(names, name)
	}
	for name := range v.args {
		names = append(names, name)
	}
	return names
}

// word fills variables into a word, and takes its quotes away.
func (v *variables) word(s string) (string, error) {
	result, _, err := shell.NewLex(v.escape).ProcessWord(s, v)
	return result, err
}

// words does the same, and splits what comes of it at blanks.
func (v *variables) words(s string) ([]string, error) {
	return shell.NewLex(v.escape).ProcessWords(s, v)
}

// text fills variables into the content of a heredoc, and leaves its quotes.
func (v *variables) text(s string) (string, error) {
	lex := shell.NewLex(v.escape)
	lex.SkipProcessQuotes = true
	result, _, err := lex.ProcessWord(s, v)
	return result, err
}
