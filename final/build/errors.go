package build

import (
	"fmt"
	"strings"
)

// topic is a section of chapters/errors.md.
type topic string

const (
	unreadable  topic = "build.Dockerfile"  // what is written cannot be understood
	unsupported topic = "build.Unsupported" // Docker can, we cannot
	noFile      topic = "build.NotFound"    // COPY and ADD: the file is not in the context
	badContext  topic = "build.Context"     // what the client sent cannot be a context
	noFetch     topic = "build.Fetch"       // ADD: the URL cannot be had
	badTarget   topic = "build.Target"      // no stage has this name
	failedRun   topic = "build.Run"         // the command of a RUN failed
)

func (t topic) about(err error) error { return &Error{Topic: string(t), Err: err} }

func (t topic) errorf(format string, args ...any) error { return t.about(fmt.Errorf(format, args...)) }

// Error is an error of the user's: something in the Dockerfile, the context or
// the options cannot be as it is.
type Error struct {
	Topic string // a section of chapters/errors.md
	Err   error
}

// Error says what is wrong.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Explain says where to read about it.
func (e *Error) Explain() (id, chapter string) { return e.Topic, "chapters/05-images.md" }

// LineError says where in which Dockerfile something went wrong.
type LineError struct {
	File string
	Line int // 0 = nowhere in particular
	Err  error
}

// Error is "Dockerfile:3: what went wrong".
func (e *LineError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Err.Error()
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

// Unwrap is what went wrong.
func (e *LineError) Unwrap() error { return e.Err }

func atLine(file string, line int, err error) error {
	if err == nil {
		return nil
	}
	return &LineError{file, line, err}
}

// ExitError is a command of a RUN that ended with another status than 0.
type ExitError struct {
	Args   []string
	Status int
}

// Error is what Docker says.
func (e *ExitError) Error() string {
	return fmt.Sprintf("the command '%s' returned a non-zero code: %d", strings.Join(e.Args, " "), e.Status)
}

// Explain says where to read about it.
func (e *ExitError) Explain() (id, chapter string) { return string(failedRun), "chapters/05-images.md" }

// ExitStatus is that of the command: the client ends with it, too.
func (e *ExitError) ExitStatus() int { return e.Status }
