// Pull brings an image from a registry into a store, and shows every question
// and answer on the way.
//
//	pull [-dir DIR] [-platform OS/ARCH] [-q] NAME
//
// Lines that begin with an arrow are requests to the registry, with the status
// and the kind of what came; the others are the lines of `docker pull`. The
// store is an OCI image layout: look around in DIR with ls and jq.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"

	images "cutaway/05-images"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

func main() {
	dir := flag.String("dir", "store", "directory of the store")
	platform := flag.String("platform", "", "take the image for this `OS/ARCH`")
	quiet := flag.Bool("q", false, "print the image's ID only")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: pull [-dir DIR] [-platform OS/ARCH] [-q] NAME")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := pull(ctx, request{*dir, *platform, flag.Arg(0), *quiet})
	if err != nil {
		fmt.Fprintln(os.Stderr, "pull:", err)
		os.Exit(1)
	}
}

type request struct {
	dir, platform, name string
	quiet               bool
}

func pull(ctx context.Context, r request) error {
	ref, err := images.ParseReference(r.name)
	if err != nil {
		return err
	}
	var o images.PullOptions
	if r.platform != "" {
		if o.Platform, err = images.ParsePlatform(r.platform); err != nil {
			return err
		}
	}
	if o.Auth, err = credentials(ref); err != nil {
		return err
	}
	if !r.quiet {
		fmt.Printf("%s means %s\n", r.name, ref)
		o.Progress, o.Trace = line, answer
	}
	store, err := images.OpenStore(r.dir)
	if err != nil {
		return err
	}
	img, err := store.Pull(ctx, ref, o)
	if err == nil {
		fmt.Println(img.ID)
	}
	return err
}

// credentials are those that Docker's client has for the registry: in ~/.docker/config.json (or that of
// $DOCKER_CONFIG), or in the credential helper named there. Without any it is anonymous, and no error.
func credentials(ref images.Reference) (authn.Authenticator, error) {
	repo, err := name.NewRepository(ref.Name()) // docker.io is index.docker.io in that file
	if err != nil {
		return nil, err
	}
	return authn.DefaultKeychain.Resolve(repo)
}

func line(p images.Progress) {
	if p.Total > 0 { // a bar, on a terminal
		return
	}
	if p.ID != "" {
		fmt.Printf("%s: ", p.ID)
	}
	fmt.Println(p.Status)
}

func answer(resp *http.Response) {
	status := fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Content-Type"))
	fmt.Printf("→ %s %s  %s\n", resp.Request.Method, resp.Request.URL, strings.TrimSpace(status))
}
