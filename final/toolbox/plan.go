package toolbox

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// The words that a program's rewriting puts into it.
const (
	spawn   = "__spawn"    // the command that "cmd &" becomes; its argument is an index into shell.sources
	inPlace = "--"         // stands between "exec" and a program that is to replace the shell
	lastJob = "__last_job" // the variable that is read instead of $!
)

// parse reads a program and rewrites it where the interpreter's way is not a process's way: it runs "exec cmd" as
// a child. In subshells, pipes and functions that is right, for there it would not replace the shell.
func (s *shell) parse(text string) (*syntax.File, error) {
	file, err := syntax.NewParser().Parse(strings.NewReader(text), s.zero)
	if err != nil {
		return nil, err
	}
	s.rewrite(file)
	syntax.Walk(file, func(node syntax.Node) bool {
		switch node := node.(type) {
		case *syntax.Stmt:
			return !hasHeredoc(node)
		case *syntax.Subshell, *syntax.CmdSubst, *syntax.ProcSubst, *syntax.FuncDecl, *syntax.CoprocClause:
			return false
		case *syntax.BinaryCmd:
			return node.Op != syntax.Pipe && node.Op != syntax.PipeAll
		case *syntax.CallExpr:
			if len(node.Args) > 1 && node.Args[0].Lit() == "exec" {
				node.Args = slices.Insert(node.Args, 1, literal(inPlace))
			}
		}
		return true
	})
	return file, nil
}

// hasHeredoc reports whether a statement is fed by the interpreter, which must not be replaced then.
func hasHeredoc(st *syntax.Stmt) bool {
	return slices.ContainsFunc(st.Redirs, func(r *syntax.Redirect) bool { return r.Hdoc != nil || r.Op == syntax.WordHdoc })
}

// rewrite makes background commands processes of their own, and $! their IDs: the interpreter runs "cmd &" as a
// goroutine, which has no process ID and hears no signal. And it gives $0 its value.
func (s *shell) rewrite(file *syntax.File) {
	syntax.Walk(file, func(node syntax.Node) bool {
		switch node := node.(type) {
		case *syntax.Stmt:
			if !node.Background {
				break
			}
			node.Background = false
			s.sources = append(s.sources, source(node))
			node.Cmd = &syntax.CallExpr{Args: []*syntax.Word{literal(spawn), literal(strconv.Itoa(len(s.sources) - 1))}}
			node.Redirs, node.Negated = nil, false
			return false
		case *syntax.ParamExp:
			switch {
			case node.Param == nil:
			case node.Param.Value == "!":
				node.Param.Value = lastJob
			case node.Param.Value == "0" && node.Exp == nil: // the interpreter knows it of whole files only
				node.Short, node.Param.Value = false, "__zero"
				node.Exp = &syntax.Expansion{Op: syntax.DefaultUnset, Word: literal(s.zero)}
			}
		}
		return true
	})
}

// planText is rewrite for what "eval" and traps run: text.
func (s *shell) planText(text string) string {
	file, err := syntax.NewParser().Parse(strings.NewReader(text), "")
	if err != nil {
		return text // eval will say so
	}
	s.rewrite(file)
	return source(file)
}

// source is a node as text. The printer knows all that the parser makes.
func source(node syntax.Node) string {
	var text strings.Builder
	if err := syntax.NewPrinter().Print(&text, node); err != nil {
		fmt.Fprintf(&text, "\necho %s >&2", quoted([]string{err.Error()}))
	}
	return text.String()
}

func literal(text string) *syntax.Word {
	return &syntax.Word{Parts: []syntax.WordPart{&syntax.Lit{Value: text}}}
}

// quoted writes arguments as shell source.
func quoted(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i], _ = syntax.Quote(arg, syntax.LangBash) // the error is a NUL byte, which no argument can hold
	}
	return strings.Join(words, " ")
}
