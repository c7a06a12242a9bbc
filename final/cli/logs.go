package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/spf13/cobra"
)

// logsFlags are the flags of logs.
type logsFlags struct {
	follow, timestamps bool
	tail, since, until string
}

func (a *app) logsCommand() *cobra.Command {
	var f logsFlags
	c := &cobra.Command{
		Use:   "logs [OPTIONS] CONTAINER",
		Short: "Print what a container has written",
		Args:  exactly(1),
		RunE:  func(c *cobra.Command, args []string) error { return a.logs(c.Context(), args[0], f) },
	}
	fs := c.Flags()
	fs.BoolVarP(&f.follow, "follow", "f", false, "go on until the container ends")
	fs.BoolVarP(&f.timestamps, "timestamps", "t", false, "show when each line was written")
	fs.StringVarP(&f.tail, "tail", "n", "all", "`lines` from the end")
	fs.StringVar(&f.since, "since", "", "not before a `time`: 2026-01-02T15:04:05, or 10m for ten minutes ago")
	fs.StringVar(&f.until, "until", "", "not after a `time`")
	return c
}

func (a *app) logs(ctx context.Context, ref string, f logsFlags) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	query := on(map[string]bool{"stdout": true, "stderr": true, "follow": f.follow, "timestamps": f.timestamps})
	query.Set("tail", f.tail)
	for name, value := range map[string]string{"since": f.since, "until": f.until} {
		if value == "" {
			continue
		}
		stamp, err := timestamp(value, time.Now())
		if err != nil {
			return fmt.Errorf("--%s: %w", name, err)
		}
		query.Set(name, stamp)
	}
	answer, err := c.send(ctx, call{method: "GET", path: "/containers/" + ref + "/logs", query: query})
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return a.printLogs(answer)
}

// printLogs asks the header whether two streams are in one: a container with a terminal has but one.
func (a *app) printLogs(answer *http.Response) error {
	var err error
	if answer.Header.Get("Content-Type") == multiplexedStream {
		_, err = stdcopy.StdCopy(a.out, a.err, answer.Body)
	} else {
		_, err = io.Copy(a.out, answer.Body)
	}
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	return nil
}

// timestamp turns a time of day, a duration before now or seconds since 1970 into what the API takes:
// seconds and nanoseconds.
func timestamp(s string, now time.Time) (string, error) {
	if d, err := time.ParseDuration(s); err == nil {
		return unixTime(now.Add(-d)), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return unixTime(t), nil
		}
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return s, nil
	}
	return "", fmt.Errorf("%q is not a time", s)
}

func unixTime(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }
