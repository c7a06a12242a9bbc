package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/moby/moby/api/types/jsonstream"
	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	images "cutaway/05-images"
)

func (a *app) pullCommand() *cobra.Command {
	var quiet bool
	o := pullOptions{out: a.out}
	c := &cobra.Command{
		Use:   "pull [OPTIONS] NAME[:TAG|@DIGEST]",
		Short: "Fetch an image from a registry",
		Args:  exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.ref = args[0]
			if quiet {
				o.out = io.Discard
			}
			if err := a.pull(c.Context(), o); err != nil {
				return err
			}
			_, err := fmt.Fprintln(a.out, canonical(args[0]))
			return err
		},
	}
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print the name only")
	c.Flags().StringVar(&o.platform, "platform", "", "os/arch[/variant]")
	return c
}

// canonical is a name in full, which docker prints last: docker.io/library/alpine:latest.
func canonical(name string) string {
	ref, err := images.ParseReference(name)
	if err != nil {
		return name
	}
	return ref.String()
}

// pullOptions says what to pull and where its progress goes.
type pullOptions struct {
	ref, platform string
	out           io.Writer
}

// pull has the daemon fetch an image. Its answer is a stream of JSON objects, one for each thing that happens.
func (a *app) pull(ctx context.Context, o pullOptions) error {
	repository, tag := splitTag(o.ref)
	if tag == "" {
		tag = "latest"
	}
	if o.out != io.Discard && tag == "latest" {
		if _, explicit := splitTag(o.ref); explicit == "" {
			fmt.Fprintln(o.out, "Using default tag: latest")
		}
	}
	query := url.Values{"fromImage": {repository}, "tag": {tag}}
	set(query, "platform", o.platform)
	auth, err := credentials(repository)
	if err != nil {
		return err
	}
	return a.progress(ctx, call{method: "POST", path: "/images/create", query: query, auth: auth}, o.out)
}

// showMessages shows them until the stream ends, or one of them is an error.
func showMessages(r io.Reader, show progress) error {
	for decoder := json.NewDecoder(r); ; {
		var m struct {
			jsonstream.Message
			Failed *apiError `json:"errorDetail"` // with more in it than Message's own
		}
		err := decoder.Decode(&m)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the progress: %w", err)
		case m.Failed != nil:
			return m.Failed
		}
		show.message(m.Message)
	}
}

// progress shows how far a pull is.
type progress interface {
	message(m jsonstream.Message)
	end()
}

func newProgress(w io.Writer) progress {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &bars{out: w, container: mpb.New(mpb.WithOutput(w)), byID: map[string]*layerBar{}}
	}
	return lines{w}
}

// lines is progress for a file or pipe: what has been done, a line for each.
type lines struct{ w io.Writer }

func (l lines) message(m jsonstream.Message) {
	switch {
	case m.Stream != "":
		fmt.Fprint(l.w, m.Stream)
	case m.Progress != nil && (m.Progress.Current > 0 || m.Progress.Total > 0):
	case m.ID != "":
		fmt.Fprintf(l.w, "%s: %s\n", m.ID, m.Status)
	case m.Status != "":
		fmt.Fprintln(l.w, m.Status)
	}
}

func (lines) end() {}

// bars is progress on a terminal: a bar for each layer. Lines that belong to no layer and come later than the
// bars are printed below them, at the end.
type bars struct {
	out       io.Writer
	container *mpb.Progress
	byID      map[string]*layerBar
	later     []string
}

type layerBar struct {
	bar    *mpb.Bar
	status string
}

func (b *bars) message(m jsonstream.Message) {
	counted := m.Progress != nil && m.Progress.Total > 0
	if m.ID == "" || isTitle(m) {
		b.text(m)
		return
	}
	layer := b.layer(m.ID)
	layer.status = m.Status
	if counted {
		layer.bar.SetTotal(m.Progress.Total, false)
		layer.bar.SetCurrent(m.Progress.Current)
	}
	if isLast(m) {
		layer.bar.SetTotal(-1, true)
	}
}

// isTitle tells docker's messages about the whole ("latest: Pulling from library/alpine", "latest: digest: …") from
// those about layers.
func isTitle(m jsonstream.Message) bool {
	return strings.HasPrefix(m.Status, "Pulling from ") || strings.HasPrefix(m.Status, "digest: ")
}

// isLast tells that nothing more will come of a layer.
func isLast(m jsonstream.Message) bool {
	switch m.Status {
	case "Pull complete", "Already exists", "Pushed", "Layer already exists":
		return true
	case "Loading layer":
		return m.Progress != nil && m.Progress.Current >= m.Progress.Total
	}
	return strings.HasPrefix(m.Status, "Mounted from ")
}

func (b *bars) text(m jsonstream.Message) {
	line := cmpOr(m.Status, strings.TrimSuffix(m.Stream, "\n"))
	if m.ID != "" {
		line = m.ID + ": " + line
	}
	if len(b.byID) > 0 {
		b.later = append(b.later, line)
		return
	}
	fmt.Fprintln(b.out, line)
}

func (b *bars) layer(id string) *layerBar {
	if layer := b.byID[id]; layer != nil {
		return layer
	}
	layer := &layerBar{}
	layer.bar = b.container.AddBar(0,
		mpb.PrependDecorators(
			decor.Name(id+": "),
			decor.Any(func(decor.Statistics) string { return layer.status }, decor.WC{W: 19, C: decor.DindentRight}),
		),
		mpb.AppendDecorators(decor.Any(counters)),
	)
	b.byID[id] = layer
	return layer
}

// counters is how much of how much, once that is known.
func counters(s decor.Statistics) string {
	if s.Total <= 0 {
		return ""
	}
	return fmt.Sprintf("% .1f/% .1f", decor.SizeB1000(s.Current), decor.SizeB1000(s.Total))
}

func (b *bars) end() {
	for _, layer := range b.byID {
		if !layer.bar.Completed() {
			layer.bar.Abort(false)
		}
	}
	b.container.Wait()
	for _, line := range b.later {
		fmt.Fprintln(b.out, line)
	}
}
