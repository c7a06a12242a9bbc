package exercises

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	chroot "cutaway/01-chroot"
	"cutaway/chapters/exercise"
)

// readIn reads a file with OpenIn; an error is a text too.
func readIn(root, name string) string {
	f, err := chroot.OpenIn(root, name, unix.OpenHow{Flags: unix.O_RDONLY})
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return "no such file"
		}
		return err.Error()
	}
	if f == nil {
		return "neither a file nor an error"
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func gradeOpenIn(g *exercise.G) {
	top := g.Dir("tree")
	root := filepath.Join(top, "root")
	name, inside, outside := exercise.Word("name"), exercise.Word("inside"), exercise.Word("outside")
	g.Must(os.MkdirAll(filepath.Join(root, "dir"), 0o755))
	g.Must(os.WriteFile(filepath.Join(root, "dir", name), []byte(inside), 0o644))
	g.Must(os.WriteFile(filepath.Join(top, name), []byte(outside), 0o644))

	g.Check(exercise.Check{Name: "a plain file", Want: inside, Got: readIn(root, "dir/"+name),
		Hint: "First the simple thing: open the root with O_PATH, and the name below it."})
	for what, row := range map[string]struct{ link, open string }{
		"..":                          {"", "../" + name},
		"an absolute link":            {filepath.Join(top, name), "link"},
		"a relative link":             {"../" + name, "link"},
		"a link on the way":           {"..", "link/" + name},
		"a link to a directory above": {top, "link/" + name},
	} {
		link := filepath.Join(root, "link")
		if row.link != "" {
			g.Must(os.Symlink(row.link, link))
		}
		g.Check(exercise.Check{Name: "a name that leads out", Want: "no such file", Got: readIn(root, row.open),
			Hint: "The tree has " + what + ": a name put together is resolved against your own root. Only who walks can keep inside: openat2(2)."})
		_ = os.Remove(link)
	}
	g.Must(os.Symlink("/dir/"+name, filepath.Join(root, "honest")))
	g.Check(exercise.Check{Name: "a link inside", Want: inside, Got: readIn(root, "honest"),
		Hint: "An absolute link in an image is meant for who has the image as its root. It has to be followed there, and not refused: " +
			"RESOLVE_BENEATH does the one thing, RESOLVE_IN_ROOT the other."})
	g.Check(exercise.Check{Name: "a race", Want: "the file inside, or none", Got: race(g, root, name),
		Hint: "Between your look and your open somebody exchanged the directory for a link. No amount of looking first helps."})
	gradeNewFile(g, root)
}

// gradeNewFile is about what belongs to a new descriptor.
func gradeNewFile(g *exercise.G, root string) {
	name := exercise.Word("new")
	f, err := chroot.OpenIn(root, name, unix.OpenHow{Flags: unix.O_CREAT | unix.O_WRONLY, Mode: 0o640})
	g.NoError(err, "how.Flags and how.Mode are the caller's, and go to the kernel as they are.")
	defer f.Close()
	info, err := os.Stat(filepath.Join(root, name))
	g.Must(err)
	g.Check(exercise.Check{Name: "mode", Want: os.FileMode(0o640), Got: info.Mode(), Hint: "how.Mode is for a file that is made."})
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
	g.Must(err)
	g.Check(exercise.Check{
		Name: "close-on-exec", Want: "FD_CLOEXEC is set", Got: map[bool]string{true: "FD_CLOEXEC is set", false: "it is not"}[flags&unix.FD_CLOEXEC != 0],
		Hint: "The next program that anybody starts inherits this descriptor: os.File does it for files that it opens, and openat2(2) asks.",
	})
	_, err = chroot.OpenIn(root, name+"/none", unix.OpenHow{Flags: unix.O_RDONLY})
	g.Fails(err, unix.ENOTDIR, "a file is no directory")
}

// race opens a file many times while its directory is exchanged for a link that leads out.
func race(g *exercise.G, root, name string) string {
	evil := filepath.Join(root, "evil")
	g.Must(os.Symlink("..", evil))
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, filepath.Join(root, "dir"), unix.AT_FDCWD, evil, unix.RENAME_EXCHANGE)
			}
		}
	}()
	defer func() { close(stop); <-stopped }()
	enough := time.Now().Add(5 * time.Second) // where both threads are slow, and each makes the other begin again
	for n := 0; n < 2000 && time.Now().Before(enough); n++ {
		if got := readIn(root, "dir/"+name); strings.HasPrefix(got, "outside-") {
			return "the file outside"
		}
	}
	return "the file inside, or none"
}
