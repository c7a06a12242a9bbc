package exercises

import (
	"crypto/sha256"
	"fmt"

	images "cutaway/05-images"
	"cutaway/chapters/exercise"
)

func gradeNames(g *exercise.G) {
	user, app, host := exercise.Word("user"), exercise.Word("app"), exercise.Word("host")
	for _, row := range []struct{ check, in, want, hint string }{
		{"alone", app, "docker.io/library/" + app, "One word: an official image."},
		{"a user", user + "/" + app, "docker.io/" + user + "/" + app, "Nothing in that word says that it is a machine."},
		{"a user's team", user + "/" + host + "/" + app, "docker.io/" + user + "/" + host + "/" + app, "Only the first slash matters."},
		{"a dot", host + ".example/" + app, host + ".example/" + app, "A user's name has no dot."},
		{"a port", host + ":5000/" + app, host + ":5000/" + app, "A user's name has no colon."},
		{"localhost", "localhost/" + app, "localhost/" + app, "The exception."},
		{"a capital", "H" + host + "/" + app, "H" + host + "/" + app, "A repository is lower case, a machine need not be."},
		{"spelled out", "docker.io/" + app, "docker.io/library/" + app, "It is the same image as without the registry's name."},
		{"the old name", "index.docker.io/" + user + "/" + app, "docker.io/" + user + "/" + app, "One registry, two names: two names of one image must be equal."},
		{"nobody's library", host + ".example/" + app, host + ".example/" + app, "Only docker.io has official images."},
	} {
		ref, err := images.ParseReference(row.in)
		got := ref.Name()
		if err != nil {
			got = err.Error()
		}
		g.Check(exercise.Check{Name: row.check, Want: row.want, Got: got, Hint: row.in + ": " + row.hint})
	}
}

func digest(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

func gradeChain(g *exercise.G) {
	below, above := digest([]byte(exercise.Word("below"))), digest([]byte(exercise.Word("above")))
	g.Check(exercise.Check{Name: "the lowest", Want: below, Got: images.ChainID("", below), Hint: "There is nothing below: what else could it depend on?"})
	want := digest([]byte(below + " " + above))
	hint := "Which bytes are hashed? The text of both, sha256: and all, and what between them?"
	if got := images.ChainID(below, above); got == digest([]byte(above+" "+below)) {
		hint = "The order: what is below comes first."
	}
	g.Check(exercise.Check{Name: "on top of another", Want: want, Got: images.ChainID(below, above), Hint: hint})
	third := digest([]byte(exercise.Word("third")))
	g.Check(exercise.Check{
		Name: "on top of two", Want: digest([]byte(want + " " + third)), Got: images.ChainID(want, third),
		Hint: "A chain: the name of all below is one digest, however many they are.",
	})
}
