package rules

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// request is an Input that stands still.
type request struct {
	name, region string
	client       string
	unix         int64
	host, method string
	target       string // path and query
	version      uint8
	fields       []string // "Name: value"
}

func (r *request) LoadBalancer() string { return r.name }
func (r *request) Region() string       { return r.region }
func (r *request) Client() netip.Addr   { return netip.MustParseAddr(r.client) }
func (r *request) Unix() int64          { return r.unix }
func (r *request) Host() []byte         { return []byte(r.host) }
func (r *request) Method() []byte       { return []byte(r.method) }
func (r *request) Version() uint8       { return r.version }

func (r *request) Path() []byte {
	path, _, _ := strings.Cut(r.target, "?")
	return []byte(path)
}

func (r *request) Query() []byte {
	_, query, found := strings.Cut(r.target, "?")
	if !found {
		return nil
	}
	return append(make([]byte, 0, 1), query...)
}

func (r *request) Header(name string, from int) (value []byte, next int, found bool) {
	for i := from; i < len(r.fields); i++ {
		field, value, _ := strings.Cut(r.fields[i], ": ")
		if strings.EqualFold(field, name) {
			return []byte(value), i + 1, true
		}
	}
	return nil, len(r.fields), false
}

// common is the request that most tests ask about.
func common() *request {
	return &request{
		name: "lb.example.com", region: "ENAM", client: "203.0.113.9", unix: 1_484_063_137,
		host: "WWW.example.org:8080", method: "GET", target: "/articles/Index?section=539061&expand=comments&section=7&flag&&=x",
		version: 11,
		fields: []string{
			"Host: WWW.example.org:8080", "Accept: application/json", "Cookie: session=8521; background=light",
			"X-List: waf", "X-List: botm", "x-list: cdn", "Referer: https://developer.example.org/", "X-Empty: ",
		},
	}
}

func must(tb testing.TB, expr string) *Expr {
	tb.Helper()
	e, err := Compile(expr)
	if err != nil {
		tb.Fatalf("compiling %s: %v", expr, err)
	}
	return e
}

// check compiles expr, asks it, and holds its canonical form to the same answer.
func check(t *testing.T, expr string, in Input, want bool) {
	t.Helper()
	e, err := Compile(expr)
	if err != nil {
		t.Errorf("compiling %s: %v", expr, err)
		return
	}
	if got := e.Match(in); got != want {
		t.Errorf("%s is %v; it must be %v", expr, got, want)
	}
	again, err := Compile(e.String())
	if err != nil {
		t.Errorf("%s has the canonical form %s, which does not compile: %v", expr, e, err)
		return
	}
	if again.String() != e.String() || again.Match(in) != want {
		t.Errorf("%s has the canonical form %s, whose own is %s, and is %v", expr, e, again, again.Match(in))
	}
}

type checks []struct {
	expr string
	want bool
}

func (all checks) on(t *testing.T, in Input) {
	t.Helper()
	for _, c := range all {
		check(t, c.expr, in, c.want)
	}
}

// Behaviour U5: every field that load balancing rules know.
func TestFields(t *testing.T) {
	checks{
		{`cf.load_balancer.name eq "lb.example.com"`, true},
		{`cf.load_balancer.name eq "LB.example.com"`, false},
		{`cf.load_balancer.region eq "ENAM"`, true},
		{`cf.load_balancer.region in {"WEU" "EEU"}`, false},
		{`ip.src eq 203.0.113.9`, true},
		{`http.cookie contains "session=8521"`, true},
		{`http.cookie eq "session=8521; background=light"`, true},
		{`http.host eq "WWW.example.org"`, true}, // the port is not of the host's name; case is as sent
		{`lower(http.host) eq "www.example.org"`, true},
		{`http.referer eq "https://developer.example.org/"`, true},
		{`http.request.headers["accept"][0] eq "application/json"`, true},
		{`http.request.method eq "GET"`, true},
		{`http.request.timestamp.sec eq 1484063137`, true},
		{`http.request.uri eq "/articles/Index?section=539061&expand=comments&section=7&flag&&=x"`, true},
		{`any(http.request.uri.args["section"][*] eq "7")`, true},
		{`http.request.uri.args["section"][0] eq "539061"`, true},
		{`http.request.uri.args["flag"][0] eq ""`, true},
		{`http.request.uri.args[""][0] eq "x"`, true},
		{`any(http.request.uri.args.names[*] eq "expand")`, true},
		{`len(http.request.uri.args.names) eq 5`, true},
		{`any(http.request.uri.args.values[*] eq "comments")`, true},
		{`http.request.uri.args.values[2] eq "7"`, true},
		{`http.request.uri.path eq "/articles/Index"`, true},
		{`http.request.uri.query eq "section=539061&expand=comments&section=7&flag&&=x"`, true},
		{`http.request.version eq "HTTP/1.1"`, true},
	}.on(t, common())
}

// Behaviour U5: what a request does not have is an empty field, and a missing element.
func TestBareRequest(t *testing.T) {
	bare := &request{client: "2001:db8::1", host: "[2001:db8::2]:443", method: "purge", target: "/", version: 20}
	checks{
		{`http.cookie eq ""`, true},
		{`http.referer eq ""`, true},
		{`http.referer ne "x"`, true},
		{`http.request.uri.query eq ""`, true},
		{`http.request.uri eq "/"`, true},
		{`http.request.version eq "HTTP/2"`, true},
		{`http.request.method eq "PURGE"`, true},
		{`http.host eq "[2001:db8::2]"`, true},
		{`http.request.headers["accept"][0] eq ""`, false},
		{`http.request.headers["accept"][0] ne "x"`, false},
		{`not http.request.headers["accept"][0] eq "x"`, true},
		{`any(http.request.headers["accept"][*] ne "x")`, false},
		{`all(http.request.headers["accept"][*] eq "x")`, true},
		{`len(http.request.headers["accept"]) ge 0`, false},
		{`len(http.request.uri.args["order"]) ge 0`, false},
		{`len(http.request.uri.args.names) eq 0`, true},
		{`len(http.request.headers["accept"][0]) ge 0`, false},
		{`lower(http.request.headers["accept"][0]) ne "x"`, false},
		{`starts_with(http.request.headers["accept"][0], "")`, false},
		{`not starts_with(http.request.headers["accept"][0], "")`, true},
		{`starts_with(http.request.headers["accept"][*], "")[0]`, false},
		{`http.request.headers["accept"][0] in {"" "x"}`, false},
		{`http.request.headers["accept"][0] contains ""`, false},
		{`http.request.headers["accept"][0] matches ""`, false},
		{`http.request.headers["accept"][0] wildcard "*"`, false},
		{`len(http.request.headers["accept"][0]) in {0}`, false},
		{`concat(http.request.headers["accept"][0], "x") eq "x"`, true},
		{`concat(http.request.headers["accept"][0], http.request.headers["b"][0]) ne "x"`, false},
		{`substring(http.request.headers["accept"][0], 0) ne "x"`, false},
		{`url_decode(http.request.headers["accept"][0]) ne "x"`, false},
		{`remove_bytes(http.request.headers["accept"][0], "a") ne "x"`, false},
	}.on(t, bare)
	bare.target = "/?"
	checks{
		{`http.request.uri eq "/?"`, true},
		{`http.request.uri.query eq ""`, true},
	}.on(t, bare)
	bare.fields, bare.version = []string{"cookie: a=1", "cookie: b=2", "cookie: c=3"}, 30
	checks{
		{`http.cookie eq "a=1; b=2; c=3"`, true},
		{`http.request.version eq "HTTP/3"`, true},
	}.on(t, bare)
	bare.version = 10
	check(t, `http.request.version eq "HTTP/1.0"`, bare, true)
}

// Behaviour U6: every operator with every type that it takes, in both spellings, true and false.
func TestOperators(t *testing.T) {
	checks{
		{`http.request.method eq "GET"`, true},
		{`http.request.method == "get"`, false},
		{`http.request.method ne "GET"`, false},
		{`http.request.method != "get"`, true},
		{`http.request.method lt "GETS"`, true},
		{`http.request.method < "GET"`, false},
		{`http.request.method le "GET"`, true},
		{`http.request.method <= "FOO"`, false},
		{`http.request.method gt "GE"`, true},
		{`http.request.method > "GET"`, false},
		{`http.request.method ge "GET"`, true},
		{`http.request.method >= "H"`, false},
		{`http.request.uri.path contains "/Index"`, true},
		{`http.request.uri.path contains "/index"`, false},
		{`http.request.uri.path contains ""`, true},
		{`http.request.uri.path matches "^/articles/[A-Z]"`, true},
		{`http.request.uri.path ~ "^articles"`, false},
		{`http.request.uri.path~"(?i)INDEX$"`, true},
		{`http.request.method in {"GET" "HEAD"}`, true},
		{`http.request.method in {"POST"}`, false},
		{`http.request.uri.path wildcard "/ARTICLES/*"`, true},
		{`http.request.uri.path strict wildcard "/ARTICLES/*"`, false},
		{`http.request.uri.path strict wildcard "/articles/*"`, true},
		{`http.request.uri.path strict  wildcard "/articles/Index"`, true},

		{`http.request.timestamp.sec eq 1484063137`, true},
		{`http.request.timestamp.sec == 0x58750621`, false},
		{`http.request.timestamp.sec ne 5`, true},
		{`http.request.timestamp.sec != 1484063137`, false},
		{`http.request.timestamp.sec lt 1484063138`, true},
		{`http.request.timestamp.sec < 1484063137`, false},
		{`http.request.timestamp.sec le 1484063137`, true},
		{`http.request.timestamp.sec <= -1`, false},
		{`http.request.timestamp.sec gt -9223372036854775808`, true},
		{`http.request.timestamp.sec > 1484063137`, false},
		{`http.request.timestamp.sec ge 1484063137`, true},
		{`http.request.timestamp.sec >= 9223372036854775807`, false},
		{`http.request.timestamp.sec in {5 1484063000..1484063200}`, true},
		{`http.request.timestamp.sec in {1484063138..1484063200 -20..-10 7}`, false},
		{`http.request.timestamp.sec in {1484063137..1484063137}`, true},

		{`ip.src eq 203.0.113.9`, true},
		{`ip.src == 203.0.113.8`, false},
		{`ip.src ne 203.0.113.8`, true},
		{`ip.src != 203.0.113.9`, false},
		{`ip.src eq ::ffff:203.0.113.9`, true},
		{`ip.src in {203.0.113.0/24}`, true},
		{`ip.src in {198.51.100.1 198.51.100.3..198.51.100.7 192.0.2.0/24 2001:0db8::/32}`, false},
		{`ip.src in {2001:db8::/32 203.0.113.5..203.0.113.9 10.0.0.0/8}`, true},
		{`ip.src in {203.0.113.10..203.0.113.20 203.0.113.0..203.0.113.8}`, false},
		{`ip.src in {203.0.113.9}`, true},
		{`ip.src in {0.0.0.0/0}`, true},
		{`ip.src in {::/0}`, false},
		{`ip.src in {::ffff:203.0.113.0/120}`, true},
	}.on(t, common())

	v6 := common()
	v6.client = "2001:db8:1::7"
	checks{
		{`ip.src in {198.51.100.1 198.51.100.3..198.51.100.7 192.0.2.0/24 2001:0db8::/32}`, true},
		{`ip.src in {255.255.255.255 ::..::1}`, false},
		{`ip.src in {2001:db8:1::..2001:db8:1::6 2001:db8:1::8}`, false},
		{`ip.src in {fe80::/10 2001:db8:1::1..2001:db8:1::ff}`, true},
		{`ip.src in {0.0.0.0/0}`, false},
		{`ip.src in {::/0}`, true},
		{`ip.src eq 2001:DB8:1:0::7`, true},
	}.on(t, v6)
}

// Behaviour U6: the operators between conditions, and what binds stronger.
func TestPrecedence(t *testing.T) {
	truth := map[string]string{"T": `http.request.method eq "GET"`, "F": `http.request.method eq "PUT"`}
	for _, c := range []struct {
		expr string
		want bool
	}{
		{"T", true},
		{"F", false},
		{"not T", false},
		{"! F", true},
		{"!F", true},
		{"not not T", true},
		{"T and T", true},
		{"T && F", false},
		{"F or T", true},
		{"F || F", false},
		{"T xor T", false},
		{"T ^^ F", true},
		{"T xor T xor T", true},
		{"not F and F", false},       // (not F) and F
		{"not (F and F)", true},      //
		{"T or T and F", true},       // T or (T and F)
		{"(T or T) and F", false},    //
		{"F and F or T", true},       // (F and F) or T
		{"F and (F or T)", false},    //
		{"T or T xor T", true},       // T or (T xor T)
		{"(T or T) xor T", false},    //
		{"T xor T and F", true},      // T xor (T and F)
		{"(T xor T) and F", false},   //
		{"T xor T or T", true},       // (T xor T) or T
		{"T xor (T or T)", false},    //
		{"not T xor T", true},        // (not T) xor T
		{"not T or T", true},         // (not T) or T
		{"not (T or T)", false},      //
		{"F or F xor T and T", true}, // F or (F xor (T and T))
		{"T and not F and not (F or F)", true},
	} {
		var b strings.Builder
		for _, r := range c.expr {
			if s, ok := truth[string(r)]; ok {
				b.WriteString(s)
			} else {
				b.WriteRune(r)
			}
		}
		check(t, b.String(), common(), c.want)
	}
}

// Behaviour U6: [*], any and all, positions and keys.
func TestArrays(t *testing.T) {
	checks{
		{`any(http.request.headers["x-list"][*] eq "botm")`, true},
		{`any(http.request.headers["x-list"][*] eq "dns")`, false},
		{`all(http.request.headers["x-list"][*] ne "dns")`, true},
		{`all(http.request.headers["x-list"][*] eq "waf")`, false},
		{`http.request.headers["x-list"][0] eq "waf"`, true},
		{`http.request.headers["x-list"][2] eq "cdn"`, true},
		{`http.request.headers["x-list"][3] eq "cdn"`, false},
		{`len(http.request.headers["x-list"]) eq 3`, true},
		{`len(http.request.headers["x-list"][1]) eq 4`, true},
		{`len(http.request.headers["x-empty"]) eq 1`, true},
		{`len(http.request.headers["x-empty"][0]) eq 0`, true},
		{`any(lower(http.request.headers["x-list"][*])[*] eq "waf")`, true},
		{`any(upper(http.request.headers["x-list"][*])[*] in {"CDN"})`, true},
		{`upper(http.request.headers["x-list"][*])[1] eq "BOTM"`, true},
		{`upper(http.request.headers["x-list"][*])[7] ne "BOTM"`, false},
		{`len(upper(http.request.headers["x-list"][*])) eq 3`, true},
		{`len(http.request.headers["x-list"][*])[1] eq 4`, true},
		{`len(http.request.headers["x-list"][*])[9] eq 4`, false},
		{`any(starts_with(http.request.headers["x-list"][*], "bo"))`, true},
		{`any(starts_with(http.request.headers["x-list"][*], "bo")[*])`, true},
		{`starts_with(http.request.headers["x-list"][*], "bo")[1]`, true},
		{`starts_with(http.request.headers["x-list"][*], "bo")[0]`, false},
		{`all(not ends_with(http.request.headers["x-list"][*], "x"))`, true},
		{`any(http.request.headers["x-list"][*] contains "a" and http.request.headers["x-list"][*] ne "waf")`, false},
		{`any(http.request.headers["x-list"][*] contains "b" or http.request.headers["x-list"][*] eq "cdn")`, true},
		{`all((http.request.headers["x-list"][*] contains "w" xor http.request.headers["x-list"][*] ne "waf"))`, true},
		{`any(concat(http.request.headers["x-list"][*], "/", http.request.headers["accept"][0])[*] eq "cdn/application/json")`, true},
		{`any(concat(http.request.headers["x-list"][*], upper(http.request.uri.args["section"][*])[1])[*] eq "cdn7")`, true},
		{`any(http.request.uri.args.names[*] eq "flag") and not any(http.request.uri.args.names[*] eq "FLAG")`, true},
	}.on(t, common())

	// The examples of Cloudflare docs, "Values".
	docs := common()
	docs.target = "/?filter=waf&filter=botm&filter=cdn"
	docs.fields = []string{"Accept: application/json"}
	checks{
		{`any(http.request.headers["accept"][*] == "application/json")`, true},
		{`any(http.request.headers["accept"][*] == "text/plain")`, false},
		{`len(http.request.uri.args["filter"][1]) == 4`, true},
		{`all(len(http.request.uri.args["filter"][*])[*] in {3 4})`, true},
		{`all(not len(http.request.uri.args["filter"][*])[*] in {3 4})`, false},
		{`len(http.request.uri.args["filter"]) >= 0`, true},
		{`not len(http.request.uri.args["order"]) >= 0`, true},
	}.on(t, docs)
}

// Behaviour U6: functions; the examples of Cloudflare docs, "Functions", on the path.
func TestFunctions(t *testing.T) {
	for _, c := range []struct {
		path, expr string
		want       bool
	}{
		{"/welcome.html", `ends_with(http.request.uri.path, ".html")`, true},
		{"/welcome.html", `ends_with(http.request.uri.path, ".HTML")`, false},
		{"/blog/first-post", `starts_with(http.request.uri.path, "/blog")`, true},
		{"/a/blog", `starts_with(http.request.uri.path, "/blog")`, false},
		{"/ÄbC", `lower(http.request.uri.path) eq "/Äbc"`, true},
		{"/äbC", `upper(http.request.uri.path) eq "/äBC"`, true},
		{"/welcome", `len(http.request.uri.path) eq 8`, true},
		{"/a", `concat("String1", " ", "String", "2") eq "String1 String2"`, true},
		{"/a", `concat(lower(http.request.method), http.request.uri.path, upper(http.request.uri.path)) eq "get/a/A"`, true},
		{"www.cloudflare.com", `remove_bytes(http.request.uri.path, "\x2e\x77") eq "cloudflarecom"`, true},
		{"asdfghjk", `substring(http.request.uri.path, 2, 5) eq "dfg"`, true},
		{"asdfghjk", `substring(http.request.uri.path, 2) eq "dfghjk"`, true},
		{"asdfghjk", `substring(http.request.uri.path, -2) eq "jk"`, true},
		{"asdfghjk", `substring(http.request.uri.path, 0, -2) eq "asdfgh"`, true},
		{"asdfghjk", `substring(http.request.uri.path, 5, 2) eq ""`, true},
		{"asdfghjk", `substring(http.request.uri.path, -100, 100) eq "asdfghjk"`, true},
		{"asdfghjk", `substring(http.request.uri.path, -9223372036854775808, 9223372036854775807) eq "asdfghjk"`, true},
		{"John%20Doe", `url_decode(http.request.uri.path) eq "John Doe"`, true},
		{"John+Doe", `url_decode(http.request.uri.path) eq "John Doe"`, true},
		{"%2520", `url_decode(http.request.uri.path) eq "%20"`, true},
		{"%2520", `url_decode(http.request.uri.path, "r") eq " "`, true},
		{"%u2601", `url_decode(http.request.uri.path) eq "%u2601"`, true},
		{"%u2601", `url_decode(http.request.uri.path, "u") eq "\xe2\x98\x81"`, true},
		{"%ud800%u26", `url_decode(http.request.uri.path, "ur") eq "%ud800%u26"`, true},
		{"100%25%2", `url_decode(http.request.uri.path) eq "100%%2"`, true},
		{"%" + strings.Repeat("25", 9) + "41", `url_decode(http.request.uri.path, "r") eq "A"`, true},
		{"%" + strings.Repeat("25", 10) + "41", `url_decode(http.request.uri.path, "r") eq "%41"`, true}, // as Cloudflare's engine
		{"%zz%4", `url_decode(http.request.uri.path) eq "%zz%4"`, true},
		{"%E4%BD", `url_decode(http.request.uri.path) eq "\xE4\xBD"`, true},
	} {
		in := common()
		in.target = c.path
		check(t, c.expr, in, c.want)
	}
}

// Behaviour U6: strings quoted and raw, and their escapes.
func TestStrings(t *testing.T) {
	for _, c := range []struct {
		path, expr string
		want       bool
	}{
		{`a"b`, `http.request.uri.path eq "a\"b"`, true},
		{`a\b`, `http.request.uri.path eq "a\\b"`, true},
		{`a\b`, `http.request.uri.path eq r"a\b"`, true},
		{`a"b`, `http.request.uri.path eq r#"a"b"#`, true},
		{`a"#b`, `http.request.uri.path eq r##"a"#b"##`, true},
		{"a\x00\n\xff", `http.request.uri.path eq "a\x00\012\377"`, true},
		{"a\nb", "http.request.uri.path eq \"a\nb\"", true},
		{"Grüße", `http.request.uri.path eq "Grüße"`, true},
		{`a"b`, `http.request.uri.path matches "a\"b"`, true},
		{`a"#b`, `http.request.uri.path matches "a\"#b"`, true},
		{`a"b`, `http.request.uri.path matches r#"a"b"#`, true},
		{`a"#b`, `http.request.uri.path matches r##"a"#b"##`, true},
		{`/api/login.aspx`, `http.request.uri.path matches r"/api/login\.aspx$"`, true},
		{`/api/loginXaspx`, `http.request.uri.path matches "/api/login\.aspx$"`, false},
		{`a\b`, `http.request.uri.path matches "^a\\b$"`, true},
		{`x"]5"`, `http.request.uri.path matches "^[a-z\"\]]+\d{1,10}\"$"`, true},
		{`x"5`, `http.request.uri.path matches "^[x"]+5$"`, true},
		{`ab`, `http.request.uri.path matches "^.{2}$"`, true},
		{`a{b`, `http.request.uri.path matches r"^a\{b$"`, true},
		{"a\tb", `http.request.uri.path matches "^a\x09b$" and http.request.uri.path matches r"a\x{9}b"`, true},
		{`a-b`, `http.request.uri.path matches "^[[:alpha:]_-]+$"`, true},
		{`a]b`, `http.request.uri.path matches "^[]ab]+$" and not http.request.uri.path matches "[^]ab]"`, true},
	} {
		in := common()
		in.target = c.path
		check(t, c.expr, in, c.want)
	}
}

// Behaviour U6: the examples of Cloudflare docs, "Operators and grouping symbols", and corners.
func TestWildcards(t *testing.T) {
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{
			`"https://example.com/a/*"`,
			[]string{"https://example.com/a/", "https://example.com/a/page.html", "https://example.com/a/sub/folder/"},
			[]string{"https://example.com/ab/", "https://example.com/b/page.html", "https://sub.example.com/a/"},
		},
		{
			`"*.example.com/*/page.html"`,
			[]string{
				"http://sub.example.com/folder/page.html", "https://admin.example.com/team/page.html",
				"https://admin.example.com/team/subteam/page.html",
			},
			[]string{"https://example.com/ab/page.html", "https://sub.example.com/folder2/page.html;s", "https://sub.example.com/a/"},
		},
		{`"*"`, []string{"", "anything"}, nil},
		{`""`, []string{""}, []string{"x"}},
		{`"abc"`, []string{"abc", "ABC"}, []string{"abcd", "zabc", "ab"}},
		{`"a*a"`, []string{"aa", "aba", "AxA"}, []string{"a", "ab"}},
		{`"ab*ba"`, []string{"abba", "abxba"}, []string{"aba"}},
		{`"*a*b*"`, []string{"ab", "xaxbx"}, []string{"ba", "b"}},
		{`"*ab*ab*ab"`, []string{"ababab", "abxabxab"}, []string{"abab", "abababx"}},
		{`r"5\*5"`, []string{"5*5"}, []string{"5x5", `5\*5`}},
		{`"5\\*5"`, []string{"5*5"}, []string{"5x5"}},
		{`r"a\\*"`, []string{`a\`, `a\b`}, []string{"a*"}},
		{`r"\**"`, []string{"*", "*x"}, []string{"x"}},
	} {
		e := must(t, "http.request.uri.path wildcard "+c.pattern)
		again := must(t, e.String())
		for _, path := range append(append([]string{}, c.yes...), c.no...) {
			want := len(c.yes) > 0
			for _, no := range c.no {
				want = want && path != no
			}
			in := common()
			in.target = path
			if e.Match(in) != want || again.Match(in) != want {
				t.Errorf("%s wildcard %s is %v, again %v; it must be %v", path, c.pattern, e.Match(in), again.Match(in), want)
			}
		}
	}
}

// The whole of Cloudflare docs, "Operators and grouping symbols", "Nest expressions", with fields that there are here.
func TestNestedExample(t *testing.T) {
	e := must(t, `
(
 (http.host eq "api.example.com" and http.request.uri.path eq "/api/v2/auth") or
 (http.host matches "^(www|store|blog)\.example\.com" and http.request.uri.path contains "wp-login.php") or
 cf.load_balancer.region in {"CN" "WEU"} or len(http.host) in {12345 54321 11111}
) and not ip.src in {11.22.33.0/24}`)
	in := common()
	for _, c := range []struct {
		host, target, region, client string
		want                         bool
	}{
		{"api.example.com", "/api/v2/auth", "ENAM", "192.0.2.1", true},
		{"api.example.com", "/api/v2/auth", "ENAM", "11.22.33.44", false},
		{"store.example.com", "/wp-login.php", "ENAM", "192.0.2.1", true},
		{"storeXexample.com", "/wp-login.php", "ENAM", "192.0.2.1", false},
		{"example.com", "/", "WEU", "192.0.2.1", true},
		{"example.com", "/", "ENAM", "192.0.2.1", false},
	} {
		in.host, in.target, in.region, in.client = c.host, c.target, c.region, c.client
		if e.Match(in) != c.want {
			t.Errorf("%+v is %v", c, !c.want)
		}
	}
	const canonical = `(http.host eq "api.example.com" and http.request.uri.path eq "/api/v2/auth" or ` +
		`http.host matches "^(www|store|blog)\.example\.com" and http.request.uri.path contains "wp-login.php" or ` +
		`cf.load_balancer.region in {"CN" "WEU"} or len(http.host) in {12345 54321 11111}) and not ip.src in {11.22.33.0/24}`
	if e.String() != canonical {
		t.Errorf("the canonical form is\n%s\nit must be\n%s", e, canonical)
	}
}

func TestCanonical(t *testing.T) {
	for expr, want := range map[string]string{
		"":     "",
		" \n ": "",
		`((http.host=="a")&&(!(http.host~"b")||http.host!="c"))`:                  `http.host eq "a" and (not http.host matches "b" or http.host ne "c")`,
		`(http.host eq "a" and http.host eq "b") and http.host eq "c"`:            `http.host eq "a" and http.host eq "b" and http.host eq "c"`,
		`http.host eq "a" and (http.host eq "b" and http.host eq "c")`:            `http.host eq "a" and http.host eq "b" and http.host eq "c"`,
		`not (not (http.host eq "a"))`:                                            `not not http.host eq "a"`,
		`ip.src in { 1.2.3.4 1.2.3.0/24 10.0.0.0..10.0.0.255 ::1..::3 1.2.3.4 }`:  `ip.src in {1.2.3.4 1.2.3.0/24 10.0.0.0/24 ::1..::3 1.2.3.4}`,
		`http.request.timestamp.sec in {0x10 1..5 -7..-7}`:                        `http.request.timestamp.sec in {16 1..5 -7}`,
		`len( lower( http.request.headers [ "a" ] [ * ] ) [ * ] ) [ 0 ] ge 1`:     `len(lower(http.request.headers["a"][*])[*])[0] ge 1`,
		`http.host eq r#"a"b\c"#`:                                                 `http.host eq "a\"b\\c"`,
		`http.host eq "\x01\101é"`:                                                `http.host eq "\x01Aé"`,
		`http.host matches r"\d"`:                                                 `http.host matches r"\d"`,
		`any(starts_with(http.request.headers["a"][*],"x")[*])`:                   `any(starts_with(http.request.headers["a"][*], "x"))`,
		`url_decode(http.host,"u") eq substring(http.host,1,-1)`:                  "",
		`concat(http.host,"x",url_decode(http.host,"r")) strict wildcard "\\**b"`: `concat(http.host, "x", url_decode(http.host, "r")) strict wildcard "\\**b"`,
	} {
		if want == "" && strings.TrimSpace(expr) != "" {
			if _, err := Compile(expr); err == nil {
				t.Errorf("%s compiles; its right side is no literal", expr)
			}
			continue
		}
		if got := must(t, expr).String(); got != want {
			t.Errorf("%s has the canonical form %s; it must be %s", expr, got, want)
		}
	}
}

// Behaviour U3: an empty condition is true, whatever it is asked with.
func TestEmptyIsTrue(t *testing.T) {
	for _, expr := range []string{"", " ", "\n\t"} {
		if !must(t, expr).Match(nil) {
			t.Errorf("%q does not match", expr)
		}
	}
}

func TestCheckLeavesThePositionToTheCaller(t *testing.T) {
	if at, err := Check(`http.host eq "a"`, true); err != nil || at != 0 {
		t.Errorf("a right condition: %d, %v", at, err)
	}
	at, err := Check(`http.host eq`, false)
	if err == nil || at != 12 || strings.Contains(err.Error(), "12") || !strings.Contains(err.Error(), "found the end after eq; a string") {
		t.Errorf("a wrong condition: %d, %v", at, err)
	}
	if _, err := Compile(`http.host eq`); !errors.As(err, new(*Error)) || !strings.HasPrefix(err.Error(), "at byte 12: ") {
		t.Errorf("a wrong condition: %v", err)
	}
}
