// Package weir_test holds the rules about the tree as a whole: which room may import what, and what no file may say.
package weir_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/weirlb/weir"

// Third-party modules, by the name the walls use.
const (
	xxhash    = "github.com/cespare/xxhash/v2"
	jsonv2    = "github.com/go-json-experiment/json"
	fasthttp  = "github.com/valyala/fasthttp"
	maxminddb = "github.com/oschwald/maxminddb-golang/v2"
	zap       = "go.uber.org/zap"
	promlibs  = "github.com/prometheus"
	xnet      = "golang.org/x/net"
	xsys      = "golang.org/x/sys"
)

// A wall says what the packages of one room may import beside the standard library. Tests may reach further: they
// stage what their room must withstand.
type wall struct {
	room   string   // path below the module; the longest match holds
	may    []string // rooms (without the module's name) and modules
	not    []string // packages of the standard library that are out of bounds
	reason string
}

var walls = []wall{
	{
		room: "config", may: []string{jsonv2},
		not:    []string{"net/http", "log", "log/slog", "math/rand", "math/rand/v2"},
		reason: "configuration is a value: it can be read, checked and compared by every tool without starting anything",
	},
	{
		room: "steering", may: []string{xxhash}, not: impure,
		reason: "a policy is a function of its arguments: no clock, no dice, no I/O, so that explain and simulation are the same code",
	},
	{
		room: "steering/steeringtest", may: []string{"steering"},
		reason: "the suite every policy runs needs the policies and package testing",
	},
	{
		room: "shedding", may: []string{xxhash}, not: impure,
		reason: "shedding is a function of its arguments, and independent of steering: they must not share bits",
	},
	{
		room: "health", may: []string{"config", xnet},
		not:    []string{"log", "log/slog"},
		reason: "health reports through callbacks, and knows nothing of what is done with its verdicts",
	},
	{
		room: "balancer", may: []string{"config", "health", "shedding", "steering", xxhash},
		not:    []string{"net", "net/http", "log", "log/slog", "math/rand", "math/rand/v2"},
		reason: "a decision is made from a snapshot and a request's values: it touches no connection and rolls no dice of its own",
	},
	{
		room: "balancer/rules", not: []string{
			"bufio", "context", "crypto/rand", "io", "log", "log/slog", "math/rand", "math/rand/v2", "net", "net/http", "os", "syscall", "time",
		},
		reason: "a condition is a function of a request's values: no clock, no dice, no I/O, so that what is checked is what is evaluated",
	},
	{
		room: "balancer/explain", may: []string{"balancer", "config", "health", "steering"},
		not:    []string{"io", "log", "log/slog", "math/rand", "math/rand/v2", "net", "net/http", "os"},
		reason: "writes down what the decision looked at, and sends nothing",
	},
	{
		room: "balancer/resolve", may: []string{"config", xnet},
		reason: "names are resolved apart from decisions, never per request",
	},
	{
		room: "balancer/geoip", may: []string{maxminddb},
		not:    []string{"net", "net/http", "log", "log/slog"},
		reason: "the only room that knows the format of GeoIP databases; it reads a file and answers for an address",
	},
	{
		room: "balancer/notify", may: []string{"config", "health"},
		not:    []string{"log", "log/slog"},
		reason: "notifications reach no further than an event and a webhook, report through callbacks, and hold up nobody",
	},
	{
		room: "balancer/proxy", may: []string{"balancer", "config", "steering", fasthttp, zap, promlibs, xsys},
		reason: "the only room that knows fasthttp; it asks balancer for every decision and makes none (of steering it takes the mixing of seeds)",
	},
	{
		room: "balancer/proxy/wire", not: []string{"bufio", "io", "log", "net", "net/http", "os", "syscall", "time"},
		reason: "bytes in, verdict out: no I/O and no clock, so that every engine judges alike and fuzzing reaches everything",
	},
	{
		room: "balancer/admin", may: []string{"balancer", "config", "health", zap, promlibs},
		reason: "explains what the other rooms know",
	},
	{
		room: "bench/origin", may: []string{xsys},
		reason: "the origins that test weir must not share its mistakes",
	},
	{
		room: "bench/load", may: []string{xsys},
		reason: "the load that measures weir must not share its mistakes",
	},
	{
		room: "bench", may: []string{"balancer", "bench", "config", "health", "shedding", "steering", fasthttp, zap, promlibs, xnet, xsys},
		reason: "measures everything but the command",
	},
	{
		room: "examples", not: []string{"io", "net", "net/http", "os", "time"},
		reason: "the example files and nothing else: every program can hold them without starting anything",
	},
	{
		room: "cmd", may: []string{
			"balancer", "bench", "cmd", "config", "examples", "health", "shedding", "steering", zap, promlibs, xsys,
			"github.com/fsnotify/fsnotify", "github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/term",
		},
		reason: "wiring, flags and signals; a library used here only is no business of the rooms",
	},
}

// impure is what a room of pure functions has no use for.
var impure = []string{
	"bufio", "context", "crypto/rand", "io", "log", "log/slog", "math/rand", "math/rand/v2", "net", "net/http", "os",
	"sync", "syscall", "time",
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

// TestWalls holds every package of the module to the wall of its room.
func TestWalls(t *testing.T) {
	for _, p := range packages(t) {
		path, ours := strings.CutPrefix(p.ImportPath, module+"/")
		if !ours {
			continue // the top level holds only this test
		}
		w := wallOf(path)
		if w == nil {
			t.Errorf("%s: no wall names this room; add one with its reason", path)
			continue
		}
		for _, imp := range p.Imports {
			if !w.allows(path, imp) {
				t.Errorf("%s must not import %s: %s", path, imp, w.reason)
			}
		}
	}
}

// TestWallsRefuse shows that a breach would be seen.
func TestWallsRefuse(t *testing.T) {
	for _, c := range []struct {
		path, imp string
		allowed   bool
	}{
		{"steering", "math/bits", true},
		{"steering", xxhash, true},
		{"steering", "time", false},
		{"steering", module + "/config", false},
		{"shedding", module + "/steering", false},
		{"health", module + "/config", true},
		{"health", module + "/balancer", false},
		{"balancer", fasthttp, false},
		{"balancer", "net/netip", true},
		{"balancer", "net", false},
		{"balancer/resolve", "net", true},
		{"balancer/rules", "regexp", true},
		{"balancer/rules", "time", false},
		{"balancer/rules", module + "/config", false},
		{"balancer/explain", module + "/balancer/rules", true},
		{"balancer/explain", "net/http", false},
		{"balancer/notify", "net/http", true},
		{"balancer/notify", module + "/balancer", false},
		{"balancer/proxy", fasthttp, true},
		{"balancer/proxy", module + "/balancer/proxy/wire", true},
		{"balancer/proxy/wire", "net", false},
		{"balancer/proxy/wire", fasthttp, false},
		{"balancer/admin", fasthttp, false},
		{"config", zap, false},
		{"bench/origin", module + "/balancer/proxy/wire", false},
		{"cmd/weir", "go.uber.org/goleak", false},
	} {
		if got := wallOf(c.path).allows(c.path, c.imp); got != c.allowed {
			t.Errorf("%s importing %s: allowed %v, want %v", c.path, c.imp, got, c.allowed)
		}
	}
}

func wallOf(path string) *wall {
	var best *wall
	for i := range walls {
		w := &walls[i]
		if within(path, w.room) && (best == nil || len(w.room) > len(best.room)) {
			best = w
		}
	}
	return best
}

func (w *wall) allows(path, imp string) bool {
	rel, ours := strings.CutPrefix(imp, module+"/")
	switch {
	case ours && within(rel, w.room): // a room's own subpackages
		return true
	case ours:
		return mayImport(w.may, rel)
	case standard(imp):
		return !slices.Contains(w.not, imp)
	default:
		return mayImport(w.may, imp)
	}
}

func mayImport(may []string, path string) bool {
	return slices.ContainsFunc(may, func(m string) bool { return within(path, m) })
}

func within(path, room string) bool { return path == room || strings.HasPrefix(path, room+"/") }

// standard goes by the rule of the go command: no dot in a standard package's first element.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list ./...: %v\n%s", err, stderr.Bytes())
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list ./...: %v", err)
		}
		all = append(all, p)
	}
	if len(all) < 5 {
		t.Fatalf("go list ./... named %d packages: not run at the top of the module", len(all))
	}
	return all
}

// TestNoRegistryHosts keeps the hosts of package registries out of the tree: a build takes its modules from the proxy
// that the builder's environment names, and no script of ours may go round it.
func TestNoRegistryHosts(t *testing.T) {
	hosts := [][2]string{ // in halves, so that this file does not name them either
		{"proxy.", "golang.org"},
		{"sum.", "golang.org"},
		{"goproxy.", "io"},
		{"registry.", "npmjs.org"},
		{"pypi.", "org"},
		{"pythonhosted.", "org"},
		{"crates.", "io/"},
		{"rubygems.", "org"},
		{"repo.maven.", "apache.org"},
		{"deb.", "debian.org"},
	}
	for path, text := range files(t, nil) {
		for _, h := range hosts {
			if bytes.Contains(text, []byte(h[0]+h[1])) {
				t.Errorf("%s names the registry %s", path, h[0]+h[1])
			}
		}
	}
}

// files reads the tree's own files whose path pick wants (nil: all), without what git or a build keeps there.
func files(t *testing.T, pick func(path string) bool) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (path == ".git" || path == "bin"):
			return fs.SkipDir
		case !d.Type().IsRegular() || pick != nil && !pick(path):
			return nil
		}
		found[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
