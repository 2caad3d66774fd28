//go:build !linux

package load

import "net"

// What may have happened to a connection while nobody looked.
const (
	idleQuiet = iota
	idleClosed
	idleBytes
)

// idleState cannot be asked portably; a connection closed while idle shows as a failure with CauseClosed or CauseReset.
func idleState(net.Conn) int { return idleQuiet }
