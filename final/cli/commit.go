package cli

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/common"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/spf13/cobra"
)

func (a *app) commitCommand() *cobra.Command {
	query := url.Values{}
	c := command("commit [OPTIONS] CONTAINER [NAME[:TAG]]", "Make an image of a container's changes", func(ctx context.Context, args []string) error {
		query.Set("container", args[0])
		setName(query, args[1:])
		var made common.IDResponse
		if err := a.do(ctx, call{method: "POST", path: "/commit", query: query}, &made); err != nil {
			return err
		}
		_, err := fmt.Fprintln(a.out, made.ID)
		return err
	})
	c.Flags().FuncP("author", "a", "whose the image is: `NAME`", text(query, "author"))
	c.Flags().FuncP("message", "m", "`comment` for the history", text(query, "comment"))
	c.Flags().FuncP("change", "c", "apply an `instruction` of a Dockerfile, such as 'CMD sh'", more(query, "changes"))
	c.Flags().BoolFuncP("pause", "p", "freeze the container meanwhile (default true)", yes(query, "pause"))
	return c
}

func (a *app) diffCommand() *cobra.Command {
	return command("diff CONTAINER", "Show what a container has changed: A added, C changed, D deleted", func(ctx context.Context, args []string) error {
		var changes []container.FilesystemChange
		err := a.do(ctx, call{method: "GET", path: "/containers/" + args[0] + "/changes"}, &changes)
		for _, change := range changes {
			fmt.Fprintln(a.out, change.Kind, change.Path)
		}
		return err
	})
}

// historyFlags are the flags of history.
type historyFlags struct {
	listFlags
	human bool
}

func (a *app) historyCommand() *cobra.Command {
	var f historyFlags
	query := url.Values{}
	c := command("history [OPTIONS] IMAGE", "Show how an image was made", func(ctx context.Context, args []string) error {
		var steps []image.HistoryResponseItem
		if err := a.do(ctx, call{method: "GET", path: "/images/" + args[0] + "/history", query: query}, &steps); err != nil {
			return err
		}
		t := table{columns: []column{
			{"ID", "IMAGE", true}, {"CreatedSince", "CREATED", f.human}, {"CreatedAt", "CREATED AT", !f.human},
			{"CreatedBy", "CREATED BY", true}, {"Size", "SIZE", true}, {"Comment", "COMMENT", true},
		}}
		for _, s := range steps {
			t.rows = append(t.rows, f.row(s))
		}
		return t.write(a.out, f.listFlags)
	})
	f.bind(c.Flags())
	c.Flags().BoolVar(&f.human, "human", true, "show times and sizes as people read them")
	c.Flags().Func("platform", "`os/arch[/variant]`: fail if the image is for another one", platform(query))
	return c
}

func (f historyFlags) row(s image.HistoryResponseItem) row {
	created := time.Unix(s.Created, 0)
	r := row{
		"ID": f.id(s.ID), "CreatedSince": ago(created), "CreatedAt": created.Format(time.RFC3339), "Comment": s.Comment,
		"CreatedBy": strings.ReplaceAll(s.CreatedBy, "\t", " "), "Size": strconv.FormatInt(s.Size, 10),
	}
	if f.human {
		r["Size"] = humanSize(s.Size)
	}
	if !f.noTrunc {
		r["CreatedBy"] = ellipsis(r["CreatedBy"], 45)
	}
	return r
}
