package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/image"
	"github.com/spf13/cobra"
)

// imagesFlags are the flags of images.
type imagesFlags struct {
	all, quiet, digests, noTrunc bool
	filters                      []string
	format                       string
}

func (a *app) imagesCommand() *cobra.Command {
	var f imagesFlags
	c := &cobra.Command{
		Use:   "images [OPTIONS] [REPOSITORY[:TAG]]",
		Short: "List images",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			for _, reference := range args {
				f.filters = append(f.filters, "reference="+reference)
			}
			return a.images(c.Context(), f)
		},
	}
	fs := c.Flags()
	fs.BoolVarP(&f.all, "all", "a", false, "show images without a name that others are made of, too")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "show IDs only")
	fs.BoolVar(&f.digests, "digests", false, "show digests")
	fs.BoolVar(&f.noTrunc, "no-trunc", false, "show IDs in full")
	fs.StringArrayVarP(&f.filters, "filter", "f", nil, "show only `KEY=VALUE`, for example dangling=true")
	fs.StringVar(&f.format, "format", "", "\"json\", \"table TEMPLATE\" or a Go template")
	return c
}

func (a *app) images(ctx context.Context, f imagesFlags) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	query := on(map[string]bool{"all": f.all, "digests": f.digests})
	if err := setFilters(query, f.filters); err != nil {
		return err
	}
	var list []image.Summary
	if err := c.do(ctx, call{method: "GET", path: "/images/json", query: query}, &list); err != nil {
		return err
	}
	if f.quiet && f.format == "" {
		for _, img := range list {
			fmt.Fprintln(a.out, f.id(img.ID))
		}
		return nil
	}
	t := table{columns: []column{
		{"Repository", "REPOSITORY", true}, {"Tag", "TAG", true}, {"Digest", "DIGEST", f.digests}, {"ID", "IMAGE ID", true},
		{"CreatedSince", "CREATED", true}, {"Size", "SIZE", true}, {"CreatedAt", "CREATED AT", false},
	}}
	for _, img := range list {
		t.rows = append(t.rows, f.rows(img)...)
	}
	return t.write(a.out, f.format)
}

func (f imagesFlags) id(id string) string {
	if f.noTrunc {
		return id
	}
	return shortID(id)
}

// rows is a row for every name of an image, or one without a name.
func (f imagesFlags) rows(img image.Summary) []row {
	created := time.Unix(img.Created, 0)
	names := img.RepoTags
	if len(names) == 0 {
		names = []string{"<none>:<none>"}
		if len(img.RepoDigests) > 0 {
			repository, _, _ := strings.Cut(img.RepoDigests[0], "@")
			names = []string{repository + ":<none>"}
		}
	}
	var rows []row
	for _, name := range names {
		repository, tag := splitTag(name)
		rows = append(rows, row{
			"Repository": repository, "Tag": tag, "Digest": digestOf(img, repository), "ID": f.id(img.ID),
			"CreatedSince": ago(created), "CreatedAt": created.Format("2006-01-02 15:04:05 -0700 MST"),
			"Size": units.HumanSizeWithPrecision(float64(img.Size), 3),
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
	var force, noPrune bool
	c := &cobra.Command{
		Use:   "rmi [OPTIONS] IMAGE [IMAGE...]",
		Short: "Remove images",
		Args:  atLeast(1),
		RunE: func(c *cobra.Command, args []string) error {
			query := on(map[string]bool{"force": force, "noprune": noPrune})
			var failed bool
			for _, ref := range args {
				if err := a.removeImage(c.Context(), ref, query); err != nil {
					a.status(err)
					failed = true
				}
			}
			if failed {
				return exitError{code: 1}
			}
			return nil
		},
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "remove it even if it has several names or stopped containers")
	c.Flags().BoolVar(&noPrune, "no-prune", false, "keep parents without a name")
	return c
}

func (a *app) removeImage(ctx context.Context, ref string, query url.Values) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	var gone []image.DeleteResponse
	if err := c.do(ctx, call{method: "DELETE", path: "/images/" + ref, query: query}, &gone); err != nil {
		return err
	}
	for _, g := range gone {
		if g.Untagged != "" {
			fmt.Fprintln(a.out, "Untagged:", g.Untagged)
		}
		if g.Deleted != "" {
			fmt.Fprintln(a.out, "Deleted:", g.Deleted)
		}
	}
	return nil
}

func (a *app) tagCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "tag IMAGE[:TAG] NAME[:TAG]",
		Short: "Give an image one more name",
		Args:  exactly(2),
		RunE: func(c *cobra.Command, args []string) error {
			repository, tag := splitTag(args[1])
			if strings.Contains(args[1], "@") {
				return errors.New("a digest cannot be given, it follows from the content")
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			query := url.Values{"repo": {repository}}
			set(query, "tag", tag)
			return client.do(c.Context(), call{method: "POST", path: "/images/" + args[0] + "/tag", query: query}, nil)
		},
	}
}
