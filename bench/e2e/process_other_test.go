//go:build !linux

package e2e

import (
	"testing"
	"time"
)

func (w *weir) peakMemory(t testing.TB) int64 {
	t.Helper()
	t.Skip("the memory of a process is read from /proc")
	return 0
}

func (w *weir) cpuTime(t testing.TB) time.Duration {
	t.Helper()
	t.Skip("the CPU time of a process is read from /proc")
	return 0
}
