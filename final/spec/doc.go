// Package spec translates: Docker's request for a container, and the image's
// own wishes, into an OCI runtime specification (config.json).
//
//	image config ──┐
//	               ├─ Merge ─▶ container.Config ─┐
//	POST /create ──┤                             ├─ Make ─▶ specs.Spec
//	               └──────────── HostConfig ─────┘
//
// It only computes: nothing here touches the kernel or the disk. What the
// engine cannot do is refused by Check, by the name of the option, before
// anything was made: an option that is silently ignored is a lie.
//
// # What is not guaranteed
//
// That the specification can be carried out: a limit may be more than the
// machine has, and a user may not exist in the image. The steps find out.
package spec
