package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/spf13/cobra"
)

func (a *app) logsCommand() *cobra.Command {
	query := url.Values{"stdout": {"1"}, "stderr": {"1"}}
	c := command("logs [OPTIONS] CONTAINER", "Print what a container has written", func(ctx context.Context, args []string) error {
		answer, err := a.send(ctx, call{method: "GET", path: "/containers/" + args[0] + "/logs", query: query})
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		return a.printLogs(answer)
	})
	fs := c.Flags()
	fs.BoolFuncP("follow", "f", "go on until the container ends", yes(query, "follow"))
	fs.BoolFuncP("timestamps", "t", "show when each line was written", yes(query, "timestamps"))
	fs.FuncP("tail", "n", "`lines` from the end (default all)", text(query, "tail"))
	for name, usage := range map[string]string{
		"since": "not before a `time`: 2026-01-02T15:04:05, or 10m for ten minutes ago", "until": "not after a `time`",
	} {
		fs.Func(name, usage, func(s string) error {
			stamp, err := timestamp(s, time.Now())
			query.Set(name, stamp)
			return err
		})
	}
	return c
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
