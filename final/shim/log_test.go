package shim

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// texts reads a log to its end.
func texts(t *testing.T, dir string, o ReadOptions) []string {
	t.Helper()
	var list []string
	for e, err := range ReadLog(context.Background(), dir, o) {
		require.NoError(t, err)
		list = append(list, e.Stream+":"+e.Log)
	}
	return list
}

func both(tail int) ReadOptions { return ReadOptions{Stdout: true, Stderr: true, Tail: tail} }

func TestALogHasOneEntryForEachLine(t *testing.T) {
	dir := t.TempDir()
	l := NewLog(LogIn(dir))
	l.Write(stdout, []byte("one\ntw"))
	l.Write(stderr, []byte("err\n"))
	l.Write(stdout, []byte("o\nrest"))
	l.Flush(stdout)
	require.NoError(t, l.Close())
	require.Equal(t, []string{"stdout:one\n", "stderr:err\n", "stdout:two\n", "stdout:rest"}, texts(t, dir, both(-1)))
	require.Equal(t, []string{"stdout:two\n", "stdout:rest"}, texts(t, dir, both(2)))
	require.Empty(t, texts(t, dir, both(0)))
	require.Equal(t, []string{"stderr:err\n"}, texts(t, dir, ReadOptions{Stderr: true, Tail: -1}))
}

func TestALongLineIsKeptInPieces(t *testing.T) {
	dir := t.TempDir()
	l := NewLog(LogIn(dir))
	long := strings.Repeat("x", 2*maxPiece+5) + "\n"
	l.Write(stdout, []byte(long))
	require.NoError(t, l.Close())
	pieces := texts(t, dir, both(-1))
	require.Len(t, pieces, 3)
	require.Equal(t, long, strings.ReplaceAll(strings.Join(pieces, ""), "stdout:", ""))
}

func TestATornEntryIsPassedOver(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(LogIn(dir), []byte(`{"log":"a\n","str`+"\n"+`{"log":"b\n","stream":"stdout"}`+"\n"), 0o600))
	require.Equal(t, []string{"stdout:b\n"}, texts(t, dir, both(-1)))
}

func TestFollowingSeesWhatComesAndThenEnds(t *testing.T) {
	dir, ended := t.TempDir(), make(chan struct{})
	l := NewLog(LogIn(dir))
	l.Write(stdout, []byte("before\n"))
	o := both(-1)
	o.Follow = ended
	var list []string
	for e, err := range ReadLog(context.Background(), dir, o) {
		require.NoError(t, err)
		list = append(list, e.Log)
		switch e.Log {
		case "before\n": // the reader has been through what was there
			go l.Write(stdout, []byte("after\n"))
		case "after\n":
			l.Write(stdout, []byte("last\n"))
			close(ended)
		}
	}
	require.Equal(t, []string{"before\n", "after\n", "last\n"}, list)
	require.NoError(t, l.Close())
}

func TestReadingEndsAtWhatWasThereThoughTheWriterIsFaster(t *testing.T) {
	dir := t.TempDir()
	l := NewLog(LogIn(dir))
	l.Write(stdout, []byte("first\n"))
	n := 0
	for range ReadLog(context.Background(), dir, both(-1)) {
		l.Write(stdout, []byte("more\nmore\n"))
		n++
	}
	require.Equal(t, 1, n)
	require.NoError(t, l.Close())
}

func TestFollowingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	o := both(-1)
	o.Follow = make(chan struct{})
	for range ReadLog(ctx, t.TempDir(), o) {
		require.Fail(t, "there is nothing in it")
	}
}
