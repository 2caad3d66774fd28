package load

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// What may have happened to a connection while nobody looked.
const (
	idleQuiet = iota
	idleClosed
	idleBytes
)

// idleState looks without waiting and without taking anything away.
func idleState(conn net.Conn) int {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return idleQuiet
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return idleClosed
	}
	state := idleClosed
	_ = raw.Control(func(fd uintptr) { // fails only on a closed connection
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EAGAIN):
			state = idleQuiet
		case err == nil && n > 0:
			state = idleBytes
		}
	})
	return state
}
