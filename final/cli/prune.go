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
	all, volumes, force bool
	filters             []string
}

// pruneCommand removes the things of some kinds that nobody needs; volumes only if --volumes says so.
func (a *app) pruneCommand(short string, kinds ...string) *cobra.Command {
	var f pruneFlags
	c := command("prune [OPTIONS]", short, func(ctx context.Context, _ []string) error {
		if !f.volumes {
			kinds = slices.DeleteFunc(kinds, func(kind string) bool { return kind == "volumes" })
		}
		return a.prune(ctx, f, kinds)
	})
	c.Flags().BoolVarP(&f.force, "force", "f", false, "do not ask")
	c.Flags().StringArrayVar(&f.filters, "filter", nil, "remove only `KEY=VALUE`, for example until=24h")
	if slices.Contains(kinds, "images") {
		c.Flags().BoolVarP(&f.all, "all", "a", false, "also images with a name that no container was made from")
	}
	if slices.Contains(kinds, "volumes") {
		c.Flags().BoolVar(&f.volumes, "volumes", false, "also volumes without a name")
	}
	return c
}

// warning says what is removed of one kind.
func (f pruneFlags) warning(kind string) string {
	switch {
	case kind == "containers":
		return "all stopped containers"
	case kind == "volumes":
		return "all anonymous volumes not used by at least one container"
	case kind == "networks":
		return "all networks not used by at least one container"
	case f.all:
		return "all images without at least one container associated to them"
	}
	return "all dangling images"
}

// pruned is what all kinds of prune answer.
type pruned struct {
	ContainersDeleted, NetworksDeleted, VolumesDeleted []string
	ImagesDeleted                                      []image.DeleteResponse
	SpaceReclaimed                                     uint64 // bytes
}

// prune asks, has the engine remove each kind of thing, and tells what went.
func (a *app) prune(ctx context.Context, f pruneFlags, kinds []string) error {
	if !f.force {
		fmt.Fprint(a.out, "WARNING! This will remove:\n")
		for _, kind := range kinds {
			fmt.Fprintf(a.out, "  - %s\n", f.warning(kind))
		}
		fmt.Fprint(a.out, "\nAre you sure you want to continue? [y/N] ")
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
	filters := slices.Clip(f.filters)
	if kind == "images" && f.all {
		filters = append(filters, "dangling=false")
	}
	query := url.Values{}
	read := filter(query)
	for _, s := range filters {
		if err := read(s); err != nil {
			return gone, err
		}
	}
	err = a.do(ctx, call{method: "POST", path: "/" + kind + "/prune", query: query}, &gone)
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
	if len(gone.ImagesDeleted) > 0 {
		fmt.Fprintln(a.out, "Deleted Images:")
		a.showDeleted(gone.ImagesDeleted, "untagged: ", "deleted: ")
		fmt.Fprintln(a.out)
	}
}
