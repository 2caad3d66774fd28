package wire

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// testLimits are the documented defaults (behaviour T2).
var testLimits = Limits{URI: 16 << 10, Field: 16 << 10, Header: 32 << 10, Fields: 128}

// crlf makes a head of lines.
func crlf(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n\r\n" }

// get is a GET with Host and further lines.
func get(lines ...string) string {
	return crlf(append([]string{"GET / HTTP/1.1", "Host: example.com"}, lines...)...)
}

// post is a POST with Host and further lines.
func post(lines ...string) string {
	return crlf(append([]string{"POST / HTTP/1.1", "Host: example.com"}, lines...)...)
}

func parseRequest(t testing.TB, head string) *Request {
	t.Helper()
	r := new(Request)
	if cause := r.Parse([]byte(head), testLimits); cause != OK {
		t.Fatalf("Parse(%q) = %v, want ok", head, cause)
	}
	return r
}

func parseResponse(t testing.TB, head, method string) *Response {
	t.Helper()
	r := new(Response)
	if cause := r.Parse([]byte(head), testLimits, []byte(method)); cause != OK {
		t.Fatalf("Parse(%q) = %v, want ok", head, cause)
	}
	return r
}

func testEdits() *Edits {
	return &Edits{
		ClientIP: []byte("203.0.113.1"),
		PeerIP:   []byte("203.0.113.1"),
		Proto:    "http",
		Ray:      []byte("230b030023ae2822-SJC"),
	}
}

// golden compares got with testdata/golden/<name>. The file has a line per line of got, its CRLF spelled out.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	var text strings.Builder
	for line := range strings.Lines(string(got)) {
		quoted := strconv.Quote(line)
		text.WriteString(strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`) + "\n")
	}
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// lines returns the field lines of a head, without start line and blank line.
func lines(head []byte) []string {
	all := strings.Split(strings.TrimSuffix(string(head), "\r\n\r\n"), "\r\n")
	return all[1:]
}

// valuesOf returns the values of the lines called name in the head.
func valuesOf(head []byte, name string) (values []string) {
	for _, l := range lines(head) {
		if n, v, _ := strings.Cut(l, ":"); strings.EqualFold(n, name) {
			values = append(values, strings.TrimSpace(v))
		}
	}
	return values
}

func TestTextEndAgreesWithTheObviousLoop(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	interesting := []byte{0, 1, '\t', '\n', '\r', 0x1f, ' ', '!', '~', 0x7e, 0x7f, 0x80, 0x81, 0x9f, 0xa0, 0xff}
	for range 20000 {
		b := make([]byte, r.IntN(40))
		for i := range b {
			b[i] = 'a'
			if r.IntN(6) == 0 {
				b[i] = interesting[r.IntN(len(interesting))]
			}
		}
		for _, min := range []byte{' ', '!'} {
			want := 0
			for want < len(b) && b[want] >= min && b[want] != 0x7f {
				want++
			}
			if got := textEnd(b, 0, min); got != want {
				t.Fatalf("textEnd(%q, 0, %q) = %d, want %d", b, min, got, want)
			}
		}
	}
}

func TestTokenBytes(t *testing.T) {
	// RFC 9110 §5.6.2, written out.
	const tchar = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for c := range 256 {
		want := strings.IndexByte(tchar, byte(c)) >= 0
		if got := isTokenText([]byte{byte(c)}); got != want {
			t.Errorf("isTokenText(%q) = %v, want %v", rune(c), got, want)
		}
	}
	if isTokenText(nil) {
		t.Error("the empty text is taken for a token")
	}
}

func TestKnownNamesAreFoundInAnyCase(t *testing.T) {
	for _, k := range knownNames {
		for _, name := range []string{k.name, strings.ToUpper(k.name), strings.ToUpper(k.name[:1]) + k.name[1:]} {
			if got := identify([]byte(name)); got != k.id {
				t.Errorf("identify(%q) = %d, want %d", name, got, k.id)
			}
		}
		for _, name := range []string{k.name + "x", "x" + k.name, k.name[1:], strings.ReplaceAll(k.name, "-", "_") + "_"} {
			if name != "" && identify([]byte(name)) == k.id {
				t.Errorf("identify(%q) takes it for %q", name, k.name)
			}
		}
	}
	for name, want := range map[string]fieldID{"Weir-Pop": idWeir, "WEIR-X": idWeir, "weir-": idWeir, "Weir": idOther, "Weird-A": idOther} {
		if got := identify([]byte(name)); got != want {
			t.Errorf("identify(%q) = %d, want %d", name, got, want)
		}
	}
}

func TestCausesAreAClosedDescribedSet(t *testing.T) {
	tokens := map[string]Cause{}
	for _, c := range Causes() {
		if c.Sentence() == "" || c.String() == "" || strings.ToLower(c.String()) != c.String() {
			t.Errorf("cause %d: token %q, sentence %q", c, c, c.Sentence())
		}
		if other, ok := tokens[c.String()]; ok {
			t.Errorf("causes %d and %d share the token %q", c, other, c)
		}
		tokens[c.String()] = c
		if s := c.Status(); s < 400 || s > 599 {
			t.Errorf("%v: status %d is no refusal", c, s)
		}
	}
	if OK.Status() != 0 || OK.String() != "ok" {
		t.Errorf("OK: status %d, token %q", OK.Status(), OK)
	}
	defer func() {
		if r, _ := recover().(string); !strings.HasPrefix(r, "BUG:") {
			t.Errorf("an unknown cause gives %q, want a BUG: panic", r)
		}
	}()
	_ = causes.String()
}
