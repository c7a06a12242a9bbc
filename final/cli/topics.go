package cli

import (
	"context"
	"errors"
	"fmt"
)

// topic is what an error is about: a section of chapters/errors.md, and the chapter with the whole story. The
// daemon's errors come with theirs; these are the client's own.
type topic struct{ id, chapter string }

var (
	noEngine   = topic{"client.NoEngine", "chapters/07-daemon.md"}
	badHost    = topic{"client.Host", "chapters/07-daemon.md"}
	badLogin   = topic{"client.Login", "chapters/05-images.md"}
	noTerminal = topic{"client.Terminal", "chapters/08-final.md"}
	noObject   = topic{"container.NotFound", "chapters/07-daemon.md"}
)

// about gives an error a topic.
func (t topic) about(err error) error { return &topicError{err, t} }

type topicError struct {
	error
	topic topic
}

// Unwrap is the error itself.
func (e *topicError) Unwrap() error { return e.error }

// Explain names the topic.
func (e *topicError) Explain() (id, chapter string) { return e.topic.id, e.topic.chapter }

// explained is an error that knows where to read about it.
type explained interface {
	error
	Explain() (id, chapter string)
}

// whereExplained is the line below an error that knows it.
func whereExplained(err error) string {
	e, ok := errors.AsType[explained](err)
	if !ok {
		return ""
	}
	id, chapter := e.Explain()
	switch {
	case chapter == "":
		return ""
	case id == "":
		return fmt.Sprintf("see %s\n", chapter)
	}
	return fmt.Sprintf("see %s, or: cutaway explain --error %s\n", chapter, id)
}

// whyNoExec looks into the plan of an exec that ended as one does whose program could not be started. Why, the
// daemon has said in place of the output, as Docker does, and there is no room for a topic.
func (a *app) whyNoExec(ctx context.Context, id string) {
	p, err := a.plan(ctx, "/exec/"+id)
	if err != nil {
		return // most likely it ran, and chose that status itself
	}
	for _, it := range p.Items {
		if it.Failure != nil {
			fmt.Fprint(a.err, whereExplained(it.Failure))
			return
		}
	}
}
