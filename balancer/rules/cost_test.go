package rules

import (
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// ready is an Input that answers without making anything.
type ready struct {
	client                    netip.Addr
	host, method, path, query []byte
	fields                    []struct{ name, value []byte }
}

func (*ready) LoadBalancer() string { return "lb.example.com" }
func (*ready) Region() string       { return "WEU" }
func (r *ready) Client() netip.Addr { return r.client }
func (*ready) Unix() int64          { return 1_484_063_137 }
func (r *ready) Host() []byte       { return r.host }
func (r *ready) Method() []byte     { return r.method }
func (r *ready) Path() []byte       { return r.path }
func (r *ready) Query() []byte      { return r.query }
func (*ready) Version() uint8       { return 11 }

func (r *ready) Header(name string, from int) (value []byte, next int, found bool) {
	for i := from; i < len(r.fields); i++ {
		if string(r.fields[i].name) == name {
			return r.fields[i].value, i + 1, true
		}
	}
	return nil, len(r.fields), false
}

func readyRequest() *ready {
	r := &ready{
		client: netip.MustParseAddr("203.0.113.9"), host: []byte("www.example.org:8080"), method: []byte("get"),
		path: []byte("/blog/2026/%7Eposts"), query: []byte("a=1&b=2&a=3"),
	}
	for _, line := range []string{
		"host: www.example.org", "user-agent: test", "accept: text/html", "accept: application/json",
		"cookie: a=1", "cookie: session=2", "referer: https://example.org/",
	} {
		name, value, _ := strings.Cut(line, ": ")
		r.fields = append(r.fields, struct{ name, value []byte }{[]byte(name), []byte(value)})
	}
	return r
}

// costly are conditions, all true of readyRequest, that between them use every kind of node.
var costly = map[string]string{
	"path contains":    `http.request.uri.path contains "/blog"`,
	"client in ranges": `ip.src in {10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 203.0.113.0/24 2001:db8::/32 fe80::/10 198.51.100.1}`,
	"header any":       `any(lower(http.request.headers["accept"][*])[*] contains "json")`,
	"regexp":           `http.host matches "^(www|store|blog)\.example\.org$"`,
	"wildcard":         `http.request.uri.path wildcard "/BLOG/*/*post*"`,
	"set":              `http.request.method in {"GET" "HEAD" "OPTIONS"}`,
	"argument":         `any(http.request.uri.args["a"][*] eq "3") and len(http.request.uri.args.names) eq 3`,
	"three and":        `http.host eq "www.example.org" and starts_with(http.request.uri.path, "/blog") and not ip.src in {10.0.0.0/8}`,
	"texts made":       `concat(http.request.uri, upper(http.cookie), substring(url_decode(http.request.uri.path, "ur"), 1)) contains "SESSION=2blog"`,
	"everything else": `cf.load_balancer.name ne "x" and cf.load_balancer.region eq "WEU" and http.referer strict wildcard "https://*" ` +
		`and http.request.version eq "HTTP/1.1" and http.request.timestamp.sec in {1 5..2000000000} ` +
		`and http.request.timestamp.sec gt 5 and remove_bytes(http.host, "w.") eq "exampleorg" ` +
		`and (http.request.headers["accept"][1] ge "application" xor http.referer eq "x") ` +
		`and all(http.request.headers["accept"][*] ne "x") and ends_with(http.request.headers["accept"][*], "json")[1] ` +
		`and len(http.request.headers["accept"][*])[0] eq 9 and len(http.request.headers["accept"]) eq 2 and ip.src ne ::1`,
}

func TestMatchAllocatesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector, under which the short tests run, empties pools at random")
	}
	in := Input(readyRequest())
	for name, expr := range costly {
		e := must(t, expr)
		if !e.Match(in) {
			t.Errorf("%s: %s is false; it must be true, so that all of it is evaluated", name, expr)
		}
		if allocs := testing.AllocsPerRun(100, func() { e.Match(in) }); allocs != 0 {
			t.Errorf("%s: Match allocates %v times", name, allocs)
		}
	}
}

// Behaviour U6: one Expr serves all requests at once.
func TestMatchConcurrently(t *testing.T) {
	e := must(t, `concat(http.host, "/", upper(http.request.headers["a"][0])) eq "x/B" or any(lower(http.request.headers["a"][*])[*] eq "c")`)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			in, want := common(), i%2 == 0
			in.host, in.fields = "x", []string{"a: d"}
			if want {
				in.fields = append(in.fields, "a: C")
			}
			for range 1000 {
				if e.Match(in) != want {
					t.Errorf("%v is %v", in.fields, !want)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkMatch(b *testing.B) {
	in := Input(readyRequest())
	for name, expr := range costly {
		e := must(b, expr)
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.Match(in)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(costly["three and"]); err != nil {
			b.Fatal(err)
		}
	}
}
