package cli

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"strings"

	"github.com/moby/moby/api/types/system"
	"github.com/spf13/cobra"
)

func (a *app) infoCommand() *cobra.Command {
	var format string
	c := command("info [OPTIONS]", "Tell about the engine and its host", func(ctx context.Context, _ []string) error {
		var info system.Info
		if err := a.do(ctx, call{method: "GET", path: "/info"}, &info); err != nil {
			return err
		}
		return a.template(cmp.Or(format, infoFormat), info)
	})
	c.Flags().StringVarP(&format, "format", "f", "", "\"json\" or a Go template")
	return c
}

// infoFormat is for people. Of the storage driver it tells, too, why it was chosen.
const infoFormat = `Containers: {{.Containers}}
 Running: {{.ContainersRunning}}
 Paused: {{.ContainersPaused}}
 Stopped: {{.ContainersStopped}}
Images: {{.Images}}
Server Version: {{.ServerVersion}}
Storage Driver: {{.Driver}}{{range .DriverStatus}}
 {{index . 0}}: {{index . 1}}{{end}}
Logging Driver: {{.LoggingDriver}}
Cgroup Driver: {{.CgroupDriver}}
Cgroup Version: {{.CgroupVersion}}{{with .SecurityOptions}}
Security Options: {{join . " "}}{{end}}
Kernel Version: {{.KernelVersion}}
Operating System: {{.OperatingSystem}}
OSType: {{.OSType}}
Architecture: {{.Architecture}}
CPUs: {{.NCPU}}
Total Memory: {{bytes .MemTotal}}
Name: {{.Name}}
ID: {{.ID}}
Data Root: {{.DockerRootDir}}{{range .Warnings}}
{{.}}{{end}}`

// template prints one value with a Go template, or as JSON.
func (a *app) template(format string, value any) error {
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

// versions is what "version" tells: of this client and, if it answers, of the server.
type versions struct {
	Client clientVersion
	Server *system.VersionResponse `json:",omitempty"`
}

// clientVersion is this program.
type clientVersion struct {
	Version, APIVersion, GoVersion, Os, Arch string
}

// versionFormat is for people.
const versionFormat = `Client:
 Version:      {{.Client.Version}}
 API version:  {{.Client.APIVersion}}
 Go version:   {{.Client.GoVersion}}
 OS/Arch:      {{.Client.Os}}/{{.Client.Arch}}{{with .Server}}

Server: {{.Platform.Name}}
 Version:      {{.Version}}
 API version:  {{.APIVersion}} (minimum version {{.MinAPIVersion}})
 Go version:   {{.GoVersion}}
 OS/Arch:      {{.Os}}/{{.Arch}}
 Kernel:       {{.KernelVersion}}{{end}}`

// versionCommand shows the client even if no engine answers, and fails then.
func (a *app) versionCommand() *cobra.Command {
	var format string
	c := command("version [OPTIONS]", "Show the versions of client and engine", func(ctx context.Context, _ []string) error {
		v := versions{Client: clientVersion{
			Version: a.Version, APIVersion: strings.TrimPrefix(apiVersion, "v"),
			GoVersion: runtime.Version(), Os: runtime.GOOS, Arch: runtime.GOARCH,
		}}
		var server system.VersionResponse
		err := a.do(ctx, call{method: "GET", path: "/version"}, &server)
		if err == nil {
			v.Server = &server
		}
		if terr := a.template(cmp.Or(format, versionFormat), v); terr != nil {
			return terr
		}
		return err
	})
	c.Flags().StringVarP(&format, "format", "f", "", "\"json\" or a Go template")
	return c
}
