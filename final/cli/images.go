package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/image"
	"github.com/spf13/cobra"
)

func (a *app) imagesCommand() *cobra.Command {
	var f listFlags
	query := url.Values{}
	only := filter(query)
	c := command("images [OPTIONS] [REPOSITORY[:TAG]]", "List images", func(ctx context.Context, args []string) error {
		for _, reference := range args {
			if err := only("reference=" + reference); err != nil {
				return err
			}
		}
		var list []image.Summary
		if err := a.do(ctx, call{method: "GET", path: "/images/json", query: query}, &list); err != nil {
			return err
		}
		t := table{columns: []column{
			{"Repository", "REPOSITORY", true}, {"Tag", "TAG", true}, {"Digest", "DIGEST", query.Get("digests") == "true"}, {"ID", "IMAGE ID", true},
			{"CreatedSince", "CREATED", true}, {"Size", "SIZE", true}, {"CreatedAt", "CREATED AT", false},
		}}
		for _, img := range list {
			t.rows = append(t.rows, f.image(img)...)
		}
		return t.write(a.out, f)
	})
	fs := c.Flags()
	f.bind(fs)
	fs.BoolFuncP("all", "a", "show images without a name that others are made of, too", yes(query, "all"))
	fs.BoolFunc("digests", "show digests", yes(query, "digests"))
	fs.FuncP("filter", "f", "show only `KEY=VALUE`, for example dangling=true", only)
	return c
}

// image is a row for every name of an image, or one without a name; one, too, if only its ID is asked for.
func (f listFlags) image(img image.Summary) []row {
	names := slices.Clone(img.RepoTags)
	for _, d := range img.RepoDigests { // a repository that it has no tag of
		repository, _, _ := strings.Cut(d, "@")
		if !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, repository+":") }) {
			names = append(names, repository+":<none>")
		}
	}
	switch {
	case len(names) == 0:
		names = []string{"<none>:<none>"}
	case f.quiet && f.format == "":
		names = names[:1]
	}
	created := time.Unix(img.Created, 0)
	var rows []row
	for _, name := range names {
		repository, tag := splitTag(name)
		rows = append(rows, row{
			"Repository": repository, "Tag": tag, "Digest": digestOf(img, repository), "ID": f.id(img.ID),
			"CreatedSince": ago(created), "CreatedAt": created.Format(createdAt), "Size": humanSize(img.Size),
		})
	}
	return rows
}

func digestOf(img image.Summary, repository string) string {
	for _, d := range img.RepoDigests {
		if digest, ok := strings.CutPrefix(d, repository+"@"); ok {
			return digest
		}
	}
	return "<none>"
}

// splitTag divides "localhost:5000/a/b:1.0" at the colon that no slash follows; a digest stays with its "sha256:".
func splitTag(ref string) (repository, tag string) {
	if repository, digest, ok := strings.Cut(ref, "@"); ok {
		return repository, digest
	}
	if i := strings.LastIndexByte(ref, ':'); i > strings.LastIndexByte(ref, '/') {
		return ref[:i], ref[i+1:]
	}
	return ref, ""
}

func (a *app) removeImageCommand() *cobra.Command {
	query := url.Values{}
	c := command("rmi [OPTIONS] IMAGE [IMAGE...]", "Remove images", func(ctx context.Context, args []string) error {
		return a.each(args, func(ref string) error {
			var gone []image.DeleteResponse
			err := a.do(ctx, call{method: "DELETE", path: "/images/" + ref, query: query}, &gone)
			a.showDeleted(gone, "Untagged: ", "Deleted: ")
			return err
		})
	})
	c.Flags().BoolFuncP("force", "f", "remove it even if it has several names or stopped containers", yes(query, "force"))
	c.Flags().BoolFunc("no-prune", "keep parents without a name", yes(query, "noprune"))
	return c
}

// showDeleted lists the names and images that are gone.
func (a *app) showDeleted(gone []image.DeleteResponse, untagged, deleted string) {
	for _, g := range gone {
		if g.Untagged != "" {
			fmt.Fprintln(a.out, untagged+g.Untagged)
		}
		if g.Deleted != "" {
			fmt.Fprintln(a.out, deleted+g.Deleted)
		}
	}
}

func (a *app) tagCommand() *cobra.Command {
	return command("tag IMAGE[:TAG] NAME[:TAG]", "Give an image one more name", func(ctx context.Context, args []string) error {
		if strings.Contains(args[1], "@") {
			return errors.New("a digest cannot be given, it follows from the content")
		}
		query := url.Values{}
		setName(query, args[1:])
		return a.do(ctx, call{method: "POST", path: "/images/" + args[0] + "/tag", query: query}, nil)
	})
}
