package cli

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"cutaway/final/build"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// buildFlags are the flags of build that are not for the engine, or not as they are.
type buildFlags struct {
	file, idFile string
	quiet        bool
	query        url.Values
}

func (a *app) buildCommand() *cobra.Command {
	f := buildFlags{query: url.Values{}}
	c := command("build [OPTIONS] PATH|-", "Make an image of a Dockerfile",
		func(ctx context.Context, args []string) error { return a.build(ctx, f, args[0]) })
	f.bind(c.Flags())
	return c
}

func (f *buildFlags) bind(fs *pflag.FlagSet) {
	fs.StringVarP(&f.file, "file", "f", "", "the Dockerfile (default PATH/Dockerfile); - reads it from standard input")
	fs.FuncP("tag", "t", "`NAME[:TAG]` of the image; may be given several times", more(f.query, "t"))
	fs.Func("build-arg", "set the ARG `NAME=VALUE`; NAME alone takes it from here", f.arguments())
	fs.Func("label", "label of the image, `NAME=VALUE`", f.labels())
	fs.Func("target", "build this `stage`, not the last one", text(f.query, "target"))
	fs.BoolFunc("no-cache", "do every step anew", yes(f.query, "nocache"))
	fs.BoolFunc("pull", "ask the registry for newer base images", yes(f.query, "pull"))
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "print the image's ID only")
	fs.StringVar(&f.idFile, "iidfile", "", "write the image's ID to this `file`")
	fs.BoolFunc("rm", "remove the containers of the build when it succeeds (default true)", yes(f.query, "rm"))
	fs.BoolFunc("force-rm", "remove them, too, when it fails", yes(f.query, "forcerm"))
	fs.Func("network", "`network` of the containers: bridge, none, host", text(f.query, "networkmode"))
	fs.Func("platform", "platform of base images: `os/arch[/variant]`", text(f.query, "platform"))
	fs.Func("add-host", "one more line of /etc/hosts: `NAME:IP`", more(f.query, "extrahosts"))
	fs.FuncP("memory", "m", "limit of memory of the containers in `bytes`, or 64m, 1g", bytesParam(f.query, "memory"))
	fs.Func("shm-size", "size of their /dev/shm in `bytes`", bytesParam(f.query, "shmsize"))
}

// arguments reads --build-arg. null is for the API what has no value here.
func (f *buildFlags) arguments() func(string) error {
	all := map[string]*string{}
	return func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			value, ok = os.LookupEnv(name)
		}
		if all[name] = &value; !ok {
			all[name] = nil
		}
		return asJSON(f.query, "buildargs", all)
	}
}

func (f *buildFlags) labels() func(string) error {
	all := map[string]string{}
	return func(s string) error {
		name, value, _ := strings.Cut(s, "=")
		all[name] = value
		return asJSON(f.query, "labels", all)
	}
}

// build sends the context and shows what comes back.
func (a *app) build(ctx context.Context, f buildFlags, path string) error {
	if f.idFile != "" { // no old ID must be taken for that of a build that failed
		if err := os.Remove(f.idFile); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if f.quiet {
		f.query.Set("q", "1")
	}
	auths, err := allCredentials()
	if err != nil { // not every build needs a registry
		fmt.Fprintf(a.err, "WARNING: no credentials for registries: %v\n", err)
	}
	tar, dockerfile, err := a.buildContext(f, path)
	if err != nil {
		return err
	}
	defer tar.Close()
	set(f.query, "dockerfile", dockerfile)
	sent := &counting{Reader: tar}
	answer, err := a.send(ctx, call{method: "POST", path: "/build", query: f.query, body: sent, auths: auths})
	if ours, ok := errors.AsType[*sendError](err); ok {
		return ours.error // without net/http's "Post …"
	}
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var id string
	if f.quiet {
		id, err = a.awaitBuild(answer.Body)
	} else {
		fmt.Fprintf(a.out, "Sending build context to the engine  %s\n", units.HumanSize(float64(sent.n)))
		id, err = showBuild(answer.Body, a.out)
	}
	if err != nil || f.idFile == "" {
		return err
	}
	return os.WriteFile(f.idFile, []byte(id), 0o666)
}

// awaitBuild shows the ID, and what was said only if the build fails.
func (a *app) awaitBuild(r io.Reader) (id string, err error) {
	var said strings.Builder
	if _, err = showBuild(r, &said); err != nil {
		fmt.Fprint(a.err, said.String())
		return "", err
	}
	id = strings.TrimSpace(said.String())
	_, err = fmt.Fprintln(a.out, id)
	return id, err
}

// showBuild shows a build as it goes on, and returns the image's ID.
func showBuild(r io.Reader, out io.Writer) (id string, err error) {
	show := newProgress(out)
	for m, err := range messages(r) {
		switch {
		case m.Failed != nil:
			return "", exitError{max(m.Failed.Code, 1), err}
		case err != nil:
			return "", err
		case m.Aux != nil:
			id = m.Aux.ID
		default:
			show(m.Message)
		}
	}
	return id, nil
}

// sendError is what went wrong in making the archive.
type sendError struct{ error }

// buildContext opens what is to be sent, and says what the Dockerfile is called in it.
func (a *app) buildContext(f buildFlags, path string) (io.ReadCloser, string, error) {
	if path == "-" {
		return a.stdinContext(f)
	}
	if strings.Contains(path, "://") || strings.HasPrefix(path, "git@") {
		return nil, "", fmt.Errorf("%s: cutaway sends a directory, or what it is given on standard input; try: curl -L %s | cutaway build -", path, path)
	}
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return nil, "", errors.Join(err, fmt.Errorf("%s: the context is a directory; its Dockerfile is named with -f", path))
	}
	s, err := a.localContext(f, path)
	if err != nil {
		return nil, "", err
	}
	return stream(s), s.Dockerfile, nil
}

// localContext is a directory, with a Dockerfile that is in it or not.
func (a *app) localContext(f buildFlags, dir string) (build.Sending, error) {
	s := build.Sending{Dir: dir, Dockerfile: "Dockerfile"}
	elsewhere := ".dockerfile." + strings.ToLower(rand.Text()[:12])
	var err error
	switch f.file {
	case "":
		if _, err := os.Stat(filepath.Join(dir, s.Dockerfile)); err != nil {
			if _, err := os.Stat(filepath.Join(dir, "dockerfile")); err != nil {
				return s, fmt.Errorf("no Dockerfile in %s: name it with -f", dir)
			}
			s.Dockerfile = "dockerfile"
		}
		return s, nil
	case "-":
		s.Dockerfile = elsewhere
		s.Text, err = io.ReadAll(a.in)
		return s, err
	}
	top, err1 := filepath.Abs(dir)
	file, err2 := filepath.Abs(f.file) // docker, too, takes it from the working directory
	if err := errors.Join(err1, err2); err != nil {
		return s, err
	}
	if s.Dockerfile, err = filepath.Rel(top, file); err != nil {
		return s, err
	}
	if !filepath.IsLocal(s.Dockerfile) {
		s.Dockerfile = elsewhere
		s.Text, err = os.ReadFile(file)
		return s, err
	}
	_, err = os.Stat(file)
	return s, err
}

// stdinContext is an archive, or a Dockerfile alone.
func (a *app) stdinContext(f buildFlags) (io.ReadCloser, string, error) {
	if f.file == "-" {
		return nil, "", errors.New("invalid argument: can't use stdin for both build context and dockerfile")
	}
	in := bufio.NewReaderSize(a.in, 64<<10)
	if build.IsArchive(in) {
		return io.NopCloser(in), f.file, nil
	}
	if f.file != "" {
		return nil, "", fmt.Errorf("-f %s: what comes on standard input is no archive but a Dockerfile itself", f.file)
	}
	text, err := io.ReadAll(in)
	s := build.Sending{Dockerfile: "Dockerfile", Text: text}
	return stream(s), s.Dockerfile, err
}

// stream writes a context while it is read.
func stream(s build.Sending) io.ReadCloser {
	r, w := io.Pipe()
	go func() {
		if err := s.Send(w); err != nil {
			w.CloseWithError(&sendError{err})
			return
		}
		w.Close()
	}()
	return r
}

// counting counts the bytes that are read.
type counting struct {
	io.Reader
	n int64
}

// Read reads.
func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}
