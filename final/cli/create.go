package cli

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/spf13/cobra"
)

func (a *app) createCommand() *cobra.Command {
	var f createFlags
	c := &cobra.Command{
		Use:   "create [OPTIONS] IMAGE [COMMAND] [ARG...]",
		Short: "Make a container without starting it",
		Args:  atLeast(1),
		RunE: func(c *cobra.Command, args []string) error {
			req, err := f.request(c, args)
			if err != nil {
				return exitError{125, err}
			}
			id, err := a.create(c.Context(), &f, req)
			if err != nil {
				return exitError{125, err}
			}
			_, err = fmt.Fprintln(a.out, id)
			return err
		},
	}
	f.bind(c.Flags())
	return c
}

// request is what the daemon is asked for: the flags, and the operands IMAGE [COMMAND] [ARG...].
func (f *createFlags) request(c *cobra.Command, args []string) (container.CreateRequest, error) {
	config, host := f.config, f.host
	env, err := f.environment()
	if err != nil {
		return container.CreateRequest{}, err
	}
	config.Env, config.Image = env, args[0]
	if len(args) > 1 {
		config.Cmd = args[1:]
	}
	if c.Flags().Changed("entrypoint") {
		config.Entrypoint = []string{f.entrypoint} // one empty string takes the image's away
	}
	if err := f.attachTo(&config); err != nil {
		return container.CreateRequest{}, err
	}
	return container.CreateRequest{Config: &config, HostConfig: &host}, nil
}

// attachTo says which streams the client will be attached to: those of -a, else output, and input with -i.
func (f *createFlags) attachTo(config *container.Config) error {
	if len(f.attach) == 0 {
		config.AttachStdin, config.AttachStdout, config.AttachStderr = config.OpenStdin, true, true
	}
	for _, name := range f.attach {
		switch strings.ToLower(name) {
		case "stdin":
			config.AttachStdin = true
		case "stdout":
			config.AttachStdout = true
		case "stderr":
			config.AttachStderr = true
		default:
			return fmt.Errorf("-a %q: stdin, stdout or stderr are the streams", name)
		}
	}
	config.StdinOnce = config.OpenStdin && config.AttachStdin
	return nil
}

// create makes the container and returns its ID. An image that is not there is pulled first, unless --pull says
// otherwise; asking comes before pulling, since the image nearly always is there.
func (a *app) create(ctx context.Context, f *createFlags, req container.CreateRequest) (string, error) {
	c, err := a.client()
	if err != nil {
		return "", err
	}
	pull := pullOptions{ref: req.Image, platform: f.platform, out: a.err}
	switch f.pull {
	case "always":
		if err := a.pull(ctx, pull); err != nil {
			return "", err
		}
	case "missing", "never":
	default:
		return "", fmt.Errorf("--pull %q: always, missing or never", f.pull)
	}
	query := url.Values{}
	set(query, "name", f.name)
	set(query, "platform", f.platform)
	ask := call{method: "POST", path: "/containers/create", query: query, body: req}
	var made container.CreateResponse
	err = c.do(ctx, ask, &made)
	if isNotFound(err) && f.pull == "missing" && strings.Contains(strings.ToLower(err.Error()), "no such image") {
		fmt.Fprintf(a.err, "Unable to find image '%s' locally\n", req.Image)
		if err := a.pull(ctx, pull); err != nil {
			return "", err
		}
		err = c.do(ctx, ask, &made)
	}
	for _, warning := range made.Warnings {
		fmt.Fprintf(a.err, "WARNING: %s\n", warning)
	}
	return made.ID, err
}

// set puts a value into a query unless it is empty.
func set(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}

// on makes a query of the switches that are on.
func on(switches map[string]bool) url.Values {
	query := url.Values{}
	for name, set := range switches {
		if set {
			query.Set(name, "1")
		}
	}
	return query
}
