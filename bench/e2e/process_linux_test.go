package e2e

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// clockTick is the unit of CPU times in /proc: USER_HZ, 100 per second on every architecture that Go runs on.
const clockTick = 10 * time.Millisecond

// peakMemory is the most memory that the process has had resident, in bytes.
func (w *weir) peakMemory(t testing.TB) int64 {
	t.Helper()
	for line := range strings.Lines(w.proc(t, "status")) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmHWM:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("/proc does not tell the peak of resident memory")
	return 0
}

// cpuTime is what the process has used so far, in user and kernel mode.
func (w *weir) cpuTime(t testing.TB) time.Duration {
	t.Helper()
	stat := []byte(w.proc(t, "stat"))
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // behind the name, which may hold anything
	const utime, stime = 11, 12
	var ticks int64
	for _, i := range []int{utime, stime} {
		n, err := strconv.ParseInt(string(fields[i]), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick
}

func (w *weir) proc(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(w.cmd.Process.Pid) + "/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
