package toolbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"
)

// httpd serves a directory, or, without one, answers every request with the host name: enough to see which
// of several containers has answered. SIGTERM and SIGINT end it with status 0.
func httpd(c *command) error {
	o, err := c.noOperands("f p: h:")
	if err != nil {
		return err
	}
	address := ":80"
	if o.has("p") {
		address = o["p"]
		if !strings.Contains(address, ":") {
			address = ":" + address
		}
	}
	var handler http.Handler = http.HandlerFunc(answerHostname)
	if o.has("h") {
		handler = http.FileServer(http.Dir(o["h"]))
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	stop := catch(syscall.SIGTERM, os.Interrupt)
	go func() {
		<-stop
		server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func answerHostname(w http.ResponseWriter, _ *http.Request) {
	name, err := os.Hostname()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, name)
}

// wget fetches one URL into a file that is named like the URL's last part, or into -O FILE; "-O -" prints it.
func wget(c *command) error {
	o, rest, err := c.operands("q O: T:", 1)
	if err != nil {
		return err
	}
	url := rest[0]
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	ctx := context.Background()
	if o.has("T") {
		timeout, err := duration(o["T"])
		if err != nil {
			return err
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return usagef("%v", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("server returned error: %s %s", response.Proto, response.Status)
	}
	return c.save(o, request.URL.Path, response.Body)
}

func (c *command) save(o options, urlPath string, body io.Reader) error {
	name := o["O"]
	if !o.has("O") {
		name = path.Base(urlPath)
	}
	if name == "." || name == "/" {
		name = "index.html"
	}
	if name == "-" {
		_, err := io.Copy(c.out, body)
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, body)
	if !o.has("q") {
		fmt.Fprintf(c.err, "saved %d bytes in %q\n", n, name)
	}
	return errors.Join(err, f.Close())
}

// nc copies standard input to a TCP connection and the connection to standard output, until the other side
// has closed. The end of standard input closes one direction only, so that the answer still arrives.
func nc(c *command) error {
	o, rest, err := c.parse("l p: w: z")
	if err != nil {
		return err
	}
	timeout := time.Duration(0) // none
	if o.has("w") {
		if timeout, err = duration(o["w"]); err != nil {
			return err
		}
	}
	var conn net.Conn
	if o.has("l") {
		conn, err = acceptOne(o, rest)
	} else if len(rest) == 2 {
		conn, err = net.DialTimeout("tcp", net.JoinHostPort(rest[0], rest[1]), timeout)
	} else {
		err = usagef("HOST and PORT are needed")
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	if o.has("z") { // only whether somebody listens
		return nil
	}
	sent := make(chan error, 1)
	go func() {
		_, err := io.Copy(conn, c.in)
		_ = conn.(*net.TCPConn).CloseWrite() // the other side may have closed both
		sent <- err
	}()
	_, err = io.Copy(c.out, conn)
	if err != nil || term.IsTerminal(int(c.in.Fd())) { // nobody is made to type on when the other side is gone
		return err
	}
	return <-sent
}

// acceptOne waits for one connection on a port: "nc -l -p 80" or "nc -l 80".
func acceptOne(o options, rest []string) (net.Conn, error) {
	port := o["p"]
	if !o.has("p") && len(rest) == 1 {
		port = rest[0]
	}
	if port == "" {
		return nil, usagef("a port is needed")
	}
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	return listener.Accept()
}
