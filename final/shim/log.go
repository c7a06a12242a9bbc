package shim

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"sync"
	"time"
)

// A Log keeps what a container writes, a line of JSON for each of its lines, as
// Docker's json-file driver does:
//
//	{"log":"hello\n","stream":"stdout","time":"2026-11-27T04:25:48.123456789Z"}
//
// A line of more than maxPiece bytes is kept in pieces; only the last of them
// has the newline.
type Log struct {
	mu   sync.Mutex // guards what follows
	name string
	file *os.File          // opened by the first line
	rest map[stream][]byte // what has no newline yet
}

// maxPiece is moby's limit, 16 KiB (daemon/logger/copier.go).
const maxPiece = 16 << 10

// Entry is one line of a log.
type Entry struct {
	Log    string    `json:"log"`
	Stream string    `json:"stream"` // "stdout" or "stderr"
	Time   time.Time `json:"time"`
}

// NewLog is a log that appends to the named file.
func NewLog(name string) *Log { return &Log{name: name, rest: map[stream][]byte{}} }

// Write adds a piece of a stream: whole lines are kept at once, the rest waits
// for its newline.
func (l *Log) Write(s stream, data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := append(l.rest[s], data...)
	var lines []byte
	for len(rest) > 0 {
		end := bytes.IndexByte(rest[:min(len(rest), maxPiece)], '\n') + 1
		if end == 0 && len(rest) < maxPiece {
			break
		}
		if end == 0 {
			end = maxPiece
		}
		lines = append(lines, encode(s, rest[:end])...)
		rest = rest[end:]
	}
	l.rest[s] = bytes.Clone(rest)
	l.put(lines)
}

// Flush keeps what is left of a stream that ended without a newline.
func (l *Log) Flush(s stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if rest := l.rest[s]; len(rest) > 0 {
		l.put(encode(s, rest))
		l.rest[s] = nil
	}
}

// Close closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// put appends lines. With a full disk they are lost, and the container goes on:
// so does Docker.
func (l *Log) put(lines []byte) {
	if len(lines) == 0 {
		return
	}
	if l.file == nil {
		l.file, _ = os.OpenFile(l.name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	}
	if l.file != nil {
		_, _ = l.file.Write(lines)
	}
}

func encode(s stream, line []byte) []byte {
	data, err := json.Marshal(Entry{string(line), s.String(), time.Now().UTC()})
	if err != nil {
		return nil
	}
	return append(data, '\n')
}

// ReadOptions selects entries of a log.
type ReadOptions struct {
	Stdout, Stderr bool
	Since, Until   time.Time       // zero = open
	Tail           int             // the last so many; negative = all
	Follow         <-chan struct{} // go on until it is closed; nil = stop at what is there now
}

// pollLog is how often a log that is followed is looked at.
const pollLog = 20 * time.Millisecond

// ReadLog yields the entries of the log of the container in dir. It ends when
// ctx does.
func ReadLog(ctx context.Context, dir string, o ReadOptions) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		f, err := os.OpenFile(LogIn(dir), os.O_CREATE|os.O_RDONLY, 0o640)
		if errors.Is(err, fs.ErrNotExist) { // the container is being removed
			return
		}
		if err != nil {
			yield(Entry{}, err)
			return
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			yield(Entry{}, err)
			return
		}
		// What is there now: a writer that is faster than we are must not
		// keep us here for ever.
		now := bufio.NewReader(io.LimitReader(f, info.Size()))
		half, more := readThrough(now, o, yield)
		if more && o.Follow != nil {
			o.Tail = -1
			follow(ctx, tail{bufio.NewReader(f), half}, o, yield)
		}
	}
}

// readThrough yields the entries up to the end, or the last so many of them.
// It returns the beginning of an entry that was not complete, and whether the
// reader wants more.
func readThrough(r *bufio.Reader, o ReadOptions, yield func(Entry, error) bool) ([]byte, bool) {
	var last []Entry
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			for _, e := range last {
				if !yield(e, nil) {
					return nil, false
				}
			}
			return line, errors.Is(err, io.EOF)
		}
		e, ok := o.pick(line)
		switch {
		case !ok || o.Tail == 0:
		case o.Tail < 0:
			if !yield(e, nil) {
				return nil, false
			}
		case len(last) == o.Tail:
			last = append(last[1:], e)
		default:
			last = append(last, e)
		}
	}
}

// tail is a log that grows while it is read.
type tail struct {
	*bufio.Reader
	half []byte // the beginning of a line that is being written
}

// line is the next whole line; nil if there is none yet.
func (t *tail) line() []byte {
	piece, err := t.ReadBytes('\n')
	t.half = append(t.half, piece...)
	if err != nil {
		return nil
	}
	whole := t.half
	t.half = nil
	return whole
}

// follow yields what is appended until the writer has ended, and then the rest.
func follow(ctx context.Context, log tail, o ReadOptions, yield func(Entry, error) bool) {
	tick := time.NewTicker(pollLog)
	defer tick.Stop()
	for {
		ended := isClosed(o.Follow)
		for line := log.line(); line != nil; line = log.line() {
			e, ok := o.pick(line)
			if ok && !yield(e, nil) || ctx.Err() != nil {
				return
			}
		}
		if ended || !o.Until.IsZero() && time.Now().After(o.Until) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-o.Follow:
		case <-tick.C:
		}
	}
}

// pick decodes a line and says whether it is wanted. A line that is no entry
// was torn by a crash.
func (o ReadOptions) pick(line []byte) (Entry, bool) {
	var e Entry
	if json.Unmarshal(line, &e) != nil {
		return e, false
	}
	wanted := e.Stream == "stdout" && o.Stdout || e.Stream == "stderr" && o.Stderr
	wanted = wanted && !e.Time.Before(o.Since) && (o.Until.IsZero() || e.Time.Before(o.Until))
	return e, wanted
}
