//go:build !unix

package proxy

import "syscall"

// rawCalls says that the calls below do not exist here: streams go through net.Conn, and an idle connection's end is
// noticed by the next use of it.
const rawCalls = false

func rawRead(uintptr, []byte) (int, error)  { panic("BUG: no raw calls on this system") }
func rawWrite(uintptr, []byte) (int, error) { panic("BUG: no raw calls on this system") }
func rawPeek(uintptr) (int, error)          { return 0, syscall.EAGAIN }
func rawHungUp(uintptr) bool                { return false }
func rawTaken(uintptr) int64                { return 0 }
