package daemon

import (
	"encoding/binary"
	"io"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types"
)

// format is how a process's output is written on the wire.
type format int

const (
	framed format = iota
	raw           // a terminal has mixed the streams already
)

func formatOf(tty bool) format {
	if tty {
		return raw
	}
	return framed
}

// mediaType names the format for the client. Before API 1.42 it had to inspect
// the container to know.
func (f format) mediaType(v Version) string {
	if f == raw || v.Less(Version{1, 42}) {
		return types.MediaTypeRawStream
	}
	return types.MediaTypeMultiplexedStream
}

func (f format) encode(stream stdcopy.StdType, p []byte) []byte {
	if f == raw {
		return p
	}
	return AppendFrame(nil, stream, p)
}

// AppendFrame appends to buf what a process wrote, in Docker's wire format. One
// connection carries standard output and standard error, so unless a terminal has
// mixed them each piece is put into a frame:
//
//	 0        1 2 3    4 5 6 7                8 …
//	┌────────┬───────┬──────────────────────┬─────────┐
//	│ stream │ 0 0 0 │ length, big endian   │ bytes   │
//	└────────┴───────┴──────────────────────┴─────────┘
//	  1 = stdout, 2 = stderr, 3 = an error of the daemon
//
// The client takes it apart with stdcopy.StdCopy.
func AppendFrame(buf []byte, stream stdcopy.StdType, p []byte) []byte {
	buf = append(buf, byte(stream), 0, 0, 0)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(p)))
	return append(buf, p...)
}

// Framed writes to W in frames, each with a single Write, so that writers for
// stdout and stderr may share a W that is safe for that (a pipe, a socket).
type Framed struct {
	W      io.Writer
	Stream stdcopy.StdType
}

// Write writes one frame.
func (f Framed) Write(p []byte) (int, error) {
	if _, err := f.W.Write(AppendFrame(nil, f.Stream, p)); err != nil {
		return 0, err
	}
	return len(p), nil
}
