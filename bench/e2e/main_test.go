package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// binary is the program under test: built here, unless WEIR_BINARY names one.
var binary = os.Getenv("WEIR_BINARY")

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	if binary == "" {
		dir, err := os.MkdirTemp("", "weir-e2e-")
		if err == nil {
			defer os.RemoveAll(dir)
			err = build(filepath.Join(dir, "weir"))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	status := m.Run()
	if err := goleak.Find(); err != nil && status == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}

func build(path string) error {
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", path, "github.com/weirlb/weir/cmd/weir")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as it ships
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building weir: %w\n%s", err, out)
	}
	binary = path
	return nil
}

// sized picks how much of something a story takes: with -short, as it is, and under WEIR_LONG=1.
func sized[T any](short, normal, long T) T {
	switch {
	case os.Getenv("WEIR_LONG") != "":
		return long
	case testing.Short():
		return short
	}
	return normal
}

// eventually asks again and again until ok, and fails the test when that takes too long.
func eventually(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}
