package daemon

import (
	"errors"
	"fmt"
	"net/http"
)

// Kind says whose fault an error is, in terms of the API. The zero Kind is the
// engine's own fault.
type Kind int

// The kinds of errors. Each is one HTTP status, see Status.
const (
	Internal       Kind = iota // anything that is not the user's doing
	NotFound                   // there is no such container, image, exec
	Conflict                   // it is there, but not in a state that allows this
	Invalid                    // the request cannot be understood or fulfilled as written
	NotModified                // it already is as asked for
	Unauthorized               // credentials are missing or wrong
	Forbidden                  // not allowed, whoever asks
	Unavailable                // the engine cannot right now; try again
	NotImplemented             // Docker can, this engine cannot
)

// Error is an error with a kind.
type Error struct {
	Kind Kind
	Err  error
}

// Error is the message that the client prints.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf is fmt.Errorf with a kind. Such an error may be wrapped further: the
// outermost kind in the chain counts, and the client reads the whole chain.
func Errorf(k Kind, format string, args ...any) error {
	return &Error{k, fmt.Errorf(format, args...)}
}

// KindOf finds the kind of an error, Internal if it has none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Topic is what an error is about: a section of chapters/errors.md, which says
// what usually causes it and what to do, and the chapter with the whole story.
// Answers carry it beside the message; clients that do not know it ignore it.
type Topic struct {
	ID      string // "image.NotFound"
	Chapter string // "chapters/05-images.md"
}

// About gives an error a topic, if it has none. Message and kind stay.
func (t Topic) About(err error) error {
	if err == nil {
		return nil
	}
	if _, has := errors.AsType[explained](err); has {
		return err
	}
	return &aboutError{err, t}
}

// TopicOf finds the topic of an error: its own, or that of any error in the
// chain with a method Explain() (id, chapter string), else that of its kind.
func TopicOf(err error) Topic {
	if e, ok := errors.AsType[explained](err); ok {
		id, chapter := e.Explain()
		return Topic{id, chapter}
	}
	return kindTopics[KindOf(err)]
}

// explained is an error that knows where it is explained.
type explained interface {
	error
	Explain() (id, chapter string)
}

type aboutError struct {
	error
	topic Topic
}

func (e *aboutError) Unwrap() error { return e.error }

// Explain names the topic.
func (e *aboutError) Explain() (id, chapter string) { return e.topic.ID, e.topic.Chapter }

// kindTopics is for errors that say nothing of their own.
var kindTopics = map[Kind]Topic{
	Internal:       {"api.Internal", "chapters/08-final.md"},
	NotFound:       {"api.NotFound", "chapters/07-daemon.md"},
	Conflict:       {"api.Conflict", "chapters/07-daemon.md"},
	Invalid:        {"api.Invalid", "chapters/07-daemon.md"},
	Unauthorized:   {"api.Unauthorized", "chapters/07-daemon.md"},
	Forbidden:      {"api.Forbidden", "chapters/07-daemon.md"},
	Unavailable:    {"api.Unavailable", "chapters/07-daemon.md"},
	NotImplemented: {"api.NotImplemented", "chapters/07-daemon.md"},
}

// Status is the one place where kinds become HTTP status codes. An error of the
// kernel or the file system never passes for "no such container": it has no
// Kind, and so answers 500.
func Status(err error) int {
	switch KindOf(err) {
	case NotFound:
		return http.StatusNotFound
	case Conflict:
		return http.StatusConflict
	case Invalid:
		return http.StatusBadRequest
	case NotModified:
		return http.StatusNotModified
	case Unauthorized:
		return http.StatusUnauthorized
	case Forbidden:
		return http.StatusForbidden
	case Unavailable:
		return http.StatusServiceUnavailable
	case NotImplemented:
		return http.StatusNotImplemented
	case Internal:
	}
	return http.StatusInternalServerError
}
