// Package daemon serves Docker's Engine API: HTTP and JSON over a UNIX socket or
// TCP. It knows no container. What the API needs of an engine it declares as small
// interfaces, and anything that has them can be driven by the stock docker client,
// by docker-compose, by every tool that speaks to Docker.
//
//	docker run …        curl         cutaway ps
//	     └──────────────┼────────────────┘
//	                    │ POST /v1.50/containers/create
//	     ┌──────────────▼───────────────┐
//	     │ Listen    unix 0660, tcp     │  who may talk to us
//	     │ Server    version, route     │  which handler is asked
//	     │ handlers  query, JSON, bytes │  what is asked
//	     │ Engine    9 small interfaces │  who can do that
//	     └──────────────┬───────────────┘
//	                    ▼
//	      an engine: processes, or, in package memory, goroutines
//
// # Vocabulary
//
// A route is a method and a path, and the handler that answers there. A handler
// reads the request, calls one method of one interface, and writes the answer or
// returns an error; an error has a [Kind], and one switch ([Status]) makes an HTTP
// status of it. A ref is what a user calls a container or an image by. To hijack is
// to take the connection away from HTTP and use it as a pipe in both directions;
// attach and exec do. A [Stream] is such a connection's other end, at the process.
// A frame ([AppendFrame]) says which of its output streams some bytes belong to.
//
// # Three kinds of answers
//
//	most           one JSON value; an error is {"message": …} and a status
//	logs, events,  a body that grows for as long as something lives or is pulled.
//	wait, pull     The status was sent long ago, so a late error is a part of the body
//	attach, exec   no HTTP any more, but bytes until both sides have closed
//
// # What is not guaranteed
//
// There is no authentication and no encryption. Whoever can open the socket can
// start a privileged container with the host's root directory in it, so access to
// the API is root on the host; [Listen] therefore makes the socket for root and its
// group, and refuses addresses that other machines reach. Web pages that make a
// browser send requests to 127.0.0.1 are refused when the browser names them
// (Origin); with DNS rebinding a page could still read what GET answers, over TCP only.
//
// Not all of Docker's paths are here: no build, push, volumes, networks, swarm,
// stats, top, archive, websockets. They answer 404 "page not found", Docker's
// answer to what it does not know. A panic on a goroutine of the engine's own
// ends the daemon; only those in a call from a handler are caught.
package daemon

import "embed"

// Source is this package's own source, for explain.
//
//go:embed *.go
var Source embed.FS
