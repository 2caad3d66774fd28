//go:build unix

package proxy

import "syscall"

// descriptors is how many files this process may have open.
func descriptors() int {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return fewDescriptors
	}
	return int(min(r.Cur, manyDescriptors))
}
