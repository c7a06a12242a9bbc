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
