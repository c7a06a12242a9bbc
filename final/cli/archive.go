package cli

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func (a *app) saveCommand() *cobra.Command {
	var file string
	query := url.Values{}
	c := command("save [OPTIONS] IMAGE [IMAGE...]", "Write images into one archive", func(ctx context.Context, args []string) error {
		query["names"] = args
		return a.download(ctx, call{method: "GET", path: "/images/get", query: query}, file)
	})
	c.Flags().StringVarP(&file, "output", "o", "", "write to this `file`, not to standard output")
	c.Flags().Func("platform", "`os/arch[/variant]`: fail if an image is for another one", platform(query))
	return c
}

func (a *app) exportCommand() *cobra.Command {
	var file string
	c := command("export [OPTIONS] CONTAINER", "Write all files of a container into an archive", func(ctx context.Context, args []string) error {
		return a.download(ctx, call{method: "GET", path: "/containers/" + args[0] + "/export"}, file)
	})
	c.Flags().StringVarP(&file, "output", "o", "", "write to this `file`, not to standard output")
	return c
}

// download writes an answer to a file, or to standard output. The file is there when it is complete.
func (a *app) download(ctx context.Context, what call, file string) (err error) {
	if file == "" && term.IsTerminal(int(a.out.Fd())) {
		return errors.New("cowardly refusing to save to a terminal. Use the -o flag or redirect")
	}
	answer, err := a.send(ctx, what)
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
	var file string
	query := url.Values{}
	c := command("load [OPTIONS]", "Add the images of an archive", func(ctx context.Context, _ []string) error {
		archive, err := a.upload(cmp.Or(file, "-"))
		if err != nil {
			return err
		}
		defer archive.Close()
		return a.progress(ctx, call{method: "POST", path: "/images/load", query: query, body: archive}, a.out)
	})
	c.Flags().StringVarP(&file, "input", "i", "", "read from this `file`, not from standard input")
	c.Flags().Func("platform", "`os/arch[/variant]`: only images for that one", platform(query))
	c.Flags().BoolFuncP("quiet", "q", "show no progress", yes(query, "quiet"))
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
	query := url.Values{}
	c := command("import [OPTIONS] FILE|URL|- [NAME[:TAG]]", "Make an image of an archive of files", func(ctx context.Context, args []string) error {
		setName(query, args[1:])
		what := call{method: "POST", path: "/images/create", query: query}
		if strings.HasPrefix(args[0], "http://") || strings.HasPrefix(args[0], "https://") {
			query.Set("fromSrc", args[0])
			return a.progress(ctx, what, a.out)
		}
		archive, err := a.upload(args[0])
		if err != nil {
			return err
		}
		defer archive.Close()
		what.body = archive
		query.Set("fromSrc", "-")
		return a.progress(ctx, what, a.out)
	})
	c.Flags().FuncP("change", "c", "apply an `instruction` of a Dockerfile, such as 'CMD sh'", more(query, "changes"))
	c.Flags().FuncP("message", "m", "`comment` for the history", text(query, "message"))
	c.Flags().Func("platform", "`os/arch[/variant]` that the files are for", text(query, "platform"))
	return c
}
