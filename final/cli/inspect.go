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

	"github.com/moby/moby/api/types/network"
	"github.com/spf13/cobra"
)

func (a *app) inspectCommand() *cobra.Command {
	var format, kind string
	c := command("inspect [OPTIONS] NAME|ID [NAME|ID...]", "Tell everything about containers and images", func(ctx context.Context, args []string) error {
		found := []json.RawMessage{} // as the daemon sent it: no field is lost that this client does not know
		failed := a.each(args, func(ref string) error {
			object, err := a.object(ctx, ref, kind)
			if err == nil {
				found = append(found, object)
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

// object looks for a container and then for an image.
func (a *app) object(ctx context.Context, ref, kind string) (json.RawMessage, error) {
	for _, path := range []string{"/containers/", "/images/"} {
		if kind != "" && !strings.HasPrefix(path, "/"+kind) {
			continue
		}
		var object json.RawMessage
		err := a.do(ctx, call{method: "GET", path: path + ref + "/json"}, &object)
		if err == nil || !isNotFound(err) {
			return object, err
		}
	}
	return nil, noObject.About(fmt.Errorf("no such %s: %s", cmp.Or(kind, "object"), ref))
}

func (a *app) printObjects(objects []json.RawMessage, format string) error {
	if format == "" || format == "json" { // one array, for people or in one line for programs
		text, err := toJSON(objects)
		var indented bytes.Buffer
		if err == nil && format == "" {
			err = json.Indent(&indented, []byte(text), "", "    ")
			text = indented.String()
		}
		if err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		_, err = fmt.Fprintln(a.out, text)
		return err
	}
	tmpl, err := parseTemplate(format)
	if err != nil {
		return err
	}
	for _, object := range objects {
		decoder := json.NewDecoder(bytes.NewReader(object))
		decoder.UseNumber() // a process ID is not to become 1.2e+06
		var value any
		if err := decoder.Decode(&value); err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		if err := tmpl.Execute(a.out, value); err != nil {
			return fmt.Errorf("--format: %w", err)
		}
		fmt.Fprintln(a.out)
	}
	return nil
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
