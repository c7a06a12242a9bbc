package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/jsonstream"
	"golang.org/x/term"
)

// progress makes a request whose answer is a stream of messages, and shows them.
func (a *app) progress(ctx context.Context, what call, out io.Writer) error {
	answer, err := a.send(ctx, what)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return showMessages(answer.Body, newProgress(out))
}

// showMessages shows them until the stream ends, or one of them is an error.
func showMessages(r io.Reader, show progress) error {
	for m, err := range messages(r) {
		if err != nil {
			return err
		}
		show(m.Message)
	}
	return nil
}

// message is one of a stream. Those of a build have more in them.
type message struct {
	jsonstream.Message
	Failed *failure             `json:"errorDetail"` // with more in it than Message's own
	Aux    *struct{ ID string } `json:"aux"`         // the image that was built
}

// failure is the last message if something went wrong.
type failure struct {
	apiError
	Code int // of a build: exit status of the command that failed
}

// messages reads a stream. An error is the last thing that comes of it.
func messages(r io.Reader) iter.Seq2[message, error] {
	return func(yield func(message, error) bool) {
		for decoder := json.NewDecoder(r); ; {
			var m message
			err := decoder.Decode(&m)
			switch {
			case errors.Is(err, io.EOF):
				return
			case err != nil:
				err = fmt.Errorf("read the progress: %w", err)
			case m.Failed != nil:
				err = m.Failed
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// progress shows one message.
type progress func(m jsonstream.Message)

func newProgress(w io.Writer) progress {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return (&bars{out: w, width: terminalWidth(f)}).show
	}
	return func(m jsonstream.Message) { showLine(w, m) }
}

// showLine is progress for a file or pipe: what has been done, a line for each.
func showLine(w io.Writer, m jsonstream.Message) {
	switch {
	case m.Stream != "":
		fmt.Fprint(w, m.Stream)
	case m.Progress != nil && (m.Progress.Current > 0 || m.Progress.Total > 0):
	case m.ID != "":
		fmt.Fprintf(w, "%s: %s\n", m.ID, m.Status)
	case m.Status != "":
		fmt.Fprintln(w, m.Status)
	}
}

// bars is progress on a terminal: a line for each layer, which changes as the layer comes. Whatever else is said ends
// the block of these lines; what comes of layers after that begins another one below.
type bars struct {
	out    io.Writer
	width  int      // of the terminal, in columns
	layers []string // IDs, a line for each
}

// show finds the layer's line by counting upwards from the end (console_codes(4)).
func (b *bars) show(m jsonstream.Message) {
	if m.ID == "" || isTitle(m) {
		b.layers = nil
		showLine(b.out, m)
		return
	}
	at := slices.Index(b.layers, m.ID)
	if at < 0 {
		at = len(b.layers)
		b.layers = append(b.layers, m.ID)
		fmt.Fprintln(b.out)
	}
	up := len(b.layers) - at
	fmt.Fprintf(b.out, "\x1b[%dA\x1b[2K%s\x1b[%dB\r", up, b.line(m), up)
}

// isTitle tells docker's messages about the whole ("latest: Pulling from library/alpine", "latest: digest: …") from
// those about layers.
func isTitle(m jsonstream.Message) bool {
	return strings.HasPrefix(m.Status, "Pulling from ") || strings.HasPrefix(m.Status, "digest: ")
}

// line is "4f4fb700ef54: Downloading         [=====>-----] 1.2MB/3.4MB", in one line of the terminal.
func (b *bars) line(m jsonstream.Message) string {
	line := m.ID + ": " + m.Status
	if p := m.Progress; p != nil && p.Total > 0 {
		counts := units.HumanSize(float64(p.Current)) + "/" + units.HumanSize(float64(p.Total))
		cells := max(0, min(50, b.width-60))
		full := int(int64(cells) * min(p.Current, p.Total) / p.Total)
		line = fmt.Sprintf("%-33s [%s>%s] %s", line, strings.Repeat("=", full), strings.Repeat("-", cells-full), counts)
	}
	return truncate(line, b.width-1)
}
