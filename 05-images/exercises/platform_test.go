package exercises

import (
	"math/rand/v2"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	images "cutaway/05-images"
	"cutaway/chapters/exercise"
)

// imageFor makes an image that says for which platform it is.
func imageFor(g *exercise.G, platform string) (v1.Image, *v1.Platform) {
	p, err := v1.ParsePlatform(platform)
	g.Must(err)
	img := image(g, archive(g, exercise.Word("file"), nil))
	config, err := img.ConfigFile()
	g.Must(err)
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant, config.Author = p.OS, p.Architecture, p.Variant, platform
	img, err = mutate.ConfigFile(img, config)
	g.Must(err)
	return img, p
}

// indexOf has an image for each platform, in any order.
func indexOf(g *exercise.G, platforms ...string) v1.ImageIndex {
	rand.Shuffle(len(platforms), func(i, j int) { platforms[i], platforms[j] = platforms[j], platforms[i] })
	index := v1.ImageIndex(empty.Index)
	for _, platform := range platforms {
		img, p := imageFor(g, platform)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: p}})
	}
	nobody, _ := imageFor(g, "linux/amd64")
	return mutate.AppendManifests(index, mutate.IndexAddendum{Add: nobody}) // an entry for no platform
}

func gradePlatform(g *exercise.G) {
	p := newPlace(g)
	all := p.push("all", indexOf(g, "linux/amd64", "windows/amd64", "linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/arm64/v8", "unknown/unknown"))
	old := p.push("old", indexOf(g, "linux/arm/v5", "linux/arm/v6", "linux/arm64"))
	for _, row := range []struct {
		check, want string
		from        images.Reference
		found, hint string
	}{
		{"the processor", "linux/amd64", all, "linux/amd64", "Both the system and the processor have to fit."},
		{"the system", "windows/amd64", all, "windows/amd64", "Both the system and the processor have to fit."},
		{"the same variant", "linux/arm/v7", all, "linux/arm/v7", "Of three that can be run, the best one; whatever their order."},
		{"no newer one", "linux/arm/v5", all, "linux/arm/v5", "An old processor does not know the new instructions."},
		{"an older one", "linux/arm/v7", old, "linux/arm/v6", "If what was asked for is not there, the best of what can be run is."},
		{"the usual variant", "linux/arm", all, "linux/arm/v7", "level tells what is meant if no variant is named."},
		{"no variant there", "linux/arm64/v8", old, "linux/arm64", "The entry names no variant, the question does; level makes them comparable."},
	} {
		platform, err := images.ParsePlatform(row.want)
		g.Must(err)
		img, err := pull(g, row.from, images.PullOptions{Platform: platform})
		got := "an error: "
		if err == nil {
			got = img.Config.Author
		} else {
			got += err.Error()
		}
		g.Check(exercise.Check{Name: row.check, Want: row.found, Got: got, Hint: "Asked for " + row.want + ". " + row.hint})
	}
	for _, absent := range []string{"linux/s390x", "linux/arm/v4", "windows/arm64"} {
		platform, err := images.ParsePlatform(absent)
		g.Must(err)
		_, err = pull(g, all, images.PullOptions{Platform: platform})
		g.Fails(err, images.ErrNotFound, "the index has nothing for "+absent)
	}
}
