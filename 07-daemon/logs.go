package daemon

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/moby/moby/api/pkg/stdcopy"
)

// timestamp is RFC 3339 with all nine digits, so that columns line up.
const timestamp = "2006-01-02T15:04:05.000000000Z07:00"

func (s *Server) logs(w http.ResponseWriter, r *http.Request) error {
	o, err := logOptions(r)
	if err != nil {
		return err
	}
	log, err := s.engine.Views.Logs(r.Context(), name(r), o)
	if err != nil {
		return err
	}
	as := formatOf(log.TTY)
	w.Header().Set("Content-Type", as.mediaType(version(r)))
	out := http.NewResponseController(w)
	w.WriteHeader(http.StatusOK)
	if err := out.Flush(); err != nil { // following a silent container shows nothing else for long
		return err
	}
	for line, err := range log.Lines {
		if err != nil {
			return logFailure(w, as, err)
		}
		if !o.wants(line) {
			continue
		}
		if _, err := w.Write(o.wire(line, as)); err != nil {
			return nil // the reader went away
		}
		if o.Follow {
			if err := out.Flush(); err != nil {
				return nil
			}
		}
	}
	return nil
}

func logOptions(r *http.Request) (LogOptions, error) {
	since, err := moment(r, "since")
	if err != nil {
		return LogOptions{}, err
	}
	until, err := moment(r, "until")
	if err != nil {
		return LogOptions{}, err
	}
	o := LogOptions{
		Follow: flag(r, "follow"), Stdout: flag(r, "stdout"), Stderr: flag(r, "stderr"),
		Timestamps: flag(r, "timestamps"), Details: flag(r, "details"),
		Since: since, Until: until, Tail: -1,
	}
	if n, err := strconv.Atoi(query(r, "tail")); err == nil && n >= 0 {
		o.Tail = n // anything else, "all" too, is all
	}
	if !o.Stdout && !o.Stderr {
		return o, Errorf(Invalid, "Bad parameters: you must choose at least one stream")
	}
	return o, nil
}

func (o LogOptions) wants(line LogLine) bool {
	return line.Stderr && o.Stderr || !line.Stderr && o.Stdout
}

// wire is a line as it is sent.
func (o LogOptions) wire(line LogLine, as format) []byte {
	var b []byte
	if o.Timestamps {
		b = line.Time.UTC().AppendFormat(b, timestamp)
		b = append(b, ' ')
	}
	if o.Details {
		b = append(b, details(line.Attrs)...)
		b = append(b, ' ')
	}
	stream := stdcopy.Stdout
	if line.Stderr {
		stream = stdcopy.Stderr
	}
	return as.encode(stream, append(b, line.Data...))
}

// details is "key=value,key=value", escaped as in a URL.
func details(attrs map[string]string) []byte {
	var pairs [][]byte
	for _, key := range slices.Sorted(maps.Keys(attrs)) {
		pairs = append(pairs, []byte(url.QueryEscape(key)+"="+url.QueryEscape(attrs[key])))
	}
	return bytes.Join(pairs, []byte(","))
}

// logFailure tells the reader why the log ends here. The status was sent long
// ago, so the message goes where the lines go.
func logFailure(w io.Writer, as format, err error) error {
	message := fmt.Appendf(nil, "Error grabbing logs: %v\n", err)
	_, _ = w.Write(as.encode(stdcopy.Stderr, message)) // the reader may be gone
	return err
}
