package build

import (
	"fmt"
	"strings"
)

// topic is a section of chapters/errors.md, and the chapter with the whole story.
type topic struct{ id, chapter string }

var (
	unreadable  = topic{"build.Dockerfile", "chapters/05-images.md"}  // what is written cannot be understood
	unsupported = topic{"build.Unsupported", "chapters/05-images.md"} // Docker can, we cannot
	noFile      = topic{"build.NotFound", "chapters/05-images.md"}    // COPY and ADD: the file is not there
	badContext  = topic{"build.Context", "chapters/05-images.md"}     // what the client sent cannot be a context
	noFetch     = topic{"build.Fetch", "chapters/05-images.md"}       // ADD: the URL cannot be had
	badTarget   = topic{"build.Target", "chapters/05-images.md"}      // no stage has this name
	failedRun   = topic{"build.Run", "chapters/05-images.md"}         // the command of a RUN failed
)

func (t topic) about(err error) error { return &Error{t, err} }

func (t topic) errorf(format string, args ...any) error { return t.about(fmt.Errorf(format, args...)) }

// Error is an error of the user's: something in the Dockerfile, the context or
// the options cannot be as it is.
type Error struct {
	topic topic
	Err   error
}

// Error says what is wrong.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Explain says where to read about it.
func (e *Error) Explain() (id, chapter string) { return e.topic.id, e.topic.chapter }

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
func (e *ExitError) Explain() (id, chapter string) { return failedRun.id, failedRun.chapter }

// ExitStatus is that of the command: the client ends with it, too.
func (e *ExitError) ExitStatus() int { return e.Status }
