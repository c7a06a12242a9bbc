package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/network"
	"github.com/spf13/cobra"
)

func (a *app) inspectCommand() *cobra.Command {
	var format, kind string
	c := command("inspect [OPTIONS] NAME|ID [NAME|ID...]", "Tell everything about containers and images", func(ctx context.Context, args []string) error {
		var found []object
		failed := a.each(args, func(ref string) error {
			o, err := a.object(ctx, ref, kind)
			if err == nil {
				found = append(found, o)
			}
			return err
		})
		if err := a.printObjects(found, format); err != nil {
			return err
		}
		return failed
	})
	c.Flags().StringVarP(&format, "format", "f", "", "\"json\" or a Go template, for example '{{.State.Pid}}'")
	c.Flags().StringVar(&kind, "type", "", "container or image")
	return c
}

// object is what was asked for.
type object struct {
	raw   json.RawMessage // as the daemon sent it: no field is lost that this client does not know
	typed any             // what it is decoded to: no field is missing that is empty
}

// object looks for a container and then for an image.
func (a *app) object(ctx context.Context, ref, kind string) (o object, err error) {
	o.typed = &container.InspectResponse{}
	for _, path := range []string{"/containers/", "/images/"} {
		if kind == "" || strings.HasPrefix(path, "/"+kind) {
			err := a.do(ctx, call{method: "GET", path: path + ref + "/json"}, &o.raw)
			if err == nil || !isNotFound(err) {
				return o, err
			}
		}
		o.typed = &image.InspectResponse{}
	}
	return o, noObject.About(fmt.Errorf("no such %s: %s", cmp.Or(kind, "object"), ref))
}

func (a *app) printObjects(objects []object, format string) error {
	if format == "" || format == "json" { // one array, for people or in one line for programs
		list := []json.RawMessage{}
		for _, o := range objects {
			list = append(list, o.raw)
		}
		out := json.NewEncoder(a.out)
		out.SetEscapeHTML(false)
		if format == "" {
			out.SetIndent("", "    ")
		}
		return out.Encode(list)
	}
	tmpl, err := parseTemplate(format)
	if err != nil {
		return err
	}
	for _, o := range objects {
		text, err := o.format(tmpl)
		if err != nil {
			return fmt.Errorf("--format: %w", err)
		}
		fmt.Fprintln(a.out, text)
	}
	return nil
}

// format fills a template in as Docker does: with the fields that the client knows or, if it asks for others, with
// those that there are.
func (o object) format(tmpl *template.Template) (string, error) {
	var text strings.Builder
	if err := json.Unmarshal(o.raw, o.typed); err == nil && tmpl.Option("missingkey=default").Execute(&text, o.typed) == nil {
		return text.String(), nil
	}
	text.Reset()
	decoder := json.NewDecoder(bytes.NewReader(o.raw))
	decoder.UseNumber() // a process ID is not to become 1.2e+06
	var value any
	if err := decoder.Decode(&value); err != nil {
		return "", fmt.Errorf("decode: %w", err)
	}
	err := tmpl.Option("missingkey=error").Execute(&text, value)
	return text.String(), err
}

func (a *app) portCommand() *cobra.Command {
	return command("port CONTAINER [PORT[/PROTOCOL]]", "Show which ports are published where",
		func(ctx context.Context, args []string) error { return a.port(ctx, args[0], args[1:]) })
}

func (a *app) port(ctx context.Context, ref string, only []string) error {
	ctr, err := a.inspectContainer(ctx, ref)
	if err != nil {
		return err
	}
	var ports network.PortMap
	if ctr.NetworkSettings != nil {
		ports = ctr.NetworkSettings.Ports
	}
	var lines []string
	for port, bindings := range ports {
		for _, b := range bindings {
			address := hostPort(b.HostIP, b.HostPort)
			if len(only) == 0 {
				lines = append(lines, fmt.Sprintf("%s -> %s", port, address))
			} else if port.String() == only[0] || port.String() == only[0]+"/tcp" {
				lines = append(lines, address)
			}
		}
	}
	if len(only) > 0 && len(lines) == 0 {
		return errors.New("no public port '" + only[0] + "' published for " + ref)
	}
	slices.Sort(lines)
	for _, line := range lines {
		fmt.Fprintln(a.out, line)
	}
	return nil
}
