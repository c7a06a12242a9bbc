package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	images "cutaway/05-images"
)

func (a *app) saveCommand() *cobra.Command {
	var file, platform string
	c := &cobra.Command{
		Use:   "save [OPTIONS] IMAGE [IMAGE...]",
		Short: "Write images into one archive",
		Args:  atLeast(1),
		RunE: func(c *cobra.Command, args []string) error {
			query := url.Values{"names": args}
			if err := setPlatform(query, platform); err != nil {
				return err
			}
			return a.download(c.Context(), call{method: "GET", path: "/images/get", query: query}, file)
		},
	}
	c.Flags().StringVarP(&file, "output", "o", "", "write to this `file`, not to standard output")
	c.Flags().StringVar(&platform, "platform", "", "os/arch[/variant]: fail if an image is for another one")
	return c
}

func (a *app) exportCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "export [OPTIONS] CONTAINER",
		Short: "Write all files of a container into an archive",
		Args:  exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.download(c.Context(), call{method: "GET", path: "/containers/" + args[0] + "/export"}, file)
		},
	}
	c.Flags().StringVarP(&file, "output", "o", "", "write to this `file`, not to standard output")
	return c
}

// download writes an answer to a file, or to standard output. The file is there when it is complete.
func (a *app) download(ctx context.Context, what call, file string) (err error) {
	if file == "" && term.IsTerminal(int(a.out.Fd())) {
		return errors.New("cowardly refusing to save to a terminal. Use the -o flag or redirect")
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	answer, err := c.send(ctx, what)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if info, serr := os.Stat(file); file == "" || serr == nil && !info.Mode().IsRegular() { // /dev/null cannot be replaced
		return a.writeTo(file, answer.Body)
	}
	temp, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".tmp-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp.Name()))
		}
	}()
	_, err = io.Copy(temp, answer.Body)
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), file)
}

func (a *app) writeTo(file string, r io.Reader) error {
	if file == "" {
		_, err := io.Copy(a.out, r)
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

func (a *app) loadCommand() *cobra.Command {
	var file, platform string
	var quiet bool
	c := &cobra.Command{
		Use:   "load [OPTIONS]",
		Short: "Add the images of an archive",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			query := on(map[string]bool{"quiet": quiet})
			if err := setPlatform(query, platform); err != nil {
				return err
			}
			archive, err := a.upload(cmpOr(file, "-"))
			if err != nil {
				return err
			}
			defer archive.Close()
			return a.progress(c.Context(), call{method: "POST", path: "/images/load", query: query, body: archive}, a.out)
		},
	}
	c.Flags().StringVarP(&file, "input", "i", "", "read from this `file`, not from standard input")
	c.Flags().StringVar(&platform, "platform", "", "os/arch[/variant]: only images for that one")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "show no progress")
	return c
}

// upload opens an archive that is to be sent: "-" is standard input.
func (a *app) upload(file string) (io.ReadCloser, error) {
	switch {
	case file != "-":
		return os.Open(file)
	case term.IsTerminal(int(a.in.Fd())):
		return nil, errors.New("requested load from stdin, but stdin is empty")
	}
	return io.NopCloser(a.in), nil
}

func (a *app) importCommand() *cobra.Command {
	var changes []string
	var message, platform string
	c := &cobra.Command{
		Use:   "import [OPTIONS] FILE|URL|- [NAME[:TAG]]",
		Short: "Make an image of an archive of files",
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			query := url.Values{"fromSrc": {args[0]}, "changes": changes}
			set(query, "message", message)
			set(query, "platform", platform)
			if len(args) > 1 {
				repository, tag := splitTag(args[1])
				set(query, "repo", repository)
				set(query, "tag", tag)
			}
			what := call{method: "POST", path: "/images/create", query: query}
			if !strings.HasPrefix(args[0], "http://") && !strings.HasPrefix(args[0], "https://") {
				archive, err := a.upload(args[0])
				if err != nil {
					return err
				}
				defer archive.Close()
				what.body = archive
				query.Set("fromSrc", "-")
			}
			return a.progress(c.Context(), what, a.out)
		},
	}
	c.Flags().StringArrayVarP(&changes, "change", "c", nil, "apply an `instruction` of a Dockerfile, such as 'CMD sh'")
	c.Flags().StringVarP(&message, "message", "m", "", "comment for the history")
	c.Flags().StringVar(&platform, "platform", "", "os/arch[/variant] that the files are for")
	return c
}

// setPlatform adds --platform in the form that all but pull and create have it.
func setPlatform(query url.Values, text string) error {
	if text == "" {
		return nil
	}
	p, err := images.ParsePlatform(text)
	if err != nil {
		return err
	}
	data, err := json.Marshal(map[string]string{"os": p.OS, "architecture": p.Architecture, "variant": p.Variant})
	if err != nil {
		return fmt.Errorf("--platform: %w", err)
	}
	query.Set("platform", string(data))
	return nil
}
