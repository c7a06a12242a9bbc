// Package engine is Docker's engine, made of the seven chapters: it provides
// what 07-daemon asks for.
//
// One file for each verb; a verb that changes a container holds that
// container's lock from beginning to end, so verbs on one container follow each
// other and verbs on different ones do not wait.
//
//	          create                start
//	(nothing) ──────▶  created  ──────────▶  running ──┐
//	                      ▲ │                 │  ▲     │ the process ends:
//	     start failed ────┘ │ remove   stop,  │  │     │ stop, kill, by itself
//	                        ▼          kill   ▼  │start▼
//	                    (nothing) ◀────────── exited
//	                                remove
//
// create → create.go; start → start.go and compose.go; the end → exit.go; stop
// and kill → stop.go; remove → remove.go. A build makes and runs containers in
// the same way: build_run.go.
//
// # On disk
//
//	DataRoot/lock                       held by the engine that is alive
//	         images/                    an OCI image layout          (05-images)
//	         layers/                    unpacked, and the containers' (04-unionfs)
//	         volumes/                                                (final/volume)
//	         cache/IMAGE.json                which step of a build made it (final/build)
//	         builds/                         contexts of builds that go on
//	         containers/ID/container.json   the record; without it there is no container
//	                       json.log         written by its shim
//	ExecRoot/containers/ID/config.json      what was asked of the runtime: an OCI bundle
//	                       rootfs/          where its layers are mounted
//	                       plan.json, journal   its steps, and how far they got
//	                       exit.json        written by its shim
//	                       hosts, hostname, resolv.conf
//	         netns/ID                   its network namespace        (06-network)
//	         shims/ID                   the socket of its shim
//	         network/                   addresses given out
//	         builds/                    images that builds look into, mounted
//
// # An engine that is killed
//
// Containers go on: their shims hold them. The next engine reads the records,
// finds the shims, and undoes the starts and removals that were under way; see
// restore.go.
package engine
