package exercises

import (
	"bytes"
	"crypto/rand"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	images "cutaway/05-images"
	"cutaway/chapters/exercise"
)

// promising makes an image whose config promises another tar than there is.
func promising(g *exercise.G, tar, promised []byte) v1.Image {
	img := image(g, tar)
	config, err := img.ConfigFile()
	g.Must(err)
	config = config.DeepCopy()
	config.RootFS.DiffIDs[0], _, err = v1.SHA256(bytes.NewReader(promised))
	g.Must(err)
	img, err = mutate.ConfigFile(img, config)
	g.Must(err)
	return img
}

func gradeVerify(g *exercise.G) {
	p := newPlace(g)
	content := make([]byte, exercise.Number(2<<20, 3<<20))
	_, err := io.ReadFull(rand.Reader, content)
	g.Must(err)
	tar := archive(g, exercise.Word("file"), content)

	s := &shelf{kept: map[string][]byte{}}
	img, err := pull(g, p.push("honest", image(g, tar)), images.PullOptions{Unpack: s})
	g.NoError(err, "This layer is what its config promises. What do you compare with what? v.layer has three names for a layer.")
	g.Check(exercise.Check{Name: "all of it", Want: digest(tar), Got: digest(s.kept[img.Top()]), Hint: "Who unpacks the layer got other bytes than there were, or not all."})

	s = &shelf{kept: map[string][]byte{}}
	_, err = pull(g, p.push("liar", promising(g, tar, archive(g, exercise.Word("other"), nil))), images.PullOptions{Unpack: s})
	g.Check(exercise.Check{
		Name: "kept", Want: 0, Got: len(s.kept),
		Hint: "The tar is another one than promised, and yet the unpacker read io.EOF, which to it means that all was well.",
	})
	g.Fails(err, images.ErrDigest, "the tar is not the one of which the config has the DiffID")
	g.Check(exercise.Check{
		Name: "while it arrives", Want: true, Got: s.read > 0,
		Hint: "A layer of 10 GB does not fit into the memory. Pass each piece on, and say at the end what it was worth.",
	})
}
