package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/moby/moby/api/types/registry"
)

// apiVersion is spoken without asking: Docker 27's, which every later engine still serves.
const apiVersion = "v1.47"

// client speaks to one daemon. Connections are made when they are needed ("daemon" and "--help" need none), kept and
// used again.
type client struct {
	host string // as the user wrote it; "" = what the environment says, or DefaultHost
	http *http.Client
}

func newClient() *client {
	c := &client{}
	c.http = &http.Client{Transport: &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) },
		DisableCompression: true,
	}}
	return c
}

// engine is where the daemon is.
func (c *client) engine() string { return cmp.Or(c.host, os.Getenv("CUTAWAY_HOST"), DefaultHost) }

// address is the same for net.Dial.
func (c *client) address() (network, address string, err error) {
	network, address, ok := strings.Cut(c.engine(), "://")
	if !ok || address == "" || network != "unix" && network != "tcp" {
		err = badHost.About(fmt.Errorf("%q is no host: unix:///PATH or tcp://ADDRESS:PORT is", c.engine()))
	}
	return network, address, err
}

func (c *client) dial(ctx context.Context) (net.Conn, error) {
	network, address, err := c.address()
	if err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, noEngine.About(c.unanswered(err))
	}
	return conn, nil
}

// unanswered says what to look at if nobody takes a connection.
func (c *client) unanswered(err error) error {
	remedy := "is \"cutaway daemon\" running?"
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	if errors.Is(err, os.ErrPermission) {
		remedy = "the socket is root's: use sudo"
	}
	return fmt.Errorf("cannot connect to the engine at %s: %w; %s", c.engine(), err, remedy)
}

// apiError is an answer of 400 or more.
type apiError struct {
	Status  int    `json:"-"`
	Message string `json:"message"`
	ID      string `json:"id"`      // "unionfs.Mount/EINVAL"; only cutaway's own engine has IDs
	Chapter string `json:"chapter"` // "chapters/04-unionfs.md"
}

// Error is the daemon's message.
func (e *apiError) Error() string { return e.Message }

// Explain says where to read about it.
func (e *apiError) Explain() (id, chapter string) { return e.ID, e.Chapter }

// isNotFound reports whether the engine's answer is that there is no such thing.
func isNotFound(err error) bool {
	api, ok := errors.AsType[*apiError](err)
	return ok && api.Status == http.StatusNotFound
}

// call is one request.
type call struct {
	method string
	path   string // without the version
	query  url.Values
	body   any    // marshalled to JSON, or an io.Reader with a tar archive; nil for none
	auth   string // credentials for a registry, see credentials; "" for none
	auths  string // the same for a build, see allCredentials
}

func (c *client) request(ctx context.Context, what call) (*http.Request, error) {
	target := url.URL{Scheme: "http", Host: "cutaway", Path: "/" + apiVersion + what.path, RawQuery: what.query.Encode()}
	body, isTar := what.body.(io.Reader)
	kind := "application/x-tar"
	if what.body != nil && !isTar {
		data, err := json.Marshal(what.body)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		body, kind = bytes.NewReader(data), "application/json"
	}
	r, err := http.NewRequestWithContext(ctx, what.method, target.String(), body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", kind)
	}
	if what.auth != "" {
		r.Header.Set(registry.AuthHeader, what.auth)
	}
	if what.auths != "" {
		r.Header.Set("X-Registry-Config", what.auths)
	}
	return r, nil
}

// send makes a request and returns the answer, whose body the caller closes, or the daemon's error.
func (c *client) send(ctx context.Context, what call) (*http.Response, error) {
	r, err := c.request(ctx, what)
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(r)
	if told, ok := errors.AsType[explained](err); ok {
		return nil, told // without net/http's "Get \"http://cutaway/…\":"
	}
	if err != nil {
		return nil, err
	}
	return answer, refused(answer)
}

// refused turns an answer of 400 or more into an error and closes its body.
func refused(answer *http.Response) error {
	if answer.StatusCode < http.StatusBadRequest {
		return nil
	}
	defer answer.Body.Close()
	e := &apiError{Status: answer.StatusCode}
	data, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if json.Unmarshal(data, e) != nil || e.Message == "" {
		e.Message = strings.TrimSpace(fmt.Sprintf("%s %s", answer.Status, data))
	}
	if err != nil {
		return errors.Join(e, err)
	}
	return e
}

// do makes a request and decodes the JSON of its answer into result, unless that is nil.
func (c *client) do(ctx context.Context, what call, result any) error {
	answer, err := c.send(ctx, what)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if result == nil {
		_, err = io.Copy(io.Discard, answer.Body) // read to the end, the connection can be used again
		return err
	}
	if err := json.NewDecoder(answer.Body).Decode(result); err != nil {
		return fmt.Errorf("decode the answer of %s: %w", what.path, err)
	}
	return nil
}

// hijacked is a connection that has left HTTP: what is written to it is a process's standard input, and what is
// read from it is its output.
type hijacked struct {
	net.Conn
	reader      *bufio.Reader // may hold bytes that came with the header
	multiplexed bool          // standard output and error in one stream, in frames: see package stdcopy of moby
}

// Read reads the process's output.
func (h *hijacked) Read(p []byte) (int, error) { return h.reader.Read(p) }

// CloseWrite says that there is no more input; output still comes.
func (h *hijacked) CloseWrite() error {
	half, ok := h.Conn.(interface{ CloseWrite() error })
	if !ok {
		return nil
	}
	return half.CloseWrite()
}

// hijack makes a request and keeps its connection. "Upgrade: tcp" is Docker's; the answer is 101.
func (c *client) hijack(ctx context.Context, what call) (*hijacked, error) {
	r, err := c.request(ctx, what)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "tcp")
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	reader := bufio.NewReader(conn)
	answer, err := exchange(conn, reader, r) //nolint:bodyclose // the connection is the body, and is handed on
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	kind := answer.Header.Get("Content-Type")
	return &hijacked{Conn: conn, reader: reader, multiplexed: kind == multiplexedStream}, nil
}

// multiplexedStream and its twin, the raw stream, are what the daemon says in Content-Type since API 1.42.
const multiplexedStream = "application/vnd.docker.multiplexed-stream"

func exchange(conn net.Conn, reader *bufio.Reader, r *http.Request) (*http.Response, error) {
	if err := r.Write(conn); err != nil {
		return nil, fmt.Errorf("send to the engine: %w", err)
	}
	answer, err := http.ReadResponse(reader, r)
	if err != nil {
		return nil, fmt.Errorf("read the engine's answer: %w", err)
	}
	return answer, refused(answer)
}
