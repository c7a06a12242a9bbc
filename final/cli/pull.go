package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	images "cutaway/05-images"
)

func (a *app) pullCommand() *cobra.Command {
	var quiet bool
	o := pullOptions{out: a.out}
	c := command("pull [OPTIONS] NAME[:TAG|@DIGEST]", "Fetch an image from a registry", func(ctx context.Context, args []string) error {
		ref, err := images.ParseReference(args[0])
		if err != nil {
			return err
		}
		o.ref = args[0]
		if quiet {
			o.out = io.Discard
		}
		if err := a.pull(ctx, o); err != nil {
			return err
		}
		_, err = fmt.Fprintln(a.out, ref) // in full, as docker does: docker.io/library/alpine:latest
		return err
	})
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print the name only")
	c.Flags().StringVar(&o.platform, "platform", "", "`os/arch[/variant]`")
	return c
}

// pullOptions says what to pull and where its progress goes.
type pullOptions struct {
	ref, platform string
	out           io.Writer
}

// pull has the daemon fetch an image. Its answer is a stream of JSON objects, one for each thing that happens.
func (a *app) pull(ctx context.Context, o pullOptions) error {
	repository, tag := splitTag(o.ref)
	if tag == "" {
		tag = "latest"
		fmt.Fprintln(o.out, "Using default tag: latest")
	}
	query := url.Values{"fromImage": {repository}, "tag": {tag}, "platform": {o.platform}}
	auth, err := credentials(repository)
	if err != nil {
		return err
	}
	return a.progress(ctx, call{method: "POST", path: "/images/create", query: query, auth: auth}, o.out)
}

func (a *app) pushCommand() *cobra.Command {
	var all, quiet bool
	query := url.Values{}
	c := command("push [OPTIONS] NAME[:TAG]", "Send an image to a registry", func(ctx context.Context, args []string) error {
		ref, err := images.ParseReference(args[0])
		if err != nil {
			return err
		}
		out := io.Writer(a.out)
		if quiet {
			out = io.Discard
		}
		repository, tag := splitTag(args[0])
		switch {
		case all && tag != "":
			return fmt.Errorf("tag can't be used with --all-tags/-a")
		case !all && tag == "":
			tag = "latest"
			fmt.Fprintln(out, "Using default tag: latest")
		}
		query.Set("tag", tag)
		auth, err := credentials(repository)
		if err != nil {
			return err
		}
		err = a.progress(ctx, call{method: "POST", path: "/images/" + repository + "/push", query: query, auth: auth}, out)
		if err == nil && quiet {
			_, err = fmt.Fprintln(a.out, ref)
		}
		return err
	})
	c.Flags().BoolVarP(&all, "all-tags", "a", false, "send all tags of the repository")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print the name only")
	c.Flags().Func("platform", "`os/arch[/variant]`: fail if the image is for another one", platform(query))
	return c
}
