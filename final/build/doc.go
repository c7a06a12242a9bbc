// Package build makes images of Dockerfiles. It knows neither kernel nor store:
// it reads the file, decides for each instruction whether its result is known
// already, and asks an [Engine] for those that are not.
//
//	Dockerfile ──parse──▶ stages ──▶ steps, one after the other
//
//	    image so far ─┬─ key ──▶ known? ──yes──▶ "Using cache", the image of then
//	    instruction ──┤                │no
//	    files, args ──┘                ├── RUN            Engine.Run: a container, and what it changed
//	                                   ├── COPY, ADD      Engine.Store: an archive on top
//	                                   └── all others     Engine.Store: another config, no files
//
// # Vocabulary
//
// A context is the directory that the client sends, as a tar archive; nothing
// else of the client's is ever seen. A stage begins with FROM and ends in an
// image. Each step of it ends in an image, too, which the next one stands on;
// those in between have no names, and stay for the next build.
//
// # The cache
//
// The [Key] of a step is made of all that its result may depend on: the ID of
// the image below, the instruction with its variables filled in, for RUN the
// build arguments that it can see, for COPY and ADD the files: names, types,
// modes, contents, but not their times. Who asks with the same key gets the same
// image. So a step that changed misses, and so do all that follow it in the
// stage, because the image below them is another one.
//
// RUN is believed to do the same when it is told the same: that the network has
// news is not seen. Use no cache then.
//
// # Not guaranteed
//
// That a build can be repeated to the bit: every image says when it was made.
// That a Dockerfile is harmless: its RUNs are containers like others, no more
// and no less contained.
package build
