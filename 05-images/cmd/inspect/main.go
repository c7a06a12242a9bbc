// Inspect takes an image of a store apart: reference → index → manifest →
// config → layers, each with its digest and the file that holds it.
//
//	inspect [-dir DIR] [NAME|ID]
//
// Without a name it lists the images. Nothing in the output is computed by
// magic: each arrow is a digest that stands in the document before it.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	images "cutaway/05-images"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func main() {
	dir := flag.String("dir", "store", "directory of the store")
	flag.Parse()
	err := run(*dir, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "inspect:", err)
		os.Exit(1)
	}
}

func run(dir string, args []string) error {
	store, err := images.OpenStore(dir)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return list(store)
	}
	img, err := store.Get(args[0])
	if err != nil {
		return err
	}
	return inspection{dir, img}.print(args[0])
}

func list(store *images.Store) error {
	all, err := store.List()
	for _, img := range all {
		fmt.Printf("%s  %d layers, %d bytes  %s\n", img.ID[:19], len(img.Layers), img.Size, strings.Join(img.Names, " "))
	}
	return err
}

type inspection struct {
	dir string
	images.Image
}

func (i inspection) print(name string) error {
	fmt.Printf("reference  %s\n", name)
	if ref, err := images.ParseReference(name); err == nil {
		fmt.Printf("           in full: %s\n", ref)
	}
	if err := i.index(); err != nil {
		return err
	}
	i.blob("manifest", i.Manifest)
	i.blob("config", i.ID)
	fmt.Printf("           this digest is the image's ID\n")
	fmt.Printf("           for %s/%s; Cmd %q\n", i.Config.OS, i.Config.Architecture, i.Config.Config.Cmd)
	for n, l := range i.Layers {
		i.blob(fmt.Sprintf("layer %d", n+1), l.Digest)
		fmt.Printf("           DiffID   %s  the tar in it\n", l.DiffID)
		fmt.Printf("           ChainID  %s  it and all below, unpacked\n", l.ChainID)
	}
	return nil
}

// index shows the index that the image was chosen from, if there was one.
func (i inspection) index() error {
	for _, name := range i.Digests {
		ref, err := images.ParseReference(name)
		if err != nil || ref.Digest == i.Manifest {
			continue
		}
		raw, err := os.ReadFile(i.file(ref.Digest))
		if err != nil {
			return err
		}
		var index v1.IndexManifest
		if err := json.Unmarshal(raw, &index); err != nil {
			return err
		}
		i.blob("index", ref.Digest)
		for _, d := range index.Manifests {
			mark := " "
			if d.Digest.String() == i.Manifest {
				mark = "→"
			}
			fmt.Printf("         %s %-12s %s\n", mark, d.Platform, d.Digest)
		}
	}
	return nil
}

func (i inspection) file(digest string) string {
	return filepath.Join(i.dir, "blobs", strings.Replace(digest, ":", "/", 1))
}

// blob prints a digest and how large the file is that has it.
func (i inspection) blob(title, digest string) {
	size := int64(-1)
	if st, err := os.Stat(i.file(digest)); err == nil {
		size = st.Size()
	}
	fmt.Printf("%-9s  %s  %d bytes\n", title, digest, size)
}
