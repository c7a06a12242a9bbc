package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	"github.com/spf13/cobra"
)

func (a *app) psCommand() *cobra.Command {
	var f listFlags
	query := url.Values{}
	c := command("ps [OPTIONS]", "List containers", func(ctx context.Context, _ []string) error {
		var list []container.Summary
		if err := a.do(ctx, call{method: "GET", path: "/containers/json", query: query}, &list); err != nil {
			return err
		}
		t := table{columns: containerColumns(query.Get("size") == "true")}
		for _, ctr := range list {
			t.rows = append(t.rows, f.container(ctr))
		}
		return t.write(a.out, f)
	})
	c.Aliases = []string{"ls", "list"}
	fs := c.Flags()
	f.bind(fs)
	fs.BoolFuncP("all", "a", "show those that do not run, too", yes(query, "all"))
	fs.BoolFuncP("size", "s", "show sizes", yes(query, "size"))
	fs.FuncP("filter", "f", "show only `KEY=VALUE`, for example status=exited", filter(query))
	fs.FuncP("last", "n", "show the newest `n`", func(s string) error {
		n, err := strconv.Atoi(s)
		if n > 0 {
			query.Set("limit", s)
		}
		return err
	})
	fs.BoolFuncP("latest", "l", "show the newest one", func(string) error {
		query.Set("limit", "1")
		return nil
	})
	return c
}

func containerColumns(size bool) []column {
	return []column{
		{"ID", "CONTAINER ID", true}, {"Image", "IMAGE", true}, {"Command", "COMMAND", true},
		{"RunningFor", "CREATED", true}, {"Status", "STATUS", true}, {"Ports", "PORTS", true}, {"Names", "NAMES", true},
		{"Size", "SIZE", size}, {"State", "STATE", false}, {"CreatedAt", "CREATED AT", false},
		{"Labels", "LABELS", false}, {"Networks", "NETWORKS", false}, {"Mounts", "MOUNTS", false},
	}
}

// container is a row about a container.
func (f listFlags) container(ctr container.Summary) row {
	command, image := strconv.Quote(ctr.Command), ctr.Image
	if !f.noTrunc {
		command = strconv.Quote(ellipsis(ctr.Command, 20))
		if strings.HasPrefix(image, "sha256:") {
			image = shortID(image)
		}
	}
	var networks, mounts []string
	if ctr.NetworkSettings != nil {
		networks = slices.Sorted(maps.Keys(ctr.NetworkSettings.Networks))
	}
	for _, m := range ctr.Mounts {
		mounts = append(mounts, cmp.Or(m.Name, m.Source))
	}
	created := time.Unix(ctr.Created, 0)
	return row{
		"ID": f.id(ctr.ID), "Image": image, "Command": command, "RunningFor": ago(created), "CreatedAt": created.Format(createdAt),
		"Status": ctr.Status, "State": string(ctr.State), "Ports": portList(ctr.Ports), "Names": containerNames(ctr.Names),
		"Size": sizes(ctr), "Labels": labelList(ctr.Labels),
		"Networks": strings.Join(networks, ","), "Mounts": strings.Join(mounts, ","),
	}
}

// createdAt is how docker writes {{.CreatedAt}}.
const createdAt = "2006-01-02 15:04:05 -0700 MST"

func ago(t time.Time) string { return units.HumanDuration(time.Since(t)) + " ago" }

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
	if ctr.SizeRootFs == 0 {
		return humanSize(ctr.SizeRw)
	}
	return fmt.Sprintf("%s (virtual %s)", humanSize(ctr.SizeRw), humanSize(ctr.SizeRootFs))
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
			text = hostPort(p.IP, strconv.Itoa(int(p.PublicPort))) + "->" + text
		}
		list = append(list, text)
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), ", ")
}

// hostPort is where a port is published; no address stands for all.
func hostPort(ip netip.Addr, port string) string {
	if !ip.IsValid() {
		ip = netip.IPv4Unspecified()
	}
	return net.JoinHostPort(ip.String(), port)
}
