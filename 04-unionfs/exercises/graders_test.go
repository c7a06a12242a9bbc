package exercises

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	unionfs "cutaway/04-unionfs"
	"cutaway/chapters/exercise"
)

func gradeEscape(g *exercise.G) {
	s, out := newStore(g), g.Dir("outside")
	name, text := exercise.Word("name"), exercise.Word("text")
	g.Must(os.WriteFile(filepath.Join(out, "secret"), nil, 0o600))
	g.Must(os.Mkdir(filepath.Join(out, "deep"), 0o755))

	g.NoError(s.apply("plain", "", "a/", "a/b/", "a/b/"+name+"="+text), "First the simple thing: a name below u.root.")
	g.Check(exercise.Check{Name: "a plain file", Want: text, Got: content(s.diff("plain", "a/b/"+name)), Hint: "The directory is not the one that was named."})

	up := strings.Repeat("../", 30)
	for _, target := range []string{out, up + out[1:]} {
		id := exercise.Word("evil")
		_ = s.apply(id, "", "way -> "+target, "way/"+name+"="+text, "way/deep/"+name+"="+text)
		g.Check(exercise.Check{
			Name: "outside", Want: []string{"deep", "secret"}, Got: append(g.Names(out), g.Names(filepath.Join(out, "deep"))...),
			Hint: "The layer has a link way -> " + target + " and then files way/" + name + " and way/deep/" + name + ". The kernel followed the link. " +
				"openat2(2) can be told.",
		})
	}
	err := s.apply("honest", "", "usr/lib/", "lib -> /usr/lib", "lib/"+name+"="+text)
	got := content(s.diff("honest", "usr/lib/"+name))
	if err != nil {
		got = err.Error()
	}
	g.Check(exercise.Check{
		Name: "a link inside", Want: text, Got: got,
		Hint: "An absolute link in an image is meant for who has the image as its root: it is to be followed there. resolve does so when it hears of ELOOP.",
	})
}

func gradeOrder(g *exercise.G) {
	s := newStore(g)
	texts := []string{exercise.Word("below"), exercise.Word("middle"), exercise.Word("top")}
	parent := ""
	for _, text := range texts {
		g.Must(s.apply(text, parent, "same="+text, "only-"+text+"="+text))
		parent = text
	}
	g.Must(s.Fork("box", parent))
	box := s.mounted("box")
	g.Check(exercise.Check{Name: "which wins", Want: texts[2], Got: content(filepath.Join(box, "same")),
		Hint: "Overlay takes its lower directories from the uppermost to the lowest. In which order does l.Lower have them?"})
	g.Check(exercise.Check{Name: "all of them", Want: texts[0], Got: content(filepath.Join(box, "only-"+texts[0])), Hint: "A layer is missing."})

	name := exercise.Word("new")
	err := os.WriteFile(filepath.Join(box, name), []byte(name), 0o644)
	got := content(s.diff("box", name))
	if err != nil {
		got = err.Error()
	}
	g.Check(exercise.Check{Name: "what is written", Want: name, Got: got, Hint: "It should be in the box's own diff: that is the upper directory."})

	image := s.mounted(parent)
	g.Check(exercise.Check{Name: "the image", Want: texts[2], Got: content(filepath.Join(image, "same")),
		Hint: "A layer of an image has no upper directory; but what it has itself is to be seen, above the layers below."})
	err = os.WriteFile(filepath.Join(image, name), nil, 0o644)
	got = "read-only"
	if !errors.Is(err, unix.EROFS) {
		got = "it can be written to"
	}
	g.Check(exercise.Check{Name: "the image is safe", Want: "read-only", Got: got,
		Hint: "Ten containers stand on this layer. Who shows it must not be able to change it."})
}

func gradeWhiteout(g *exercise.G) {
	s := newStore(g)
	gone, deep, nothing, own := exercise.Word("gone"), exercise.Word("deep"), exercise.Word("nothing"), exercise.Word("own")
	g.Must(s.apply("base", "", gone, "dir/", "dir/"+deep, "stays"))
	g.NoError(s.apply("top", "base", ".wh."+gone, "dir/.wh."+deep, ".wh."+nothing, "alone/", "alone/.wh."+nothing, own+"=mine", ".wh."+own), "")

	for _, name := range []string{gone, "dir/" + deep} {
		g.Check(exercise.Check{Name: "on disk", Want: "a character device 0, 0", Got: look(s.diff("top", name)),
			Hint: "The layers below are read-only: they cannot be made to forget. What does overlay take for no such file?"})
	}
	g.Check(exercise.Check{Name: "nothing to hide", Want: "nothing", Got: look(s.diff("top", "alone/"+nothing)),
		Hint: "No layer below has this directory, so overlay has nothing to merge there and passes its listing on: ls shows the device. find knows what is below."})
	g.Check(exercise.Check{Name: "its own", Want: "mine", Got: content(s.diff("top", own)),
		Hint: "A whiteout means what is below. This file came with the same archive, and with it a whiteout that does not mean it."})
	g.Check(exercise.Check{Name: "what is seen", Want: []string{"alone", "dir", own, "stays"}, Got: g.Names(s.mounted("top")), Hint: "The names in the mounted tree."})
}

func gradeOpaque(g *exercise.G) {
	s := newStore(g)
	dir, a, b, c := exercise.Word("dir"), exercise.Word("a"), exercise.Word("b"), exercise.Word("c")
	g.Must(s.apply("base", "", dir+"/", dir+"/"+a, dir+"/"+b, dir+"/sub/", dir+"/sub/"+a))
	g.NoError(s.apply("top", "base", dir+"/", dir+"/.wh."+a, dir+"/sub/", dir+"/sub/.wh."+a, dir+"/.wh..wh..opq", dir+"/"+c), "")

	value := make([]byte, 16)
	n, err := unix.Lgetxattr(s.diff("top", dir), "trusted.overlay.opaque", value)
	got := string(value[:max(n, 0)])
	if err != nil {
		got = err.Error()
	}
	g.Check(exercise.Check{Name: "attribute", Want: "y", Got: got,
		Hint: "The file .wh..wh..opq is how an archive says it. The kernel reads an extended attribute of the directory itself."})
	merged := s.mounted("top")
	g.Check(exercise.Check{Name: "left over", Want: []string{c, "sub"}, Got: g.Names(filepath.Join(merged, dir)),
		Hint: "The attribute makes overlay stop looking for whiteouts here, and so for a whiteout that was made before it: it is shown as the device that it is."})
	g.Check(exercise.Check{Name: "left over below", Want: []string{}, Got: g.Names(filepath.Join(merged, dir, "sub")),
		Hint: "A directory in an opaque directory has nothing below it either."})
}

func gradeKinds(g *exercise.G) {
	s := newStore(g)
	changed, gone, added := exercise.Word("changed"), exercise.Word("gone"), exercise.Word("added")
	g.Must(s.apply("base", "", "etc/", "etc/"+changed+"=before", "etc/"+gone, "var/", "var/dir/", "var/dir/"+gone))
	g.Must(s.Fork("box", "base"))
	box := s.mounted("box")
	g.Must(os.WriteFile(filepath.Join(box, "etc", changed), []byte("after"), 0o644))
	g.Must(os.WriteFile(filepath.Join(box, added), nil, 0o644))
	g.Must(os.Remove(filepath.Join(box, "etc", gone)))
	g.Must(os.RemoveAll(filepath.Join(box, "var/dir")))
	g.Must(os.Mkdir(filepath.Join(box, "var/dir"), 0o755))

	changes, err := s.Changes("box")
	g.NoError(err, "")
	for _, c := range []struct {
		name string
		kind unionfs.Kind
		want []string
		hint string
	}{
		{"added", unionfs.Added, []string{"/" + added}, "Only what no layer below shows was added: find looks there."},
		{"deleted", unionfs.Deleted, []string{"/etc/" + gone, "/var/dir/" + gone},
			"A device 0, 0 says that a name is gone. And of var/dir, removed and made again, nothing of before is there: it is opaque."},
		{"modified", unionfs.Modified, []string{"/etc", "/etc/" + changed, "/var", "/var/dir"},
			"A file that was copied up, and each directory in which something changed, are in the layer and below it."},
	} {
		got := []string{}
		for _, change := range changes {
			if change.Kind == c.kind {
				got = append(got, change.Path)
			}
		}
		g.Check(exercise.Check{Name: c.name, Want: c.want, Got: got, Hint: c.hint})
	}
}
