// Package exercises holds the exercises of chapter 5. How they are made and graded is written in chapters/exercise.
package exercises

import "cutaway/chapters/exercise"

// List is what a learner is asked to write.
var List = exercise.List{Dir: "05-images", Exercises: []exercise.Exercise{
	{
		Name: "names", Title: "Who is meant by web/alpine", Points: 2,
		Empty: []string{"splitDomain"},
		Task: `Cut a name in two: the registry, and the repository there. What stands before the first slash is a registry only if it cannot be a user: if it has
a dot, a colon or a capital letter, or is localhost. Everything else is at docker.io, which is also called index.docker.io; and there a repository without a slash is
one of the official ones, below library/.`,
	},
	{
		Name: "chain", Title: "The name of a tree", Points: 1,
		Empty: []string{"ChainID"},
		Task: `Name the tree that a layer makes on top of another tree, which has a ChainID itself. The same layer on nothing, or on something else, is another tree. It has to be what
containerd and Docker call it: the OCI's image-spec, config.md, says how.`,
	},
	{
		Name: "platform", Title: "One name, many processors", Points: 3,
		Empty: []string{"choose"},
		Task: `Find in an index the image for a platform: of those that it can run, the best one. An ARM v7 runs what was made for v6 and v5, but nothing for v8; level
knows what a missing variant means. The order in the index means nothing, and some entries are for no platform at all. If there is none, the error wraps ErrNotFound.`,
	},
	{
		Name: "verify", Title: "Believe nothing before its end", Points: 3,
		Empty: []string{"verified.Read"},
		Task: `Read a layer's tar from v.Reader, for the one who unpacks it while it arrives; it may be larger than the memory. If it is not the tar that the config
promises, he must hear of it in the end: then he throws away what he has. The error wraps ErrDigest.`,
	},
	{
		Name: "resume", Title: "Go on where the line broke", Points: 3,
		Empty: []string{"session.blob"},
		Task: `Open a connection to the registry that brings the rest of a layer's blob: what is read first is the byte at, and after the last of l.Size there is io.EOF. What we
have is not sent again, if the registry knows how; if it does not know ranges it says so by its status, and sends all. s.get asks. An answer that says a length and means
another blob wraps ErrSize.`,
	},
	{
		Name: "plain", Title: "Speak openly only at home", Points: 2,
		Empty: []string{"httpsOnly.RoundTrip"},
		Task: `Every request goes through here: to the registry, to where it asks for a login, and to wherever they send us. Plain HTTP is for this machine, by any
of its names, and for hosts that h.insecure allows; everybody else gets ErrPlainHTTP, and not a byte. Who wants to see the answers (h.Trace) sees them.`,
	},
}}
