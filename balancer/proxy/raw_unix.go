//go:build unix && !linux

package proxy

import "syscall"

// rawCalls says that the calls below exist here.
const rawCalls = true

func rawRead(fd uintptr, p []byte) (int, error)  { return syscall.Read(int(fd), p) }
func rawWrite(fd uintptr, p []byte) (int, error) { return syscall.Write(int(fd), p) }

func rawPeek(fd uintptr) (int, error) {
	var one [1]byte
	n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	if err != nil {
		n = 0
	}
	return n, err
}

// rawHungUp would need a queue of the kernel's here: a client that goes away behind bytes of its own, as TLS does, is
// noticed by the next write to it.
func rawHungUp(uintptr) bool { return false }

// rawTaken would be how much the peer's system has acknowledged, which is not asked here: a slow peer counts as a stuck
// one when this system's buffer stays full for too long.
func rawTaken(uintptr) int64 { return 0 }
