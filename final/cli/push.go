package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"
)

func (a *app) pushCommand() *cobra.Command {
	var all, quiet bool
	var platform string
	c := &cobra.Command{
		Use:   "push [OPTIONS] NAME[:TAG]",
		Short: "Send an image to a registry",
		Args:  exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			repository, tag := splitTag(args[0])
			switch {
			case all && tag != "":
				return fmt.Errorf("tag can't be used with --all-tags/-a")
			case !all && tag == "":
				tag = "latest"
				if !quiet {
					fmt.Fprintln(a.out, "Using default tag: latest")
				}
			}
			query := url.Values{}
			set(query, "tag", tag)
			if err := setPlatform(query, platform); err != nil {
				return err
			}
			out := io.Writer(a.out)
			if quiet {
				out = io.Discard
			}
			if err := a.push(c.Context(), repository, pushing{query, out}); err != nil || !quiet {
				return err
			}
			_, err := fmt.Fprintln(a.out, canonical(args[0]))
			return err
		},
	}
	c.Flags().BoolVarP(&all, "all-tags", "a", false, "send all tags of the repository")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print the name only")
	c.Flags().StringVar(&platform, "platform", "", "os/arch[/variant]: fail if the image is for another one")
	return c
}

// pushing says how, and where the progress is shown.
type pushing struct {
	query url.Values
	out   io.Writer
}

func (a *app) push(ctx context.Context, repository string, p pushing) error {
	auth, err := credentials(repository)
	if err != nil {
		return err
	}
	return a.progress(ctx, call{method: "POST", path: "/images/" + repository + "/push", query: p.query, auth: auth}, p.out)
}

// progress makes a request whose answer is a stream of messages, and shows them.
func (a *app) progress(ctx context.Context, what call, out io.Writer) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	answer, err := c.send(ctx, what)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	show := newProgress(out)
	defer show.end()
	return showMessages(answer.Body, show)
}
