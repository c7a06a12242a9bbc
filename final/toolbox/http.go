package toolbox

import (
	"cmp"
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
)

// httpd serves a directory, or, without one, answers every request with the host name: enough to see which
// of several containers has answered. SIGTERM and SIGINT end it with status 0.
func httpd(c *command) error {
	address := cmp.Or(c.options["p"], "80")
	if !strings.Contains(address, ":") {
		address = ":" + address
	}
	var handler http.Handler = http.HandlerFunc(answerHostname)
	if c.has("h") {
		handler = http.FileServer(http.Dir(c.options["h"]))
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	stop := make(chan os.Signal, 1)
	catch(stop, syscall.SIGTERM, os.Interrupt)
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
	url := c.args[0]
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	response, err := http.Get(url) //nolint:noctx // a signal ends it
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("server returned error: %s %s", response.Proto, response.Status)
	}
	name := cmp.Or(c.options["O"], path.Base(response.Request.URL.Path))
	switch name {
	case "-":
		_, err := io.Copy(c.out, response.Body)
		return err
	case ".", "/":
		name = "index.html"
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, response.Body)
	if !c.has("q") {
		fmt.Fprintf(c.err, "saved %d bytes in %q\n", n, name)
	}
	return errors.Join(err, f.Close())
}
