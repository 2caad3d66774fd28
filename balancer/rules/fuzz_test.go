package rules

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

// seeds are conditions, right and wrong, that between them use everything.
var seeds = []string{
	"", `http.host eq "a"`, `http.host != r#"a"b"#`, `http.cookie contains "\x00\377"`, `http.host matches "[a\"]+\d{1,3}$"`,
	`http.request.uri.path wildcard r"/a\**" or http.request.uri.path strict wildcard "/B/*"`,
	`ip.src in {1.2.3.0/24 ::1..::ff 10.0.0.1} and not ip.src eq ::ffff:1.2.3.4`,
	`http.request.timestamp.sec in {1..5 -7 0x1f} xor (http.request.timestamp.sec ge 5 && len(http.host) < 9)`,
	`any(lower(http.request.headers["x-a"][*])[*] in {"a" "b"}) || all(not len(http.request.uri.args["f"][*])[*] eq 3)`,
	`http.request.headers["x-a"][1] eq "c" ^^ upper(http.request.uri.args.names[*])[0] eq "A"`,
	`any(concat(http.request.uri.args.values[*], "x", substring(http.host, -3, 9))[*] contains "ax")`,
	`url_decode(http.request.uri, "ur") eq remove_bytes(http.host, "w")`, `url_decode(http.request.uri) ne "b"`,
	`starts_with(http.host, "a") and ends_with(http.request.uri.args["k"][*], "v")[2]`, `not (not (http.host eq "x"))`,
	`dns.qry.name eq "x"`, `http.host in {`, `((((`, `any(`, "r\"", `ip.src in {0.0.0.0/0 255.255.255.255}`,
}

// FuzzCompile holds any text to the promises of Compile: it never panics, an error points into the text, and the canonical
// form of what compiles is its own canonical form, and means the same.
func FuzzCompile(f *testing.F) {
	for _, s := range seeds {
		f.Add(s, "/a?f=1&f=xyz&k=v", "a.example.com:80")
	}
	f.Fuzz(holdsItsPromises)
}

func holdsItsPromises(t *testing.T, expr, target, host string) {
	e, err := Compile(expr)
	if err != nil {
		var wrong *Error
		if !errors.As(err, &wrong) || wrong.Offset < 0 || wrong.Offset > len(expr) || wrong.Message == "" || wrong.Want == "" {
			t.Fatalf("%q: the error is %#v", expr, err)
		}
		return
	}
	again, err := compile(e.String(), 100*MaxLength) // spelling operators out makes conditions longer
	if err != nil {
		t.Fatalf("%q has the canonical form %q, which does not compile: %v", expr, e, err)
	}
	if again.String() != e.String() {
		t.Fatalf("%q has the canonical form %q, whose own is %q", expr, e, again)
	}
	in := common()
	in.target, in.host = target, host
	if first := e.Match(in); e.Match(in) != first || again.Match(in) != first {
		t.Fatalf("%q is %v, then %v, and as %q %v", expr, first, e.Match(in), again, again.Match(in))
	}
}

// TestMutations is a short fuzz with a fixed seed: pieces of the seeds, cut and joined.
func TestMutations(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	piece := func() string {
		s := seeds[r.IntN(len(seeds))]
		from := r.IntN(len(s) + 1)
		return s[from : from+r.IntN(len(s)-from+1)]
	}
	compiled := 0
	for range 20_000 {
		var expr string
		switch r.IntN(4) {
		case 0:
			expr = piece() + piece()
		case 1: // whole conditions, joined
			expr = "(" + seeds[r.IntN(len(seeds))] + ") " + [...]string{"and", "||", "xor", "or not"}[r.IntN(4)] + " " + seeds[r.IntN(len(seeds))]
		case 2: // one byte changed
			s := []byte(seeds[r.IntN(len(seeds))] + " ")
			s[r.IntN(len(s))] = byte(r.IntN(256))
			expr = string(s)
		default: // one piece taken out
			s := seeds[r.IntN(len(seeds))]
			expr = strings.Replace(s, piece(), "", 1)
		}
		if _, err := Compile(expr); err == nil {
			compiled++
		}
		holdsItsPromises(t, expr, "/a?f=1&f=xyz&k=v", "a.example.com")
	}
	if compiled < 2_000 {
		t.Errorf("only %d of 20,000 mutations compile: they test little", compiled)
	}
}
