package toolbox

import (
	"bytes"
	"io"
	"os"
	"time"
)

// tail prints the end of a file; with -f it goes on printing what is added, until a signal ends it.
func tail(c *command) error {
	c.countArgument()
	o, files, err := c.parse("f n:")
	if err != nil {
		return err
	}
	if len(files) > 1 {
		return usagef("one file at a time")
	}
	n := lineCount(o)
	if n < 0 {
		return usagef("%q is not a number of lines", o["n"])
	}
	return c.eachFile(files, func(_ string, r io.Reader) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if _, err := c.out.Write(lastLines(data, n)); err != nil {
			return err
		}
		if f, ok := r.(*os.File); ok && o.has("f") {
			return c.follow(f)
		}
		return nil
	})
}

func lastLines(data []byte, n int) []byte {
	if n == 0 {
		return nil
	}
	at := len(bytes.TrimSuffix(data, []byte("\n")))
	for ; n > 0; n-- {
		if at = bytes.LastIndexByte(data[:at], '\n'); at < 0 {
			return data
		}
	}
	return data[at+1:]
}

// follow looks for new bytes a few times a second: a poll is simple and works on every file system.
func (c *command) follow(f *os.File) error {
	for {
		if _, err := io.Copy(c.out, f); err != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
}
