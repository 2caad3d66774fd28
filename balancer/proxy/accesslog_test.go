package proxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/config"
)

var updateLines = flag.Bool("update-lines", false, "write the golden lines of the access log anew")

func outcomes() map[string]*Outcome {
	started := time.Date(2026, 11, 20, 18, 7, 35, 123456789, time.FixedZone("", 3600))
	pool := &balancer.Pool{Config: &config.Pool{Name: "eu", OriginSteering: config.OriginSteering{Policy: "random"}}}
	lb := &balancer.LoadBalancer{Config: &config.LoadBalancer{Name: "www.example.com"}}
	at := func(address string, port int) *balancer.PoolOrigin {
		return &balancer.PoolOrigin{Config: &config.Origin{Name: "a", Address: address, Port: port}}
	}
	return map[string]*Outcome{
		"plain": {
			Start: started, Duration: 12345678, Connect: 1000, Wait: 11 * time.Millisecond,
			Client: netip.MustParseAddr("192.0.2.7"), Peer: netip.MustParseAddr("127.0.0.1"),
			Method: []byte("GET"), Host: []byte("www.example.com"), Target: []byte("/a/b?token=secret"), Agent: []byte("curl/8"),
			Ray: []byte("0123456789abcdef-LCL"), Status: 200, BytesIn: 0, BytesOut: 5,
			Place: config.Place{PoP: "FRA", Region: "WEU", Country: "DE"}, Session: SessionHit, Seed: 0xfedcba9876543210, Revision: 3, Tries: 1,
			Decision: balancer.Decision{Kind: balancer.ToOrigin, Reason: balancer.Steered, LB: lb, Pool: pool, Origin: at("10.0.0.1", 80)},
		},
		"retried": {
			Start: started, Secure: true, Status: 502, Tries: 2, Redialed: true, Retried: balancer.ConnectRefused, Upgraded: true,
			Client: netip.MustParseAddr("2001:db8::7"), Peer: netip.MustParseAddr("2001:db8::1"),
			Decision: balancer.Decision{
				Kind: balancer.ToOrigin, Reason: balancer.Retried, LB: lb, Pool: pool, Origin: at("2001:db8::9", 8080), Fallback: true, Shed: 2,
			},
		},
		"fixed": {
			Start: started, Status: 301, Session: NoSession, Place: config.Place{PoP: "LCL", Region: "WEU"},
			Method: []byte("GET"), Host: []byte("www.example.com"), Target: []byte("/old"),
			Decision: balancer.Decision{Kind: balancer.FixedReply, Reason: balancer.RuleResponse, Status: 301, LB: lb},
		},
		"malformed": {Start: started, Status: 400, Class: balancer.ClientInvalid, Cause: "several_hosts"},
		"refused": {
			Start: started, Status: 530, Method: []byte("GET"), Host: []byte("nobody"), Target: []byte("http://nobody/x?y"),
			Decision: balancer.Decision{Reason: balancer.UnknownHost},
		},
		"hostile": {
			Start: started, Status: 400, Method: []byte("G\"\\T"), Host: []byte("\x00\x1f\x7f\r\n\t"),
			Target: []byte("/\xff\xfe\u00e9\u2028\u0085\xf0\x9f\x98\x80\xed\xa0\x80"), Agent: []byte("</script>\x1b[31m"),
		},
	}
}

func TestAccessLogLines(t *testing.T) {
	for name, o := range outcomes() {
		t.Run(name, func(t *testing.T) {
			got := appendOutcome(nil, o)
			golden := filepath.Join("testdata", "accesslog", name+".json")
			if *updateLines {
				if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if !json.Valid(got) || bytes.Count(got, []byte("\n")) != 1 {
				t.Errorf("not one line of JSON: %q", got)
			}
			if strings.Contains(string(got), "secret") {
				t.Error("the query is in the log")
			}
		})
	}
}

func FuzzAccessLogEscaping(f *testing.F) {
	for _, o := range outcomes() {
		f.Add(o.Target)
		f.Add(o.Agent)
	}
	f.Add([]byte("\u2029\u009f\xc2"))
	f.Fuzz(func(t *testing.T, hostile []byte) {
		text := appendText(nil, hostile)
		if string(appendText(nil, string(hostile))) != string(text) {
			t.Fatal("a string and the same bytes are escaped differently")
		}
		for _, r := range string(text) {
			if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 {
				t.Fatalf("%q lets %U through", text, r)
			}
		}
		var back string
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		var want strings.Builder
		for rest := hostile; len(rest) > 0; {
			r, size := utf8.DecodeRune(rest)
			want.WriteRune(r)
			rest = rest[size:]
		}
		if back != want.String() {
			t.Fatalf("%q reads as %q, want %q", text, back, want.String())
		}
	})
}

func TestAccessLogWritesInOrderAndReopens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	l, err := OpenAccessLog(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	log := func(status int) { l.Observe(&Outcome{Status: status}) }
	log(200)
	log(201)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	log(202)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Errorf("reopening a closed log: %v, want nothing to happen", err)
	}
	for file, want := range map[string][]int{path + ".1": {200, 201}, path: {202}} {
		if diff := cmp.Diff(want, statuses(t, file)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", file, diff)
		}
	}
	if l.Dropped() != 0 {
		t.Errorf("%d lines dropped", l.Dropped())
	}
}

func statuses(t *testing.T, file string) []int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []int
	for line := range strings.Lines(string(text)) {
		var got struct{ Status int }
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, got.Status)
	}
	return all
}

func TestAccessLogReopenKeepsTheOldFileWhenItCannot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "access.log")
	l, err := OpenAccessLog(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+".moved"); err != nil {
		t.Fatal(err)
	}
	if l.Reopen() == nil {
		t.Error("reopening in a folder that is gone: no error")
	}
	l.Observe(&Outcome{Status: 200})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := statuses(t, filepath.Join(dir+".moved", "access.log")); len(got) != 1 {
		t.Errorf("%d lines in the old file, want 1", len(got))
	}
}

// stuck is a file that takes nothing until it is released.
type stuck struct {
	release chan struct{}
	mu      sync.Mutex
	taken   bytes.Buffer
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.release
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken.Write(p)
}

// A disk that takes nothing costs lines and never time.
func TestAccessLogDropsRatherThanWaits(t *testing.T) {
	w := &stuck{release: make(chan struct{})}
	l := newAccessLog("", w, nil)
	const n = 3 * logLines
	for range n {
		l.Observe(&Outcome{Status: 200})
	}
	if l.Dropped() == 0 {
		t.Fatal("nothing was dropped")
	}
	close(w.release)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if written := bytes.Count(w.taken.Bytes(), []byte("\n")); uint64(written)+l.Dropped() != n {
		t.Errorf("%d lines written and %d dropped, together not %d", written, l.Dropped(), n)
	}
}

func TestAccessLogBoundsItsMemory(t *testing.T) {
	w := &stuck{release: make(chan struct{})}
	l := newAccessLog("", w, nil)
	long := bytes.Repeat([]byte{0}, 16<<10) // six times as long when it is escaped
	for range 1000 {
		l.Observe(&Outcome{Status: 200, Target: long, Agent: long})
	}
	if most := int64(logBytes + 13*16<<10); l.waiting.Load() > most {
		t.Errorf("%d bytes wait, want at most %d", l.waiting.Load(), most)
	}
	close(w.release)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l.waiting.Load() != 0 {
		t.Errorf("%d bytes wait after the end", l.waiting.Load())
	}
}

type brokenDisk struct{}

func (brokenDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAccessLogCountsWhatCannotBeWritten(t *testing.T) {
	l := newAccessLog("", brokenDisk{}, nil)
	l.Observe(&Outcome{Status: 200})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l.Dropped() == 0 {
		t.Error("a line that could not be written was not counted")
	}
}

func TestAppendOutcomeDoesNotAllocate(t *testing.T) {
	o, room := outcomes()["plain"], make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { room = appendOutcome(room[:0], o) }); n != 0 {
		t.Errorf("a line allocates %v times, want 0", n)
	}
}

func BenchmarkAppendOutcome(b *testing.B) {
	o, room := outcomes()["plain"], make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		room = appendOutcome(room[:0], o)
	}
}
