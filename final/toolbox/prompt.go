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

// loop runs standard input line by line: a command that reads standard input gets the lines that follow it.
func (s *shell) loop() int {
	next := s.plainLine
	if s.interactive && term.IsTerminal(int(s.in.Fd())) {
		next = (&editor{shell: s}).line
	}
	code, text := 0, ""
	for {
		line, err := next(text != "")
		if errors.Is(err, errInterrupted) {
			code, text = s.remember(interrupted), ""
			continue
		}
		if text += line; text == "" && err != nil {
			return s.end(code)
		}
		file, perr := s.parse(text)
		if err == nil && (syntax.IsIncomplete(perr) || continues(text)) {
			continue
		}
		text = ""
		if perr == nil {
			ended := false
			if code, ended = s.line(file); ended {
				return code
			}
			continue
		}
		fmt.Fprintf(s.err, "sh: %v\n", perr)
		if code = s.remember(2); !s.interactive {
			return s.end(code)
		}
	}
}

// line runs one line. Ctrl-C ends the line, and in the interpreter's eyes the program, but not an interactive shell.
func (s *shell) line(file *syntax.File) (code int, ended bool) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.onInterrupt(cancel)
	code, ended = s.execute(ctx, file)
	if ctx.Err() != nil {
		fmt.Fprintln(s.out) // the terminal has echoed "^C"
		code = s.remember(interrupted)
	}
	return code, ended
}

// interrupted is the status of a line that was ended by Ctrl-C.
const interrupted = 128 + int(unix.SIGINT)

// remember makes a status the one that $? shows.
func (s *shell) remember(code int) int {
	if file, err := s.parse(fmt.Sprintf("(exit %d)", code)); err == nil {
		_, _ = s.execute(context.Background(), file)
	}
	return code
}

// continues reports whether the last line ends in an unquoted backslash, roughly: in an odd number of them.
func continues(text string) bool {
	text = strings.TrimSuffix(text, "\n")
	return (len(text)-len(strings.TrimRight(text, `\`)))%2 == 1
}

// plainLine reads a line of a file or pipe, byte by byte: what follows belongs to the command that the line starts.
func (s *shell) plainLine(bool) (string, error) {
	var line []byte
	var buf [1]byte
	for {
		n, err := s.in.Read(buf[:])
		line = append(line, buf[:n]...)
		if err != nil || n == 1 && buf[0] == '\n' {
			return string(line), err
		}
	}
}

// editor reads lines from a terminal: with cursor keys, and with a history. The terminal is in raw mode only
// while a line is read; a command finds it as it was.
type editor struct {
	*shell
	history term.History
	lastKey [1]byte
}

// Read is what the line editor reads the terminal with: one byte, as plainLine.
func (e *editor) Read(p []byte) (int, error) {
	n, err := e.in.Read(e.lastKey[:])
	return copy(p, e.lastKey[:n]), err
}

// Write is what the line editor echoes with.
func (e *editor) Write(p []byte) (int, error) { return e.out.Write(p) }

// errInterrupted is a line that was ended by Ctrl-C.
var errInterrupted = errors.New("interrupted")

func (e *editor) line(continued bool) (string, error) {
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
	case errors.Is(err, io.EOF) && e.lastKey[0] == ctrlC:
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
