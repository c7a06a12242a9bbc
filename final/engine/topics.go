package engine

import (
	"errors"
	"net"

	images "cutaway/05-images"
	network "cutaway/06-network"
	daemon "cutaway/07-daemon"

	"golang.org/x/sys/unix"
)

// What the engine's errors are about, where no step failed: sections of
// chapters/errors.md.
var (
	noContainer  = daemon.Topic{ID: "container.NotFound", Chapter: "chapters/07-daemon.md"}
	ambiguous    = daemon.Topic{ID: "container.Ambiguous", Chapter: "chapters/07-daemon.md"}
	badName      = daemon.Topic{ID: "container.Name", Chapter: "chapters/07-daemon.md"}
	nameInUse    = daemon.Topic{ID: "container.NameInUse", Chapter: "chapters/07-daemon.md"}
	notRunning   = daemon.Topic{ID: "container.NotRunning", Chapter: "chapters/07-daemon.md"}
	stillRunning = daemon.Topic{ID: "container.Running", Chapter: "chapters/07-daemon.md"}
	stepped      = daemon.Topic{ID: "container.Stepped", Chapter: "chapters/plan.md"}
	badSignal    = daemon.Topic{ID: "container.Signal", Chapter: "chapters/07-daemon.md"}

	noImage      = daemon.Topic{ID: "image.NotFound", Chapter: "chapters/05-images.md"}
	badReference = daemon.Topic{ID: "image.Reference", Chapter: "chapters/05-images.md"}
	badArchive   = daemon.Topic{ID: "image.Archive", Chapter: "chapters/05-images.md"}
	imageInUse   = daemon.Topic{ID: "image.InUse", Chapter: "chapters/05-images.md"}

	pullNotFound     = daemon.Topic{ID: "pull.NotFound", Chapter: "chapters/05-images.md"}
	pullUnauthorized = daemon.Topic{ID: "pull.Unauthorized", Chapter: "chapters/05-images.md"}
	pullUnreachable  = daemon.Topic{ID: "pull.Unreachable", Chapter: "chapters/05-images.md"}
	pullDigest       = daemon.Topic{ID: "pull.Digest", Chapter: "chapters/05-images.md"}
	pullFailed       = daemon.Topic{ID: "pull.Failed", Chapter: "chapters/05-images.md"}
	pullPlain        = daemon.Topic{ID: "pull.PlainHTTP", Chapter: "chapters/05-images.md"}

	badPort       = daemon.Topic{ID: "port.Invalid", Chapter: "chapters/06-network.md"}
	portAllocated = daemon.Topic{ID: "port.Allocated", Chapter: "chapters/06-network.md"}
	portInUse     = daemon.Topic{ID: "port.AddressInUse", Chapter: "chapters/06-network.md"}
	portForeign   = daemon.Topic{ID: "port.AddressNotHere", Chapter: "chapters/06-network.md"}
	noNetwork     = daemon.Topic{ID: "network.NotFound", Chapter: "chapters/06-network.md"}

	badVolume = daemon.Topic{ID: "volume.Invalid", Chapter: "chapters/02-namespaces.md"}
	badOption = daemon.Topic{ID: "option.Invalid", Chapter: "chapters/08-final.md"}

	diskFull     = daemon.Topic{ID: "engine.DiskFull", Chapter: "chapters/08-final.md"}
	engineBusy   = daemon.Topic{ID: "engine.Busy", Chapter: "chapters/08-final.md"}
	engineListen = daemon.Topic{ID: "engine.Listen", Chapter: "chapters/07-daemon.md"}
	engineOpen   = daemon.Topic{ID: "engine.Open", Chapter: "chapters/08-final.md"}
)

// portTopic is what a port of the host that cannot be had is about.
func portTopic(err error) daemon.Topic {
	switch {
	case errors.Is(err, network.ErrPortAllocated):
		return portAllocated
	case errors.Is(err, unix.EADDRINUSE):
		return portInUse
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return portForeign
	}
	return badPort
}

// aboutPull gives what went wrong in a pull its topic.
func aboutPull(err error) error {
	if _, ok := errors.AsType[net.Error](err); ok {
		return pullUnreachable.About(err)
	}
	for _, known := range []struct {
		err   error
		topic daemon.Topic
	}{
		{images.ErrNotFound, pullNotFound}, {images.ErrUnauthorized, pullUnauthorized},
		{images.ErrDigest, pullDigest}, {images.ErrSize, pullDigest}, {images.ErrPlainHTTP, pullPlain},
		{images.ErrReference, badReference},
	} {
		if errors.Is(err, known.err) {
			return known.topic.About(err)
		}
	}
	if err == nil {
		return nil
	}
	return pullFailed.About(err)
}
