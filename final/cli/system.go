package cli

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/system"
	"github.com/spf13/cobra"
)

func (a *app) infoCommand() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "info [OPTIONS]",
		Short: "Tell about the engine and its host",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return a.info(c.Context(), format) },
	}
	c.Flags().StringVarP(&format, "format", "f", "", "\"json\" or a Go template")
	return c
}

func (a *app) info(ctx context.Context, format string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	var info system.Info
	if err := c.do(ctx, call{method: "GET", path: "/info"}, &info); err != nil {
		return err
	}
	if format != "" {
		return a.template(format, info)
	}
	printInfo(a.out, info)
	return nil
}

// template prints one value with a Go template, or as JSON.
func (a *app) template(format string, value any) error {
	if format == "json" {
		format = "{{json .}}"
	}
	tmpl, err := parseTemplate(format)
	if err != nil {
		return err
	}
	if err := tmpl.Execute(a.out, value); err != nil {
		return fmt.Errorf("--format: %w", err)
	}
	_, err = fmt.Fprintln(a.out)
	return err
}

func printInfo(w io.Writer, i system.Info) {
	fmt.Fprintf(w, "Containers: %d\n Running: %d\n Paused: %d\n Stopped: %d\n",
		i.Containers, i.ContainersRunning, i.ContainersPaused, i.ContainersStopped)
	for _, line := range []struct{ name, value string }{
		{"Images", fmt.Sprint(i.Images)},
		{"Server Version", i.ServerVersion},
		{"Storage Driver", driver(i)},
		{"Logging Driver", i.LoggingDriver},
		{"Cgroup Driver", i.CgroupDriver},
		{"Cgroup Version", i.CgroupVersion},
		{"Security Options", strings.Join(i.SecurityOptions, " ")},
		{"Kernel Version", i.KernelVersion},
		{"Operating System", i.OperatingSystem},
		{"OSType", i.OSType},
		{"Architecture", i.Architecture},
		{"CPUs", fmt.Sprint(i.NCPU)},
		{"Total Memory", units.BytesSize(float64(i.MemTotal))},
		{"Name", i.Name},
		{"ID", i.ID},
		{"Data Root", i.DockerRootDir},
	} {
		if line.value != "" {
			fmt.Fprintf(w, "%s: %s\n", line.name, line.value)
		}
	}
	for _, warning := range i.Warnings {
		fmt.Fprintln(w, warning)
	}
}

// driver names the storage driver, and in lines of their own what it says of itself: why it was chosen.
func driver(i system.Info) string {
	s := i.Driver
	for _, about := range i.DriverStatus {
		s += "\n " + about[0] + ": " + about[1]
	}
	return s
}

// versions is what "version" tells: of this client and, if it answers, of the server.
type versions struct {
	Client clientVersion
	Server *system.VersionResponse `json:",omitempty"`
}

// clientVersion is this program.
type clientVersion struct {
	Version, APIVersion, GoVersion, Os, Arch string
}

func (a *app) versionCommand() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "version [OPTIONS]",
		Short: "Show the versions of client and engine",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return a.version(c.Context(), format) },
	}
	c.Flags().StringVarP(&format, "format", "f", "", "\"json\" or a Go template")
	return c
}

// version shows the client even if no engine answers, and fails then.
func (a *app) version(ctx context.Context, format string) error {
	v := versions{Client: clientVersion{
		Version: a.Version, APIVersion: strings.TrimPrefix(apiVersion, "v"),
		GoVersion: runtime.Version(), Os: runtime.GOOS, Arch: runtime.GOARCH,
	}}
	var server system.VersionResponse
	c, err := a.client()
	if err == nil {
		err = c.do(ctx, call{method: "GET", path: "/version"}, &server)
	}
	if err == nil {
		v.Server = &server
	}
	if format != "" {
		if perr := a.template(format, v); perr != nil {
			return perr
		}
		return err
	}
	printVersions(a.out, v)
	return err
}

func printVersions(w io.Writer, v versions) {
	fmt.Fprintf(w, "Client:\n Version:      %s\n API version:  %s\n Go version:   %s\n OS/Arch:      %s/%s\n",
		v.Client.Version, v.Client.APIVersion, v.Client.GoVersion, v.Client.Os, v.Client.Arch)
	if s := v.Server; s != nil {
		fmt.Fprintf(w, "\nServer: %s\n Version:      %s\n API version:  %s (minimum version %s)\n Go version:   %s\n OS/Arch:      %s/%s\n Kernel:       %s\n",
			s.Platform.Name, s.Version, s.APIVersion, s.MinAPIVersion, s.GoVersion, s.Os, s.Arch, s.KernelVersion)
	}
}
