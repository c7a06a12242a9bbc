package cli

import (
	"context"
	"errors"
	"fmt"

	daemon "cutaway/07-daemon"
)

// What the client's own errors are about: sections of chapters/errors.md. The daemon's come with theirs.
var (
	noEngine   = daemon.Topic{ID: "client.NoEngine", Chapter: "chapters/07-daemon.md"}
	badHost    = daemon.Topic{ID: "client.Host", Chapter: "chapters/07-daemon.md"}
	badLogin   = daemon.Topic{ID: "client.Login", Chapter: "chapters/05-images.md"}
	noTerminal = daemon.Topic{ID: "client.Terminal", Chapter: "chapters/08-final.md"}
	noObject   = daemon.Topic{ID: "container.NotFound", Chapter: "chapters/07-daemon.md"}
)

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
