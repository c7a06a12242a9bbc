package toolbox

import (
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

const (
	spawn   = "__spawn"    // the command that plan makes of "cmd &"; its argument is the source of cmd
	lastJob = "__last_job" // the variable that plan reads instead of $!
)

// inPlace says where the running program may execute a program in the shell's own place.
type inPlace struct {
	execs map[syntax.Pos]bool // "exec" outside of subshells, pipes and functions
	last  syntax.Pos          // the only command of "sh -c"
}

func (p inPlace) is(pos syntax.Pos) bool { return pos.IsValid() && (pos == p.last || p.execs[pos]) }

// plan rewrites a program where the interpreter's way is not a process's way: the interpreter runs "cmd &" as
// a goroutine, which has no process ID and hears no signal. Here it becomes a process of its own, and $! its ID.
func (s *shell) plan(file *syntax.File) {
	s.inPlace = inPlace{execs: map[syntax.Pos]bool{}}
	rewrite(file, func(call *syntax.CallExpr) { s.inPlace.execs[call.Args[0].Pos()] = true })
}

// planText is plan for what "eval" and traps run: text, whose "exec" the interpreter sees to.
func planText(source string) string {
	file, err := syntax.NewParser().Parse(strings.NewReader(source), "")
	if err != nil {
		return source // eval will say so
	}
	rewrite(file, func(*syntax.CallExpr) {})
	var planned strings.Builder
	if err := syntax.NewPrinter().Print(&planned, file); err != nil {
		return source
	}
	return planned.String()
}

// rewrite changes a program in place; inPlace gets every call of "exec" that is to replace the shell.
func rewrite(file *syntax.File, inPlace func(*syntax.CallExpr)) {
	var within []syntax.Node // the nodes on the way down
	syntax.Walk(file, func(node syntax.Node) bool {
		if node == nil {
			within = within[:len(within)-1]
			return true
		}
		within = append(within, node)
		switch node := node.(type) {
		case *syntax.Stmt:
			if node.Background {
				background(node)
			}
		case *syntax.ParamExp:
			if node.Param != nil && node.Param.Value == "!" {
				node.Param.Value = lastJob
			}
		case *syntax.CallExpr:
			if len(node.Args) < 2 || node.Args[0].Lit() != "exec" {
				break
			}
			switch whereIs(within) {
			case thisProcess:
				inPlace(node)
			case pipe: // the interpreter runs a pipe's end itself, and would take this for the shell's end
				node.Args = node.Args[1:]
			case elsewhere: // a process of its own has been made for it
			}
		}
		return true
	})
}

// place says in which process the interpreter would run a node.
type place int

const (
	thisProcess place = iota
	pipe              // one end of a pipe
	elsewhere         // a subshell, or wherever a function is called
)

// whereIs looks at the nodes around the innermost one.
func whereIs(nodes []syntax.Node) place {
	for _, node := range slices.Backward(nodes) {
		switch node := node.(type) {
		case *syntax.Subshell, *syntax.CmdSubst, *syntax.ProcSubst, *syntax.FuncDecl, *syntax.CoprocClause:
			return elsewhere
		case *syntax.BinaryCmd:
			if node.Op == syntax.Pipe || node.Op == syntax.PipeAll {
				return pipe
			}
		}
	}
	return thisProcess
}

// background replaces a statement by a call of spawn with the statement's source.
func background(st *syntax.Stmt) {
	st.Background = false
	var source strings.Builder
	if err := syntax.NewPrinter().Print(&source, st); err != nil {
		st.Background = true // the interpreter's own way is the second best
		return
	}
	call, err := syntax.NewParser().Parse(strings.NewReader(spawn+" "+quoted([]string{source.String()})), "")
	if err != nil {
		st.Background = true
		return
	}
	st.Cmd = call.Stmts[0].Cmd
	st.Redirs, st.Negated = nil, false
}

// jobs are the background processes of a shell.
type jobs struct {
	mu   sync.Mutex
	list []*job
}

// job is one background process; status may be read once done is closed.
type job struct {
	pid    int
	done   chan struct{}
	status uint8
}

// spawn starts another shell for a statement. It gets all variables, functions and parameters. Its process
// group is its own, so that the terminal's Ctrl-C is not for it, and its standard input is empty.
func (s *shell) spawn(hc interp.HandlerContext, source string) ([]string, error) {
	var prelude strings.Builder
	for name, body := range s.runner.Funcs {
		fmt.Fprintf(&prelude, "%s() ", name)
		if err := syntax.NewPrinter().Print(&prelude, body); err != nil {
			return nil, err
		}
		prelude.WriteByte('\n')
	}
	args := append([]string{"-c", prelude.String() + source, s.zero}, s.runner.Params...)
	cmd := s.selfCommand(hc, args)
	cmd.Stdin = nil
	cmd.Env = variables(hc.Env, func(v expand.Variable) bool { return v.Exported || !v.ReadOnly })
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(hc.Stderr, "%s: %v\n", s.zero, err)
		return []string{"false"}, nil
	}
	j := &job{pid: cmd.Process.Pid, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // ProcessState says it all
		j.status = exitStatus(cmd.ProcessState)
		close(j.done)
	}()
	s.jobs.mu.Lock()
	defer s.jobs.mu.Unlock()
	s.jobs.list = append(s.jobs.list, j)
	if s.interactive {
		fmt.Fprintf(hc.Stderr, "[%d] %d\n", len(s.jobs.list), j.pid)
	}
	return []string{"eval", lastJob + "=" + strconv.Itoa(j.pid)}, nil
}

// selfCommand calls this binary as sh.
func (s *shell) selfCommand(hc interp.HandlerContext, args []string) *exec.Cmd {
	return &exec.Cmd{Path: "/proc/self/exe", Args: append([]string{"sh"}, args...), Dir: hc.Dir,
		Env: environ(hc.Env), Stdin: hc.Stdin, Stdout: hc.Stdout, Stderr: hc.Stderr}
}

// wait is the command "wait [PID]…". A trapped signal ends it with 128 + n, before the trap's action is run.
func (s *shell) wait(hc interp.HandlerContext, args []string) error {
	s.jobs.mu.Lock()
	list := s.jobs.list
	s.jobs.mu.Unlock()
	if len(args) > 0 {
		var named []*job
		for _, arg := range args {
			j := find1(list, arg)
			if j == nil {
				fmt.Fprintf(hc.Stderr, "%s: wait: %s is not a child of this shell\n", s.zero, arg)
				return shellStatus(127)
			}
			named = append(named, j)
		}
		list = named
	}
	var last uint8
	for _, j := range list {
		select {
		case <-j.done:
			last = j.status
		case n := <-s.traps.woken:
			return shellStatus(uint8(128 + int(n)))
		}
	}
	if len(args) == 0 {
		last = 0 // wait(1p): without operands it is zero
	}
	return shellStatus(last)
}

// find1 finds a job by process ID or by "%1".
func find1(list []*job, arg string) *job {
	index, byIndex := strings.CutPrefix(arg, "%")
	for i, j := range list {
		if byIndex && index == strconv.Itoa(i+1) || arg == strconv.Itoa(j.pid) {
			return j
		}
	}
	return nil
}
