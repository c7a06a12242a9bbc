package cli

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// What passes, and whether the keys "ppq" were found.
func TestKeyReaderPassesAllButTheKeys(t *testing.T) {
	for input, want := range map[string]struct {
		passed   string
		detached bool
	}{
		"":        {"", false},
		"abc":     {"abc", false},
		"p":       {"p", false},
		"pp":      {"pp", false},
		"pxp":     {"pxp", false},
		"ppq":     {"", true},
		"abppq":   {"ab", true},
		"pppq":    {"p", true}, // the longest beginning that still fits is kept
		"pppppq!": {"ppp", true},
		"ppxppq":  {"ppx", true},
	} {
		for _, source := range []io.Reader{strings.NewReader(input), iotest.OneByteReader(strings.NewReader(input))} {
			var passed bytes.Buffer
			_, err := io.Copy(&passed, &keyReader{r: source, keys: []byte("ppq")})
			require.Equal(t, want.detached, errors.Is(err, errDetached), input)
			require.Equal(t, want.passed, passed.String(), input)
		}
	}
}

func TestErrorsOfTheDaemonAreToldAsTheyAre(t *testing.T) {
	answer := func(body string) error {
		return refused(&http.Response{StatusCode: 404, Status: "404 Not Found", Body: io.NopCloser(strings.NewReader(body))})
	}
	require.EqualError(t, answer(`{"message":"No such container: x"}`), "No such container: x")
	require.EqualError(t, answer("<html>"), "404 Not Found <html>")
	require.True(t, isNotFound(answer("{}")))

	var out bytes.Buffer
	a := &app{err: &out}
	require.Equal(t, 125, a.status(exitError{125, answer(`{"message":"m","chapter":"chapters/04-unionfs.md"}`)}))
	require.Equal(t, "cutaway: m\nsee chapters/04-unionfs.md\n", out.String())
	out.Reset()
	require.Equal(t, 42, a.status(exitError{code: 42}))
	require.Empty(t, out.String())
}

func TestStartStatus(t *testing.T) {
	for message, want := range map[string]int{
		`exec: "x": executable file not found in $PATH`: 127, "execve /x: no such file or directory": 127,
		"execve /x: permission denied": 126, "execve /x: is a directory": 126, "execve /x: exec format error": 126,
		"port is already allocated": 125,
	} {
		require.Equal(t, want, startStatus(errors.New(message)), message)
	}
}

func TestTables(t *testing.T) {
	table := table{
		columns: []column{{"ID", "CONTAINER ID", true}, {"Names", "NAMES", true}, {"State", "STATE", false}},
		rows:    []row{{"ID": "1", "Names": "a", "State": "exited"}, {"ID": "2", "Names": "<b>", "State": "up"}},
	}
	for format, want := range map[string]string{
		"":                                     "CONTAINER ID   NAMES\n1              a\n2              <b>\n",
		"{{.Names}} {{.State}}":                "a exited\n<b> up\n",
		`table {{.State}}\t{{.ID}}`:            "STATE     CONTAINER ID\nexited    1\nup        2\n",
		"{{upper .State}}":                     "EXITED\nUP\n",
		"json":                                 `{"ID":"1","Names":"a","State":"exited"}` + "\n" + `{"ID":"2","Names":"<b>","State":"up"}` + "\n",
		"{{truncate .State 2}}{{pad .ID 1 0}}": "ex 1\nup 2\n",
	} {
		var out bytes.Buffer
		require.NoError(t, table.write(&out, listFlags{format: format}), format)
		require.Equal(t, want, out.String(), format)
	}
	require.Error(t, table.write(io.Discard, listFlags{format: "{{.Nosuch}}"}))
	require.Error(t, table.write(io.Discard, listFlags{format: "{{"}))
}

func TestProgressOfAPullInLines(t *testing.T) {
	stream := `{"status":"Pulling from library/x","id":"latest"}
{"status":"Downloading","id":"ab","progressDetail":{"current":1,"total":2}}
{"status":"Pull complete","id":"ab","progressDetail":{}}
{"status":"Status: Downloaded newer image for x:latest"}`
	var out bytes.Buffer
	require.NoError(t, showMessages(strings.NewReader(stream), newProgress(&out)))
	require.Equal(t, "latest: Pulling from library/x\nab: Pull complete\nStatus: Downloaded newer image for x:latest\n", out.String())
	require.EqualError(t, showMessages(strings.NewReader(`{"errorDetail":{"message":"denied"}}`), newProgress(&out)), "denied")
}

func TestProgressOfAPullOnATerminal(t *testing.T) {
	stream := `{"status":"Pulling from library/x","id":"latest"}
{"status":"Pulling fs layer","id":"ab"}
{"status":"Downloading","id":"cd","progressDetail":{"current":1000,"total":2000}}
{"status":"Pull complete","id":"ab","progressDetail":{}}
{"status":"Status: Downloaded newer image for x:latest"}
{"status":"Pushed","id":"ab"}`
	var out bytes.Buffer
	require.NoError(t, showMessages(strings.NewReader(stream), (&bars{out: &out, width: 70}).show))
	require.Equal(t, "latest: Pulling from library/x\n"+
		"\n\x1b[1A\x1b[2Kab: Pulling fs layer\x1b[1B\r"+
		"\n\x1b[1A\x1b[2Kcd: Downloading                   [=====>-----] 1kB/2kB\x1b[1B\r"+
		"\x1b[2A\x1b[2Kab: Pull complete\x1b[2B\r"+
		"Status: Downloaded newer image for x:latest\n"+
		"\n\x1b[1A\x1b[2Kab: Pushed\x1b[1B\r", out.String())
}
