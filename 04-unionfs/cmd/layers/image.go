package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	unionfs "cutaway/04-unionfs"
)

// image has three layers, each a list of names and contents.
var image = []struct {
	id    string
	files [][2]string
}{
	{"base", [][2]string{{"bin/sh", "a shell\n"}, {"etc/motd", "welcome\n"}, {"var/cache/a", "1"}, {"var/cache/b", "2"}}},
	{"update", [][2]string{{"bin/sh", "a better shell\n"}, {"var/cache/.wh..wh..opq", ""}, {"var/cache/c", "3"}}},
	{"app", [][2]string{{"app/run", "the application\n"}, {"etc/.wh.motd", ""}, {"etc/conf", "port=80\n"}}},
}

// build applies the layers of the image, and puts a container's on top.
func build(store *unionfs.Store) error {
	parent := ""
	for _, l := range image {
		a, names, err := archive(l.files)
		if err != nil {
			return err
		}
		size, err := store.Apply(l.id, parent, bytes.NewReader(a))
		if err != nil {
			return err
		}
		fmt.Printf("layer %-6s %3d bytes: %s\n", l.id, size, names)
		parent = l.id
	}
	return store.Fork("container", parent)
}

func archive(files [][2]string) (_ []byte, names string, err error) {
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	for _, f := range files {
		names += " " + f[0]
		h := &tar.Header{Name: f[0], Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(f[1]))}
		if err := tw.WriteHeader(h); err != nil {
			return nil, "", err
		}
		if _, err := tw.Write([]byte(f[1])); err != nil {
			return nil, "", err
		}
	}
	return buf.Bytes(), names[1:], tw.Close()
}

// list shows a layer's directory as it is on disk.
func list(dir string) error {
	return filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || file == dir {
			return err
		}
		i, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Printf("  %v %s%s\n", i.Mode(), strings.TrimPrefix(file, dir+"/"), meaning(file, i))
		return nil
	})
}

// meaning says what overlay makes of a file.
func meaning(file string, i fs.FileInfo) string {
	var st unix.Stat_t
	if i.Mode()&fs.ModeCharDevice != 0 && unix.Lstat(file, &st) == nil && st.Rdev == 0 {
		return "   (device 0, 0: a whiteout)"
	}
	for _, key := range []string{"trusted.overlay.opaque", "user.overlay.opaque"} {
		if n, _ := unix.Lgetxattr(file, key, make([]byte, 1)); n == 1 {
			return "   (" + key + ")"
		}
	}
	return ""
}
