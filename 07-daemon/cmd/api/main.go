// Command api serves Docker's API from an engine that has no containers, only
// goroutines. Each request is printed as it is answered.
//
//	go run ./07-daemon/cmd/api -H unix:///tmp/api.sock &
//	docker -H unix:///tmp/api.sock run -i toolbox cat
//	curl --unix-socket /tmp/api.sock http://localhost/v1.50/containers/json?all=1
//
// With -tour it is its own client: it makes, starts and removes a container with
// plain HTTP, and prints each request, as one would type it for curl, and its answer.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	daemon "cutaway/07-daemon"
	"cutaway/07-daemon/memory"
)

func main() {
	host := flag.String("H", "unix:///tmp/cutaway-api.sock", "where to listen: unix:///path or tcp://127.0.0.1:port")
	tour := flag.Bool("tour", false, "show a container's life in requests and answers, then end")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := serve
	if *tour {
		run = show
	}
	if err := run(ctx, *host); err != nil {
		fmt.Fprintln(os.Stderr, "api:", err)
		os.Exit(1)
	}
}

// serve answers until a signal comes.
func serve(ctx context.Context, host string) error {
	l, err := daemon.Listen(host, daemon.ListenOptions{})
	if err != nil {
		return err
	}
	fmt.Printf("listening on %s; the image toolbox has: cat echo exit false sleep stty true warn yes\n", host)
	return daemon.New(memory.New().API(), daemon.Options{Observe: observe}).Serve(ctx, l)
}

func observe(r *http.Request, status int, err error) {
	fmt.Printf("%-6s %s → %d", r.Method, r.URL, status)
	if err != nil {
		fmt.Printf(" (%v)", err)
	}
	fmt.Println()
}
