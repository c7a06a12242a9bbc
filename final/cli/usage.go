package cli

import (
	"context"
	"fmt"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/volume"
	"github.com/spf13/cobra"
)

// usage is the answer of /system/df before API 1.52.
type usage struct {
	LayersSize int64 // bytes
	Images     []image.Summary
	Containers []container.Summary
	Volumes    []volume.Volume
	BuildCache []build.CacheRecord
}

// taken is one line of it.
type taken struct {
	kind          string
	total, active int
	size, free    int64 // bytes
}

func (a *app) usageCommand() *cobra.Command {
	var verbose bool
	var f listFlags
	c := command("df [OPTIONS]", "Show what takes how much of the disk", func(ctx context.Context, _ []string) error {
		var u usage
		if err := a.do(ctx, call{method: "GET", path: "/system/df"}, &u); err != nil {
			return err
		}
		if verbose {
			return a.usageInDetail(u)
		}
		t := table{columns: []column{
			{"Type", "TYPE", true}, {"TotalCount", "TOTAL", true}, {"Active", "ACTIVE", true}, {"Size", "SIZE", true}, {"Reclaimable", "RECLAIMABLE", true},
		}}
		for _, k := range u.kinds() {
			t.rows = append(t.rows, k.row())
		}
		return t.write(a.out, f)
	})
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "show each image and container")
	c.Flags().StringVar(&f.format, "format", "", "\"json\", \"table TEMPLATE\" or a Go template")
	return c
}

func (k taken) row() row {
	free := units.HumanSize(float64(k.free))
	if k.size > 0 {
		free += fmt.Sprintf(" (%d%%)", k.free*100/k.size)
	}
	return row{
		"Type": k.kind, "TotalCount": fmt.Sprint(k.total), "Active": fmt.Sprint(k.active),
		"Size": units.HumanSize(float64(k.size)), "Reclaimable": free,
	}
}

// add counts one thing in, which so many use.
func (k *taken) add(size, users int64) {
	k.size += size
	if users > 0 {
		k.active++
	} else {
		k.free += size
	}
}

// kinds adds the lists up.
func (u usage) kinds() []taken {
	images := taken{kind: "Images", total: len(u.Images), size: u.LayersSize, free: u.LayersSize}
	for _, i := range u.Images {
		if i.Containers > 0 {
			images.active++
			images.free -= i.Size - i.SharedSize
		}
	}
	containers := taken{kind: "Containers", total: len(u.Containers)}
	for _, c := range u.Containers {
		users := int64(0)
		if c.State == container.StateRunning || c.State == container.StatePaused {
			users = 1
		}
		containers.add(c.SizeRw, users)
	}
	volumes := taken{kind: "Local Volumes", total: len(u.Volumes)}
	for _, v := range u.Volumes {
		if v.UsageData != nil {
			volumes.add(v.UsageData.Size, v.UsageData.RefCount)
		}
	}
	cache := taken{kind: "Build Cache", total: len(u.BuildCache)}
	for _, b := range u.BuildCache {
		cache.add(b.Size, 0)
	}
	return []taken{images, containers, volumes, cache}
}

func (a *app) usageInDetail(u usage) error {
	t := table{columns: []column{
		{"Repository", "REPOSITORY", true}, {"Tag", "TAG", true}, {"ID", "IMAGE ID", true}, {"CreatedSince", "CREATED", true},
		{"Size", "SIZE", true}, {"Shared", "SHARED SIZE", true}, {"Unique", "UNIQUE SIZE", true}, {"Containers", "CONTAINERS", true},
	}}
	for _, i := range u.Images {
		for _, r := range (listFlags{}).image(i) {
			r["Shared"], r["Unique"] = units.HumanSize(float64(i.SharedSize)), units.HumanSize(float64(i.Size-i.SharedSize))
			r["Containers"] = fmt.Sprint(i.Containers)
			t.rows = append(t.rows, r)
		}
	}
	fmt.Fprint(a.out, "Images space usage:\n\n")
	if err := t.write(a.out, listFlags{}); err != nil {
		return err
	}
	t = table{columns: []column{
		{"ID", "CONTAINER ID", true}, {"Image", "IMAGE", true}, {"Command", "COMMAND", true}, {"Size", "SIZE", true},
		{"RunningFor", "CREATED", true}, {"Status", "STATUS", true}, {"Names", "NAMES", true},
	}}
	for _, c := range u.Containers {
		c.SizeRootFs = 0
		t.rows = append(t.rows, listFlags{}.container(c))
	}
	fmt.Fprint(a.out, "\nContainers space usage:\n\n")
	if err := t.write(a.out, listFlags{}); err != nil {
		return err
	}
	t = table{columns: []column{{"Name", "VOLUME NAME", true}, {"Links", "LINKS", true}, {"Size", "SIZE", true}}}
	for _, v := range u.Volumes {
		if v.UsageData != nil {
			t.rows = append(t.rows, row{"Name": v.Name, "Links": fmt.Sprint(v.UsageData.RefCount), "Size": units.HumanSize(float64(v.UsageData.Size))})
		}
	}
	fmt.Fprint(a.out, "\nLocal Volumes space usage:\n\n")
	return t.write(a.out, listFlags{})
}
