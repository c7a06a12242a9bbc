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
	c := command("create [OPTIONS] IMAGE [COMMAND] [ARG...]", "Make a container without starting it", func(ctx context.Context, args []string) error {
		req, err := f.request(args)
		if err != nil {
			return exitError{125, err}
		}
		id, err := a.create(ctx, &f, req)
		if err != nil {
			return exitError{125, err}
		}
		_, err = fmt.Fprintln(a.out, id)
		return err
	})
	f.bind(c.Flags())
	return c
}

// request is what the daemon is asked for: the flags, and the operands IMAGE [COMMAND] [ARG...].
func (f *createFlags) request(args []string) (container.CreateRequest, error) {
	config, host := f.config, f.host
	var err error
	if config.Env, err = f.environment(); err != nil {
		return container.CreateRequest{}, err
	}
	config.Image = args[0]
	if len(args) > 1 {
		config.Cmd = args[1:]
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
	err := a.do(ctx, ask, &made)
	if isNotFound(err) && f.pull == "missing" && strings.Contains(strings.ToLower(err.Error()), "no such image") {
		fmt.Fprintf(a.err, "Unable to find image '%s' locally\n", req.Image)
		if err := a.pull(ctx, pull); err != nil {
			return "", err
		}
		err = a.do(ctx, ask, &made)
	}
	for _, warning := range made.Warnings {
		fmt.Fprintf(a.err, "WARNING: %s\n", warning)
	}
	return made.ID, err
}
