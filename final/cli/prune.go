package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/image"
	"github.com/spf13/cobra"
)

// pruneFlags are the flags of all kinds of prune.
type pruneFlags struct {
	all, force bool
	filters    []string
}

func (f *pruneFlags) bind(c *cobra.Command) *cobra.Command {
	c.Args = cobra.NoArgs
	c.Flags().BoolVarP(&f.force, "force", "f", false, "do not ask")
	c.Flags().StringArrayVar(&f.filters, "filter", nil, "remove only `KEY=VALUE`, for example until=24h")
	return c
}

// pruned is what all kinds of prune answer.
type pruned struct {
	ContainersDeleted, NetworksDeleted, VolumesDeleted []string
	ImagesDeleted                                      []image.DeleteResponse
	SpaceReclaimed                                     uint64 // bytes
}

func (a *app) imagePruneCommand() *cobra.Command {
	var f pruneFlags
	c := f.bind(&cobra.Command{
		Use:   "prune [OPTIONS]",
		Short: "Remove images that nobody needs",
		RunE: func(c *cobra.Command, _ []string) error {
			what := "all dangling images"
			if f.all {
				what = "all images without at least one container associated to them"
			}
			return a.prune(c.Context(), f, []string{what}, "images")
		},
	})
	c.Flags().BoolVarP(&f.all, "all", "a", false, "also those with a name that no container was made from")
	return c
}

func (a *app) containerPruneCommand() *cobra.Command {
	var f pruneFlags
	return f.bind(&cobra.Command{
		Use:   "prune [OPTIONS]",
		Short: "Remove all containers that do not run",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.prune(c.Context(), f, []string{"all stopped containers"}, "containers")
		},
	})
}

func (a *app) systemPruneCommand() *cobra.Command {
	var f pruneFlags
	var volumes bool
	c := f.bind(&cobra.Command{
		Use:   "prune [OPTIONS]",
		Short: "Remove everything that nobody needs",
		RunE: func(c *cobra.Command, _ []string) error {
			kinds := []string{"containers", "networks"}
			what := []string{"all stopped containers", "all networks not used by at least one container"}
			if volumes {
				kinds, what = append(kinds, "volumes"), append(what, "all anonymous volumes not used by at least one container")
			}
			if f.all {
				what = append(what, "all images without at least one container associated to them")
			} else {
				what = append(what, "all dangling images")
			}
			return a.prune(c.Context(), f, what, append(kinds, "images")...)
		},
	})
	c.Flags().BoolVarP(&f.all, "all", "a", false, "also images with a name that no container was made from")
	c.Flags().BoolVar(&volumes, "volumes", false, "also volumes without a name")
	return c
}

// prune asks, has the engine remove each kind of thing, and tells what went.
func (a *app) prune(ctx context.Context, f pruneFlags, what []string, kinds ...string) error {
	if !f.force {
		fmt.Fprintf(a.out, "WARNING! This will remove:\n  - %s\n\nAre you sure you want to continue? [y/N] ", strings.Join(what, "\n  - "))
		answer, _ := bufio.NewReader(a.in).ReadString('\n')
		if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
			return errors.New("prune has been cancelled")
		}
	}
	total := uint64(0)
	for _, kind := range kinds {
		gone, err := a.pruneOne(ctx, f, kind)
		if err != nil {
			return err
		}
		a.showPruned(gone)
		total += gone.SpaceReclaimed
	}
	_, err := fmt.Fprintf(a.out, "Total reclaimed space: %s\n", units.HumanSize(float64(total)))
	return err
}

func (a *app) pruneOne(ctx context.Context, f pruneFlags, kind string) (gone pruned, err error) {
	c, err := a.client()
	if err != nil {
		return gone, err
	}
	query := url.Values{}
	filters := f.filters
	if kind == "images" && f.all {
		filters = append(slices.Clip(filters), "dangling=false")
	}
	if err := setFilters(query, filters); err != nil {
		return gone, err
	}
	err = c.do(ctx, call{method: "POST", path: "/" + kind + "/prune", query: query}, &gone)
	if kind != "images" && isNotFound(err) {
		err = nil // an engine without these has none to remove
	}
	return gone, err
}

func (a *app) showPruned(gone pruned) {
	for _, list := range []struct {
		title string
		names []string
	}{{"Containers", gone.ContainersDeleted}, {"Networks", gone.NetworksDeleted}, {"Volumes", gone.VolumesDeleted}} {
		if len(list.names) > 0 {
			fmt.Fprintf(a.out, "Deleted %s:\n%s\n\n", list.title, strings.Join(list.names, "\n"))
		}
	}
	if len(gone.ImagesDeleted) == 0 {
		return
	}
	fmt.Fprintln(a.out, "Deleted Images:")
	for _, g := range gone.ImagesDeleted {
		if g.Untagged != "" {
			fmt.Fprintln(a.out, "untagged:", g.Untagged)
		}
		if g.Deleted != "" {
			fmt.Fprintln(a.out, "deleted:", g.Deleted)
		}
	}
	fmt.Fprintln(a.out)
}
