package main

import (
	"golang.org/x/sys/unix"

	"github.com/weirlb/weir/config"
)

// What of the descriptor limit is left for everything but traffic: probes, files, the admin listener.
const reservedDescriptors = 256

// mostConnections bounds what follows from an unlimited number of descriptors.
const mostConnections = 1 << 20

// fillLimits gives the limits that follow from the machine their values (behaviour T2): a proxied request holds two
// descriptors.
func fillLimits(l *config.Limits, descriptors uint64) {
	connections := int(min(max(descriptors, reservedDescriptors+32)-reservedDescriptors, 2*mostConnections) / 2)
	if l.ClientConnections == 0 {
		l.ClientConnections = connections
	}
	if l.OriginConnections == 0 {
		l.OriginConnections = connections
	}
}

// descriptorLimit is how many files and sockets this process may have open. The runtime has raised it as far as it may.
func descriptorLimit() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 1024 // what is usual where nobody has raised it
	}
	return uint64(limit.Cur) //nolint:unconvert // signed on FreeBSD
}
