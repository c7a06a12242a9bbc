package cli

import (
	"bytes"
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
	c := &cobra.Command{
		Use:   "inspect [OPTIONS] NAME|ID [NAME|ID...]",
		Short: "Tell everything about containers and images",
		Args:  atLeast(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.inspect(c.Context(), inspectOptions{args, format, kind})
		},
	}
	c.Flags().StringVarP(&format, "format", "f", "", "\"json\" or a Go template, for example '{{.State.Pid}}'")
	c.Flags().StringVar(&kind, "type", "", "container or image")
	return c
}

type inspectOptions struct {
	refs         []string
	format, kind string
}

// inspect prints the daemon's own JSON: no field is lost that this client does not know.
func (a *app) inspect(ctx context.Context, o inspectOptions) error {
	var found []json.RawMessage
	var failed bool
	for _, ref := range o.refs {
		object, err := a.object(ctx, ref, o.kind)
		if err != nil {
			a.status(err)
			failed = true
			continue
		}
		found = append(found, object)
	}
	if err := a.printObjects(found, o.format); err != nil {
		return err
	}
	if failed {
		return exitError{code: 1}
	}
	return nil
}

// object looks for a container and then for an image.
func (a *app) object(ctx context.Context, ref, kind string) (json.RawMessage, error) {
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	for _, path := range []string{"/containers/", "/images/"} {
		if kind != "" && !strings.HasPrefix(path, "/"+kind) {
			continue
		}
		var object json.RawMessage
		err := c.do(ctx, call{method: "GET", path: path + ref + "/json"}, &object)
		if err == nil || !isNotFound(err) {
			return object, err
		}
	}
	return nil, noObject.about(fmt.Errorf("no such %s: %s", cmpOr(kind, "object"), ref))
}

func (a *app) printObjects(objects []json.RawMessage, format string) error {
	switch format {
	case "json":
		return a.printArray(objects, "")
	case "":
		return a.printArray(objects, "    ")
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

// printArray prints one JSON array, indented for people or, without an indent, in one line for programs.
func (a *app) printArray(objects []json.RawMessage, indent string) error {
	if objects == nil {
		objects = []json.RawMessage{}
	}
	var compact, out bytes.Buffer
	encoder := json.NewEncoder(&compact)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(objects); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	if indent == "" {
		_, err := a.out.Write(compact.Bytes())
		return err
	}
	if err := json.Indent(&out, compact.Bytes(), "", indent); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	_, err := a.out.Write(out.Bytes())
	return err
}

func (a *app) portCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "port CONTAINER [PORT[/PROTOCOL]]",
		Short: "Show which ports are published where",
		Args:  cobra.RangeArgs(1, 2),
		RunE:  func(c *cobra.Command, args []string) error { return a.port(c.Context(), args[0], args[1:]) },
	}
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
			address := hostPort(b)
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

func hostPort(b network.PortBinding) string {
	host := "0.0.0.0"
	if b.HostIP.IsValid() {
		host = b.HostIP.String()
	}
	if b.HostIP.Is6() {
		host = "[" + host + "]"
	}
	return host + ":" + b.HostPort
}
