package toolbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
	"mvdan.cc/sh/v3/syntax"
)

// errInterrupted is a line that was ended by Ctrl-C.
var errInterrupted = errors.New("interrupted")

// lineReader gives the shell its lines, each with its newline.
type lineReader interface {
	next(continued bool) (string, error)
}

func (s *shell) lines() lineReader {
	if s.interactive && term.IsTerminal(int(s.in.Fd())) {
		return &editor{shell: s}
	}
	return plainLines{byByte{s.in}}
}

// byByte reads one byte at a time: what follows a line belongs to the command that the line starts.
type byByte struct{ f *os.File }

// Read reads at most one byte.
func (b byByte) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return b.f.Read(p[:1])
}

// plainLines are the lines of a file or pipe.
type plainLines struct{ r io.Reader }

func (l plainLines) next(bool) (string, error) {
	var line strings.Builder
	buf := make([]byte, 1)
	for {
		n, err := l.r.Read(buf)
		line.Write(buf[:n])
		if err != nil || buf[0] == '\n' && n == 1 {
			return line.String(), err
		}
	}
}

// editor reads lines from a terminal: with cursor keys, and with a history. The terminal is in raw mode only
// while a line is read; a command finds it as it was.
type editor struct {
	*shell
	history term.History
	lastKey byte
}

// Read is what the line editor reads the terminal with.
func (e *editor) Read(p []byte) (int, error) {
	n, err := byByte{e.in}.Read(p)
	if n > 0 {
		e.lastKey = p[0]
	}
	return n, err
}

// Write is what the line editor echoes with.
func (e *editor) Write(p []byte) (int, error) { return e.out.Write(p) }

func (e *editor) next(continued bool) (string, error) {
	fd := int(e.in.Fd())
	old, err := term.MakeRaw(fd)
	if err != nil {
		return "", err
	}
	defer term.Restore(fd, old) //nolint:errcheck // a terminal that has gone away has nothing to restore
	t := term.NewTerminal(e, e.prompt(continued))
	if e.history != nil {
		t.History = e.history
	}
	e.history = t.History
	if width, height, err := term.GetSize(fd); err == nil && width > 0 {
		_ = t.SetSize(width, height)
	}
	line, err := t.ReadLine()
	const ctrlC = 3
	switch {
	case errors.Is(err, io.EOF) && e.lastKey == ctrlC:
		fmt.Fprint(e.out, "^C\r\n")
		return "", errInterrupted
	case errors.Is(err, io.EOF):
		fmt.Fprint(e.out, "\r\n")
		return "", err
	case errors.Is(err, term.ErrPasteIndicator):
		err = nil
	}
	return line + "\n", err
}

// prompt is the working directory and "#" for root, "$" for all others; before it, what $CUTAWAY_PROMPT says of
// where one is ("cutaway run --step").
func (e *editor) prompt(continued bool) string {
	if continued {
		return "> "
	}
	sign := "$"
	if unix.Geteuid() == 0 {
		sign = "#"
	}
	return os.Getenv("CUTAWAY_PROMPT") + e.runner.Dir + " " + sign + " "
}

// loop runs standard input line by line: a command that reads standard input gets the lines that follow it.
func (s *shell) loop() int {
	lines := s.lines()
	code, text := 0, ""
	for {
		line, err := lines.next(text != "")
		switch {
		case errors.Is(err, errInterrupted):
			code, text = s.remember(128+int(unix.SIGINT)), ""
			continue
		case errors.Is(err, io.EOF) && text == "":
			return code
		case err != nil && !errors.Is(err, io.EOF):
			fmt.Fprintf(s.err, "sh: %v\n", err)
			return 1
		}
		text += line
		file, perr := syntax.NewParser().Parse(strings.NewReader(text), s.zero)
		if err == nil && (syntax.IsIncomplete(perr) || continues(text)) {
			continue
		}
		text = ""
		var ended bool
		if code, ended = s.line(file, perr); ended {
			return code
		}
	}
}

// line runs what has been read, or complains of it; ended says that the shell is to end. Ctrl-C ends the line,
// and in the interpreter's eyes the program, but not an interactive shell.
func (s *shell) line(file *syntax.File, err error) (code int, ended bool) {
	if err != nil {
		fmt.Fprintf(s.err, "sh: %v\n", err)
		return 2, !s.interactive
	}
	s.plan(file)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.traps.onInterrupt(cancel)
	code = s.execute(ctx, file)
	if ctx.Err() == nil {
		return code, s.runner.Exited()
	}
	fmt.Fprintln(s.out) // the terminal has echoed "^C"
	return s.remember(128 + int(unix.SIGINT)), false
}

// remember makes a status the one that $? shows.
func (s *shell) remember(code int) int {
	file, err := syntax.NewParser().Parse(strings.NewReader(fmt.Sprintf("(exit %d)", code)), s.zero)
	if err != nil {
		return code
	}
	return s.execute(context.Background(), file)
}

// continues reports whether the last line ends in an unquoted backslash, roughly: in an odd number of them.
func continues(text string) bool {
	text = strings.TrimSuffix(text, "\n")
	return (len(text)-len(strings.TrimRight(text, `\`)))%2 == 1
}
