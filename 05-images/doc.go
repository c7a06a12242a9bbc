// Package images turns a name into layers. It reads image names as Docker does,
// keeps images in a store, and moves them from and to registries and archives.
//
//	reference    127.0.0.1:5000/demo/hello:1        what people say
//	   │ the registry looks it up: the only step that may change
//	   ▼
//	index        linux/amd64 → sha256:d8…           one image for each platform
//	   │ the platform chooses                       (may be missing)
//	   ▼
//	manifest     config: sha256:98…, layers: …      which blobs make the image
//	   ├──────────────┬──────────────┐
//	   ▼              ▼              ▼
//	config          layer          layer            blobs
//	Cmd, Env, …     tar.gz         tar.zst
//	DiffIDs ──────► the tar inside each must have this digest
//
// From the reference on, every arrow is a digest: who has the first one can
// verify all that follows, whoever delivers it.
//
// # Vocabulary
//
// A blob is a sequence of bytes whose name is its SHA-256, its digest. A
// manifest lists the blobs of an image; an index lists manifests; a config says
// how to run it. The ID of an image is the digest of its config. A layer is a
// tar archive of changes; it has a digest as it is stored and sent (mostly
// compressed), a DiffID as it is unpacked, and a ChainID that names the tree
// which it makes with those below it ([ChainID]).
//
// # The store
//
// A [Store] is a directory in the standard OCI image layout, so that other
// tools open it: skopeo inspect oci:DIR:alpine:latest.
//
//	oci-layout             {"imageLayoutVersion":"1.0.0"}
//	index.json             a descriptor for each name of each image
//	blobs/sha256/HEX       manifests, indexes, configs, layers
//	ingest/HEX             a layer that is arriving, or whose pull was interrupted
//	leases/…               what running pulls need, see [Store.Pull]
//	lock                   held, by flock(2), while any of these is changed
//
// What holds at any moment, also after a crash:
//
//  1. A file in blobs has the content that its name says: it was verified, synced, then renamed.
//  2. index.json is whole, and whoever reads it needs no lock: it is only ever replaced.
//  3. An image in index.json has all its blobs: they are there before it is entered.
//  4. A blob is removed only under the lock, if no image and no living lease needs it.
//
// # Not guaranteed
//
// That an image is what its name suggests: a tag is whatever the registry says
// at that moment. Pull by digest to be sure. That an image is harmless: a
// digest says that nothing was changed, not that it was good. That layers can be
// unpacked safely: that is up to the [Unpacker]. That blobs stay intact on a
// bad disk: documents are verified each time they are read from disk, layers whenever they are unpacked.
package images

import "embed"

// Source is this package's own source, for explain.
//
//go:embed *.go
var Source embed.FS
