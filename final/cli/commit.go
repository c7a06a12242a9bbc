package cli

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/common"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/spf13/cobra"
)

func (a *app) commitCommand() *cobra.Command {
	var changes []string
	var author, message string
	pause := true
	c := &cobra.Command{
		Use:   "commit [OPTIONS] CONTAINER [NAME[:TAG]]",
		Short: "Make an image of a container's changes",
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			query := url.Values{"container": {args[0]}, "changes": changes, "pause": {strconv.FormatBool(pause)}}
			set(query, "author", author)
			set(query, "comment", message)
			if len(args) > 1 {
				repository, tag := splitTag(args[1])
				set(query, "repo", repository)
				set(query, "tag", tag)
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			var made common.IDResponse
			if err := client.do(c.Context(), call{method: "POST", path: "/commit", query: query}, &made); err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.out, made.ID)
			return err
		},
	}
	c.Flags().StringVarP(&author, "author", "a", "", "whose the image is")
	c.Flags().StringVarP(&message, "message", "m", "", "comment for the history")
	c.Flags().StringArrayVarP(&changes, "change", "c", nil, "apply an `instruction` of a Dockerfile, such as 'CMD sh'")
	c.Flags().BoolVarP(&pause, "pause", "p", true, "freeze the container meanwhile")
	return c
}

func (a *app) diffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff CONTAINER",
		Short: "Show what a container has changed: A added, C changed, D deleted",
		Args:  exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			var changes []container.FilesystemChange
			if err := client.do(c.Context(), call{method: "GET", path: "/containers/" + args[0] + "/changes"}, &changes); err != nil {
				return err
			}
			for _, change := range changes {
				fmt.Fprintln(a.out, change.Kind, change.Path)
			}
			return nil
		},
	}
}

// historyFlags are the flags of history.
type historyFlags struct {
	quiet, noTrunc, human bool
	format, platform      string
}

func (a *app) historyCommand() *cobra.Command {
	var f historyFlags
	c := &cobra.Command{
		Use:   "history [OPTIONS] IMAGE",
		Short: "Show how an image was made",
		Args:  exactly(1),
		RunE:  func(c *cobra.Command, args []string) error { return a.history(c.Context(), f, args[0]) },
	}
	fs := c.Flags()
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "show IDs only")
	fs.BoolVar(&f.noTrunc, "no-trunc", false, "show everything in full")
	fs.BoolVar(&f.human, "human", true, "show times and sizes as people read them")
	fs.StringVar(&f.format, "format", "", "\"json\", \"table TEMPLATE\" or a Go template")
	fs.StringVar(&f.platform, "platform", "", "os/arch[/variant]: fail if the image is for another one")
	return c
}

func (a *app) history(ctx context.Context, f historyFlags, ref string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	query := url.Values{}
	if err := setPlatform(query, f.platform); err != nil {
		return err
	}
	var steps []image.HistoryResponseItem
	if err := c.do(ctx, call{method: "GET", path: "/images/" + ref + "/history", query: query}, &steps); err != nil {
		return err
	}
	t := table{columns: []column{
		{"ID", "IMAGE", true}, {"CreatedSince", "CREATED", f.human}, {"CreatedAt", "CREATED AT", !f.human},
		{"CreatedBy", "CREATED BY", true}, {"Size", "SIZE", true}, {"Comment", "COMMENT", true},
	}}
	for _, s := range steps {
		r := f.row(s)
		if f.quiet && f.format == "" {
			fmt.Fprintln(a.out, r["ID"])
		}
		t.rows = append(t.rows, r)
	}
	if f.quiet && f.format == "" {
		return nil
	}
	return t.write(a.out, f.format)
}

func (f historyFlags) row(s image.HistoryResponseItem) row {
	created := time.Unix(s.Created, 0)
	r := row{
		"ID": s.ID, "CreatedSince": ago(created), "CreatedAt": created.Format(time.RFC3339), "Comment": s.Comment,
		"CreatedBy": strings.ReplaceAll(s.CreatedBy, "\t", " "), "Size": strconv.FormatInt(s.Size, 10),
	}
	if f.human {
		r["Size"] = units.HumanSizeWithPrecision(float64(s.Size), 3)
	}
	if !f.noTrunc {
		r["ID"], r["CreatedBy"] = shortID(s.ID), ellipsis(r["CreatedBy"], 45)
	}
	return r
}
