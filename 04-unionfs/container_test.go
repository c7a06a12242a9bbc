package unionfs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// base is an image's layer for tests in which a container writes.
const base = `
	d etc 0755
	f etc/hosts 0644 localhost
	f etc/motd 0644 hello
	d usr/bin 0755
	f usr/bin/sh 0755 sh
	h usr/bin/ash usr/bin/sh
	d var/log/a/b 0755
	f var/log/a/b/c 0644 c
	l bin usr/bin
	f gone 0644`

func TestContainerWritesStayInItsLayer(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		image := stack(t, s, archive(t, base))
		require.NoError(t, s.Fork("a", image))
		require.NoError(t, s.Fork("b", image))
		a, b := mounted(t, s, "a"), mounted(t, s, "b")
		was := tree(t, b)
		script(t, a, `
			echo changed > etc/hosts
			rm gone
			rm -r var/log/a
			mkdir -p var/log/a
			echo new > var/log/a/new
			mkdir -m 1777 tmp
			rm bin; mkdir bin; echo x > bin/x
			rm -r usr/bin; ln -s ../bin usr/bin
			chmod 700 etc/motd`)
		require.Equal(t, was, tree(t, b), "the other container")
		require.Equal(t, was, tree(t, mounted(t, s, image)), "the image")

		changes, err := s.Changes("a")
		require.NoError(t, err)
		require.Equal(t, []string{
			"C /bin", "A /bin/x", "C /etc", "C /etc/hosts", "C /etc/motd", "D /gone", "A /tmp", "C /usr", "C /usr/bin",
			"C /var", "C /var/log", "C /var/log/a", "D /var/log/a/b", "A /var/log/a/new",
		}, letters(changes))
		usage, err := s.Usage("a")
		require.NoError(t, err)
		require.Equal(t, int64(len("x\nchanged\nhellonew\n")), usage)

		require.NoError(t, os.RemoveAll(filepath.Join(b, "etc")))
		_, err = s.Apply("commit", image, bytes.NewReader(diff(t, s, "a")))
		require.NoError(t, err)
		require.Equal(t, tree(t, a), tree(t, mounted(t, s, "commit")), "a layer made of the container's")
	})
}

func script(t testing.TB, dir, commands string) {
	t.Helper()
	run(t, "sh", "-euc", "cd "+quote(dir)+"\n"+commands)
}

func letters(changes []Change) (all []string) {
	for _, c := range changes {
		all = append(all, c.Kind.String()+" "+c.Path)
	}
	return all
}

// TestContainersOfAllDriversAgree does the same random things in a container of each driver. vfs cannot be wrong about what a
// tree is, since it does not merge: so it is the oracle for the tree, and for what Changes and Diff say about it. The things
// are the same in each run: whoever looks for new ones changes the seed.
func TestContainersOfAllDriversAgree(t *testing.T) {
	const seed = 4
	oracle := open(t, "vfs")
	stack(t, oracle, archive(t, randomBase), archive(t, "w gone\no var/log\nf var/log/x 0600 x"))
	for _, d := range drivers {
		if d.name == "vfs" || d.name == "fuse-overlayfs" { // version 1.10 brings removed files back, now and then
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			s := open(t, d.name)
			stack(t, s, archive(t, randomBase), archive(t, "w gone\no var/log\nf var/log/x 0600 x"))
			for round := range 12 {
				name := fmt.Sprintf("%s%d", d.name, round)
				log := history(t, []*Store{oracle, s}, name, rand.New(rand.NewPCG(seed, uint64(round))))
				want, got := resultOf(t, oracle, name), resultOf(t, s, name)
				told := fmt.Sprintf("seed %d, round %d:\n%s", seed, round, strings.Join(log, "\n"))
				require.Equal(t, want.tree, got.tree, told)
				require.Equal(t, want.certain, got.certain, told)
				require.Subset(t, got.modified, want.modified, told)
			}
		})
	}
}

// randomBase has no hard links: copying one up makes it a file of its own, in overlay.
var randomBase = strings.Replace(base, "h usr/bin/ash usr/bin/sh", "f usr/bin/ash 0755 ash", 1)

// result is what a store tells about a container. A union driver takes for modified what was copied up, even if it
// looks as before.
type result struct {
	tree              string
	certain, modified []string // changes
}

// resultOf also makes a layer of the container, and requires that it shows the same tree.
func resultOf(t testing.TB, s *Store, name string) (r result) {
	t.Helper()
	changes, err := s.Changes(name)
	require.NoError(t, err)
	for _, line := range letters(changes) {
		if line[0] == 'C' {
			r.modified = append(r.modified, line)
		} else {
			r.certain = append(r.certain, line)
		}
	}
	_, err = s.Apply(name+"-commit", id(1), bytes.NewReader(diff(t, s, name)))
	require.NoError(t, err)
	r.tree = tree(t, mounted(t, s, name))
	require.Equal(t, r.tree, tree(t, mounted(t, s, name+"-commit")), "a layer made of the container's")
	return r
}

// history makes a container in each store and does the same things in all of them.
func history(t testing.TB, stores []*Store, name string, r *rand.Rand) (log []string) {
	t.Helper()
	roots := make([]*os.Root, len(stores))
	for i, s := range stores {
		require.NoError(t, s.Fork(name, id(1)))
		m, err := s.Mount(name, t.TempDir())
		require.NoError(t, err)
		require.NoError(t, m.Do())
		roots[i], err = os.OpenRoot(m.Target)
		require.NoError(t, err)
		defer func() { require.NoError(t, errors.Join(roots[i].Close(), m.Undo())) }()
	}
	for n := range 25 {
		act := action(r, n)
		var results []string
		for _, root := range roots {
			what, err := act(root)
			results = append(results, fmt.Sprint(what, ": ", errno(err)))
		}
		log = append(log, results[0])
		require.Len(t, slices.Compact(results), 1, "%v", log)
	}
	return log
}

func errno(err error) string {
	if e, ok := errors.AsType[unix.Errno](err); ok {
		return e.Error()
	}
	return fmt.Sprint(err != nil)
}

// action picks one thing to do to one or two of the names that the layers have, or new ones.
func action(r *rand.Rand, n int) func(*os.Root) (string, error) {
	names := []string{
		"etc", "etc/hosts", "etc/new", "usr", "usr/bin", "usr/bin/sh", "usr/bin/ash", "bin/new", "gone", "var", "var/log",
		"var/log/x", "var/log/a", "var/log/a/b", "x", "x/y", "x/y/z", "bin",
	}
	a, b := names[r.IntN(len(names))], names[r.IntN(len(names))]
	content, mode := fmt.Appendf(nil, "%*d", r.IntN(9), n), []fs.FileMode{0o620, 0o751, 0o1777, 0o664}[r.IntN(4)]
	switch r.IntN(9) {
	case 0:
		return func(o *os.Root) (string, error) { return "write " + a, o.WriteFile(a, content, 0o644) }
	case 1:
		return func(o *os.Root) (string, error) { return "remove " + a, o.Remove(a) }
	case 2:
		return func(o *os.Root) (string, error) { return "remove all of " + a, o.RemoveAll(a) }
	case 3, 4:
		return func(o *os.Root) (string, error) { return "make directory " + a, o.Mkdir(a, mode) }
	case 5:
		return func(o *os.Root) (string, error) { return "link " + a + " to " + b, o.Symlink(b, a) }
	case 6:
		return func(o *os.Root) (string, error) { return "change mode of " + a, o.Chmod(a, mode) }
	case 7:
		return func(o *os.Root) (string, error) { return "change owner of " + a, o.Lchown(a, n+1, n+1) }
	default:
		return func(o *os.Root) (string, error) {
			if i, err := o.Lstat(a); err == nil && i.IsDir() {
				return "rename " + a, nil // a merged directory says EXDEV, as renames between disks do
			}
			return "rename " + a + " to " + b, o.Rename(a, b)
		}
	}
}
