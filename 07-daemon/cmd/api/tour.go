package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	daemon "cutaway/07-daemon"
	"cutaway/07-daemon/memory"
)

// stop is one request of the tour.
type stop struct{ method, path, body string }

var stops = []stop{
	{"GET", "/_ping", ""},
	{"POST", "/v1.50/containers/create?name=web", `{"Image":"toolbox","Cmd":["echo","hello from a goroutine"]}`},
	{"POST", "/v1.50/containers/web/start", ""},
	{"POST", "/v1.50/containers/web/wait", ""},
	{"GET", `/v1.50/containers/json?filters={"status":["exited"]}`, ""},
	{"GET", "/v1.50/containers/web/logs?stdout=1", ""},
	{"POST", "/v1.50/containers/web/kill?signal=TERM", ""},
	{"DELETE", "/v1.50/containers/web", ""},
	{"GET", "/v1.50/containers/web/json", ""},
	{"GET", "/v1.99/containers/json", ""},
	{"GET", "/v1.50/kubernetes", ""},
}

// show serves on a socket of its own and visits all stops.
func show(ctx context.Context, _ string) error {
	dir, err := os.MkdirTemp("", "api-tour-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "api.sock")
	l, err := daemon.Listen("unix://"+socket, daemon.ListenOptions{})
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- daemon.New(memory.New().API(), daemon.Options{}).Serve(ctx, l) }()

	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	for _, at := range stops {
		if err = at.visit(client); err != nil {
			break
		}
	}
	end()
	return errors.Join(err, <-served)
}

// visit makes one request and prints both sides.
func (s stop) visit(client *http.Client) error {
	fmt.Println(s.curl())
	req, err := http.NewRequest(s.method, "http://localhost"+strings.ReplaceAll(s.path, `"`, "%22"), strings.NewReader(s.body))
	if err != nil {
		return err
	}
	if s.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	fmt.Printf("  %s  %s\n", resp.Status, resp.Header.Get("Content-Type"))
	switch {
	case json.Valid(answer):
		fmt.Printf("  %s\n", strings.TrimSpace(string(answer)))
	case len(answer) > 0:
		fmt.Printf("  %q\n", answer)
	}
	fmt.Println()
	return err
}

// curl is the command that sends the same request.
func (s stop) curl() string {
	words := []string{"$ curl -g --unix-socket /tmp/cutaway-api.sock"}
	if s.method != "GET" {
		words = append(words, "-X "+s.method)
	}
	if s.body != "" {
		words = append(words, "-H 'Content-Type: application/json' -d '"+s.body+"'")
	}
	return strings.Join(append(words, "'http://localhost"+s.path+"'"), " ")
}
