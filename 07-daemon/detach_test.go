package daemon

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestDetachKeysAreParsed(t *testing.T) {
	for in, want := range map[string]string{
		"": "\x10\x11", "ctrl-p,ctrl-q": "\x10\x11", "a": "a", "ctrl-@": "\x00", "ctrl-a,b,ctrl-z": "\x01b\x1a",
		"ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_": "\x1b\x1c\x1d\x1e\x1f", "DEL": "\x7f",
	} {
		got, err := ParseDetachKeys(in)
		require.NoError(t, err, in)
		require.Equal(t, want, string(got), in)
	}
	for _, in := range []string{"ctrl-", "ctrl-ab", "ctrl-A", "ctrl-1", "alt-a", "a,,b", ",", "del"} {
		_, err := ParseDetachKeys(in)
		require.Equal(t, Invalid, KindOf(err), in)
		require.Error(t, err, in)
	}
}

func TestDetacherPassesEverythingUpToTheKeys(t *testing.T) {
	for _, row := range []struct {
		keys, in, out string
		detached      bool
	}{
		{keys: "pq", in: "hello", out: "hello"},
		{keys: "pq", in: "hello pq more", out: "hello ", detached: true},
		{keys: "pq", in: "pq", out: "", detached: true},
		{keys: "pq", in: "p", out: "p"},
		{keys: "pq", in: "pppq", out: "pp", detached: true},
		{keys: "aab", in: "aaab", out: "a", detached: true},
		{keys: "abab", in: "abacababx", out: "abac", detached: true},
		{keys: "q", in: "aq", out: "a", detached: true},
	} {
		for name, r := range map[string]io.Reader{
			"whole":         strings.NewReader(row.in),
			"byte by byte":  iotest.OneByteReader(strings.NewReader(row.in)),
			"data with EOF": iotest.DataErrReader(strings.NewReader(row.in)),
		} {
			got, err := io.ReadAll(&detacher{r: r, keys: []byte(row.keys)})
			require.Equal(t, row.out, string(got), "%q in %q, %s", row.keys, row.in, name)
			require.Equal(t, row.detached, errors.Is(err, errDetached), "%q in %q, %s", row.keys, row.in, name)
		}
	}
}

func FuzzDetacher(f *testing.F) {
	f.Add([]byte("pq"), []byte("hello pq"), 3)
	f.Add([]byte("aab"), []byte("aaaab"), 1)
	f.Fuzz(func(t *testing.T, keys, in []byte, size int) {
		if len(keys) == 0 || len(keys) > 100 {
			return
		}
		buf := make([]byte, len(keys)+1+max(size, 0)%64)
		var out []byte
		var err error
		for d := (&detacher{r: bytes.NewReader(in), keys: keys}); err == nil; {
			var n int
			n, err = d.Read(buf)
			out = append(out, buf[:n]...)
		}
		before, _, found := bytes.Cut(in, keys)
		require.Equal(t, string(before), string(out))
		require.Equal(t, found, errors.Is(err, errDetached))
	})
}
