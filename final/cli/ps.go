package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	"github.com/spf13/cobra"
)

// psFlags are the flags of ps.
type psFlags struct {
	all, quiet, noTrunc, latest, size bool
	last                              int
	filters                           []string
	format                            string
}

func (a *app) psCommand() *cobra.Command {
	var f psFlags
	c := &cobra.Command{
		Use:     "ps [OPTIONS]",
		Aliases: []string{"ls", "list"},
		Short:   "List containers",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.ps(c.Context(), f) },
	}
	fs := c.Flags()
	fs.BoolVarP(&f.all, "all", "a", false, "show those that do not run, too")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "show IDs only")
	fs.BoolVar(&f.noTrunc, "no-trunc", false, "show everything in full")
	fs.BoolVarP(&f.latest, "latest", "l", false, "show the newest one")
	fs.BoolVarP(&f.size, "size", "s", false, "show sizes")
	fs.IntVarP(&f.last, "last", "n", -1, "show the newest `n`")
	fs.StringArrayVarP(&f.filters, "filter", "f", nil, "show only `KEY=VALUE`, for example status=exited")
	fs.StringVar(&f.format, "format", "", "\"json\", \"table TEMPLATE\" or a Go template")
	return c
}

func (a *app) ps(ctx context.Context, f psFlags) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	query := on(map[string]bool{"all": f.all, "size": f.size})
	if f.latest {
		f.last = 1
	}
	if f.last > 0 {
		query.Set("limit", strconv.Itoa(f.last))
	}
	if err := setFilters(query, f.filters); err != nil {
		return err
	}
	var list []container.Summary
	if err := c.do(ctx, call{method: "GET", path: "/containers/json", query: query}, &list); err != nil {
		return err
	}
	if f.quiet && f.format == "" {
		for _, ctr := range list {
			fmt.Fprintln(a.out, f.id(ctr.ID))
		}
		return nil
	}
	t := table{columns: f.columns()}
	for _, ctr := range list {
		t.rows = append(t.rows, f.row(ctr))
	}
	return t.write(a.out, f.format)
}

func (f psFlags) columns() []column {
	return []column{
		{"ID", "CONTAINER ID", true}, {"Image", "IMAGE", true}, {"Command", "COMMAND", true},
		{"RunningFor", "CREATED", true}, {"Status", "STATUS", true}, {"Ports", "PORTS", true}, {"Names", "NAMES", true},
		{"Size", "SIZE", f.size}, {"State", "STATE", false}, {"CreatedAt", "CREATED AT", false},
		{"Labels", "LABELS", false}, {"Networks", "NETWORKS", false}, {"Mounts", "MOUNTS", false},
	}
}

func (f psFlags) row(ctr container.Summary) row {
	created := time.Unix(ctr.Created, 0)
	command := strconv.Quote(ctr.Command)
	image := ctr.Image
	if !f.noTrunc {
		command = strconv.Quote(ellipsis(ctr.Command, 20))
		image = strings.TrimPrefix(image, "sha256:")
		if image != ctr.Image {
			image = truncate(image, 12)
		}
	}
	var networks, mounts []string
	if ctr.NetworkSettings != nil {
		for name := range ctr.NetworkSettings.Networks {
			networks = append(networks, name)
		}
	}
	slices.Sort(networks)
	for _, m := range ctr.Mounts {
		mounts = append(mounts, cmpOr(m.Name, m.Source))
	}
	return row{
		"ID": f.id(ctr.ID), "Image": image, "Command": command,
		"RunningFor": ago(created), "CreatedAt": created.Format("2006-01-02 15:04:05 -0700 MST"),
		"Status": ctr.Status, "State": string(ctr.State), "Ports": portList(ctr.Ports), "Names": containerNames(ctr.Names),
		"Size": sizes(ctr), "Labels": labelList(ctr.Labels),
		"Networks": strings.Join(networks, ","), "Mounts": strings.Join(mounts, ","),
	}
}

func (f psFlags) id(id string) string {
	if f.noTrunc {
		return id
	}
	return shortID(id)
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// containerNames drops the slash that the API puts before a name, and names that are links ("/a/b").
func containerNames(names []string) string {
	var plain []string
	for _, n := range names {
		if n = strings.TrimPrefix(n, "/"); !strings.Contains(n, "/") {
			plain = append(plain, n)
		}
	}
	return strings.Join(plain, ",")
}

func sizes(ctr container.Summary) string {
	own := units.HumanSizeWithPrecision(float64(ctr.SizeRw), 3)
	if ctr.SizeRootFs == 0 {
		return own
	}
	return fmt.Sprintf("%s (virtual %s)", own, units.HumanSizeWithPrecision(float64(ctr.SizeRootFs), 3))
}

func labelList(labels map[string]string) string {
	var list []string
	for name, value := range labels {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return strings.Join(list, ",")
}

// portList is "0.0.0.0:8080->80/tcp, 443/tcp".
func portList(ports []container.PortSummary) string {
	var list []string
	for _, p := range ports {
		text := fmt.Sprintf("%d/%s", p.PrivatePort, p.Type)
		if p.PublicPort != 0 {
			host := "0.0.0.0"
			if p.IP.IsValid() {
				host = p.IP.String()
			}
			if p.IP.Is6() {
				host = "[" + host + "]"
			}
			text = fmt.Sprintf("%s:%d->%s", host, p.PublicPort, text)
		}
		list = append(list, text)
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), ", ")
}

// shortID is the first twelve digits, without the name of the hash.
func shortID(id string) string {
	return truncate(strings.TrimPrefix(id, "sha256:"), 12)
}

func ago(t time.Time) string { return units.HumanDuration(time.Since(t)) + " ago" }

// setFilters writes "status=exited" as the API has it: {"status": {"exited": true}}.
func setFilters(query url.Values, filters []string) error {
	if len(filters) == 0 {
		return nil
	}
	all := map[string]map[string]bool{}
	for _, f := range filters {
		key, value, ok := strings.Cut(f, "=")
		if !ok {
			return fmt.Errorf("filter %q is not KEY=VALUE", f)
		}
		key = strings.ToLower(strings.TrimSpace(key))
		if all[key] == nil {
			all[key] = map[string]bool{}
		}
		all[key][strings.TrimSpace(value)] = true
	}
	data, err := json.Marshal(all)
	query.Set("filters", string(data))
	return err
}
