package cli

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"cutaway/final/build"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// buildFlags are the flags of build.
type buildFlags struct {
	file, idFile, target, network, platform string
	tags, args, labels, hosts               []string
	noCache, pull, quiet, remove, forceRm   bool
	memory, shm                             int64 // bytes
}

func (a *app) buildCommand() *cobra.Command {
	var f buildFlags
	c := &cobra.Command{
		Use:   "build [OPTIONS] PATH | -",
		Short: "Make an image of a Dockerfile",
		Args:  exactly(1),
		RunE:  func(c *cobra.Command, args []string) error { return a.build(c.Context(), f, args[0]) },
	}
	f.bind(c.Flags())
	return c
}

func (f *buildFlags) bind(fs *pflag.FlagSet) {
	fs.StringVarP(&f.file, "file", "f", "", "the Dockerfile (default PATH/Dockerfile); - reads it from standard input")
	fs.StringArrayVarP(&f.tags, "tag", "t", nil, "`NAME[:TAG]` of the image; may be given several times")
	fs.StringArrayVar(&f.args, "build-arg", nil, "set the ARG `NAME=VALUE`; NAME alone takes it from here")
	fs.StringArrayVar(&f.labels, "label", nil, "label of the image, `NAME=VALUE`")
	fs.StringVar(&f.target, "target", "", "build this stage, not the last one")
	fs.BoolVar(&f.noCache, "no-cache", false, "do every step anew")
	fs.BoolVar(&f.pull, "pull", false, "ask the registry for newer base images")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "print the image's ID only")
	fs.StringVar(&f.idFile, "iidfile", "", "write the image's ID to this `file`")
	fs.BoolVar(&f.remove, "rm", true, "remove the containers of the build when it succeeds")
	fs.BoolVar(&f.forceRm, "force-rm", false, "remove them, too, when it fails")
	fs.StringVar(&f.network, "network", "", "network of the containers: bridge, none, host")
	fs.StringVar(&f.platform, "platform", "", "platform of base images: os/arch[/variant]")
	fs.StringArrayVar(&f.hosts, "add-host", nil, "one more line of /etc/hosts: `NAME:IP`")
	fs.FuncP("memory", "m", "limit of memory of the containers in `bytes`, or 64m, 1g", bytesTo(&f.memory))
	fs.Func("shm-size", "size of their /dev/shm in `bytes`", bytesTo(&f.shm))
}

// query is the request's.
func (f *buildFlags) query() (url.Values, error) {
	query := on(map[string]bool{"nocache": f.noCache, "pull": f.pull, "q": f.quiet, "forcerm": f.forceRm})
	query["t"], query["extrahosts"] = f.tags, f.hosts
	for name, value := range map[string]string{"target": f.target, "networkmode": f.network, "platform": f.platform} {
		set(query, name, value)
	}
	if !f.remove {
		query.Set("rm", "0")
	}
	for name, n := range map[string]int64{"memory": f.memory, "shmsize": f.shm} {
		if n != 0 {
			query.Set(name, strconv.FormatInt(n, 10))
		}
	}
	args, labels := map[string]*string{}, map[string]string{}
	for _, arg := range f.args {
		name, value, ok := strings.Cut(arg, "=")
		if args[name] = &value; !ok {
			if value, ok = os.LookupEnv(name); !ok {
				args[name] = nil
			}
		}
	}
	for _, label := range f.labels {
		name, value, _ := strings.Cut(label, "=")
		labels[name] = value
	}
	for name, m := range map[string]any{"buildargs": args, "labels": labels} {
		data, err := json.Marshal(m)
		if err != nil {
			return nil, err
		}
		query.Set(name, string(data))
	}
	return query, nil
}

// build sends the context and shows what comes back.
func (a *app) build(ctx context.Context, f buildFlags, path string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	if f.idFile != "" { // no old ID must be taken for that of a build that failed
		if err := os.Remove(f.idFile); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	query, err := f.query()
	if err != nil {
		return err
	}
	tar, dockerfile, err := a.buildContext(f, path)
	if err != nil {
		return err
	}
	defer tar.Close()
	set(query, "dockerfile", dockerfile)
	sent := &counting{Reader: tar}
	answer, err := c.send(ctx, call{method: "POST", path: "/build", query: query, body: sent})
	if ours, ok := errors.AsType[*sendError](err); ok {
		return ours.error // without net/http's "Post …"
	}
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if !f.quiet {
		fmt.Fprintf(a.out, "Sending build context to the engine  %s\n", units.HumanSize(float64(sent.n)))
	}
	show := a.showBuild
	if f.quiet {
		show = a.awaitBuild
	}
	id, err := show(answer.Body)
	if err != nil {
		return err
	}
	if f.idFile != "" {
		return os.WriteFile(f.idFile, []byte(id), 0o666)
	}
	return nil
}

// awaitBuild shows the ID, and what was said only if the build fails.
func (a *app) awaitBuild(r io.Reader) (id string, err error) {
	var said strings.Builder
	if _, err = readBuild(r, &said); err != nil {
		fmt.Fprint(a.err, said.String())
		return "", err
	}
	id = strings.TrimSpace(said.String())
	_, err = fmt.Fprintln(a.out, id)
	return id, err
}

// showBuild shows a build as it goes on.
func (a *app) showBuild(r io.Reader) (id string, err error) { return readBuild(r, a.out) }

// readBuild writes what a build says, and returns the image's ID.
func readBuild(r io.Reader, out io.Writer) (id string, err error) {
	show := newProgress(out) // of a pull
	defer show.end()
	for decoder := json.NewDecoder(r); ; {
		var m struct {
			jsonstream.Message
			Failed *buildFailure        `json:"errorDetail"`
			Aux    *struct{ ID string } `json:"aux"`
		}
		switch err := decoder.Decode(&m); {
		case errors.Is(err, io.EOF):
			return id, nil
		case err != nil:
			return "", fmt.Errorf("read the progress: %w", err)
		case m.Failed != nil:
			return "", exitError{max(m.Failed.Code, 1), &m.Failed.apiError}
		case m.Aux != nil:
			id = m.Aux.ID
		case m.Stream != "":
			fmt.Fprint(out, m.Stream)
		default:
			show.message(m.Message)
		}
	}
}

// buildFailure is the last line of a build that failed.
type buildFailure struct {
	apiError
	Code int // exit status of the command that failed
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
