package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// isURL tells what ADD has to fetch.
func isURL(name string) bool {
	for _, scheme := range []string{"http://", "https://", "git://", "git@", "ssh://"} {
		if strings.HasPrefix(name, scheme) {
			return true
		}
	}
	return false
}

// fetch brings the file that a URL names, into a directory of its own.
func (b *builder) fetch(ctx context.Context, from string, c copying) (src source, err error) {
	u, err := url.Parse(from)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || strings.HasSuffix(u.Path, ".git") {
		return src, unsupported.errorf("ADD %s: http and https are what cutaway fetches; for a git repository, RUN git clone", from)
	}
	name := path.Base(u.Path)
	if name == "/" || name == "." {
		if name = path.Base(c.DestPath); strings.HasSuffix(c.DestPath, "/") {
			return src, unreadable.errorf("ADD %s: the URL names no file, and the destination is a directory", from)
		}
	}
	dir, err := os.MkdirTemp(b.Scratch, "fetch-")
	if err != nil {
		return src, err
	}
	if err := download(ctx, from, filepath.Join(dir, name)); err != nil {
		return src, noFetch.errorf("ADD %s: %w", from, err)
	}
	t, err := openTree(dir)
	if err != nil {
		return src, err
	}
	b.fetched = append(b.fetched, t)
	src = source{in: t, name: name, base: name}
	src.info, err = t.Lstat(name)
	src.archive = c.unpack != nil && *c.unpack && isArchive(t, name)
	return src, errors.Join(err, c.verify(src))
}

// download stores what a URL names in a file that only root can read, with the
// time that the server says.
func download(ctx context.Context, from, to string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the server says %s", answer.Status)
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, answer.Body)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if t, err := http.ParseTime(answer.Header.Get("Last-Modified")); err == nil {
		return os.Chtimes(to, t, t)
	}
	return nil
}

// verify compares a file with --checksum.
func (c copying) verify(src source) error {
	if c.checksum == "" {
		return nil
	}
	want, ok := strings.CutPrefix(c.checksum, "sha256:")
	if !ok {
		return unsupported.errorf("ADD --checksum=%s: sha256: and 64 digits are what cutaway takes", c.checksum)
	}
	f, err := src.in.Open(src.name)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return noFetch.errorf("ADD --checksum: digest mismatch: expected sha256:%s, got sha256:%s", want, got)
	}
	return nil
}
