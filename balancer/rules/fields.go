package rules

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// fields are what load balancing rules may ask about (Cloudflare docs, "Supported fields and operators"), without those
// of DNS-only load balancers.
var fields = map[string]func() value{
	"cf.load_balancer.name":      stringField("cf.load_balancer.name", func(m *machine) []byte { return m.copy(m.in.LoadBalancer()) }),
	"cf.load_balancer.region":    stringField("cf.load_balancer.region", func(m *machine) []byte { return m.copy(m.in.Region()) }),
	"http.cookie":                stringField("http.cookie", cookie),
	"http.host":                  stringField("http.host", host),
	"http.referer":               stringField("http.referer", func(m *machine) []byte { v, _, _ := m.in.Header("referer", 0); return v }),
	"http.request.method":        stringField("http.request.method", method),
	"http.request.uri":           stringField("http.request.uri", uri),
	"http.request.uri.path":      stringField("http.request.uri.path", func(m *machine) []byte { return m.in.Path() }),
	"http.request.uri.query":     stringField("http.request.uri.query", func(m *machine) []byte { return m.in.Query() }),
	"http.request.version":       stringField("http.request.version", version),
	"ip.src":                     func() value { return value{kind: addressKind} },
	"http.request.timestamp.sec": func() value { return value{kind: integerKind, number: timestamp{}} },
	"http.request.headers":       func() value { return value{shape: dict, entry: header} },
	"http.request.uri.args": func() value {
		return value{shape: dict, entry: func(key string, _ int) list { return &arg{key: key} }}
	},
	"http.request.uri.args.names":  listField(argNames{}),
	"http.request.uri.args.values": listField(argValues{}),
}

func stringField(name string, get func(m *machine) []byte) func() value {
	f := &stringNode{name: name, get: get}
	return func() value { return value{text: f} }
}

func listField(l list) func() value {
	return func() value { return value{shape: array, over: l, text: &element{l}} }
}

func field(t token) value {
	if f, ok := fields[t.text]; ok {
		return f()
	}
	const known = "the fields are %s"
	switch instead, named := instead[t.text]; {
	case strings.HasPrefix(t.text, "dns."):
		fail(t.at, "remove it, or this rule", "%s is only for DNS-only load balancers, which weir does not serve", t.text)
	case named:
		fail(t.at, "write "+instead, "load balancing rules do not know the field %s", t.text)
	case lookalike(t.text) != "":
		fail(t.at, "write "+lookalike(t.text), "there is no field %s", t.text)
	}
	fail(t.at, fmt.Sprintf(known, strings.Join(slices.Sorted(maps.Keys(fields)), ", ")), "load balancing rules do not know the field %s", t.text)
	panic("BUG: fail returned")
}

// instead says what to write for fields that other products' rules have.
var instead = map[string]string{
	"http.user_agent":       `http.request.headers["user-agent"][0]`,
	"http.x_forwarded_for":  `http.request.headers["x-forwarded-for"][0]`,
	"http.request.full_uri": "http.host and http.request.uri",
	"http.request.cookies":  "http.cookie",
	"http.request.path":     "http.request.uri.path",
	"http.request.query":    "http.request.uri.query",
	"ip.geoip.country":      "country_pools, or a pool set with a topology",
	"ip.src.country":        "country_pools, or a pool set with a topology",
}

// lookalike is the field that s was probably meant to be, or "".
func lookalike(s string) string {
	best, least := "", max(1, len(s)/4)+1
	for _, f := range slices.Sorted(maps.Keys(fields)) {
		if d := edits(strings.ToLower(s), f); d < least {
			best, least = f, d
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// stringNode is a field of type String, which is never missing.
type stringNode struct {
	name string
	get  func(m *machine) []byte
}

func (f *stringNode) text(m *machine) ([]byte, bool) { return f.get(m), true }
func (f *stringNode) append(dst []byte) []byte       { return append(dst, f.name...) }

func (m *machine) copy(s string) []byte {
	start := len(m.scratch)
	m.scratch = append(m.scratch, s...)
	return m.made(start)
}

// cookie is the whole field. Several lines, which RFC 9113 §8.2.3 allows, are one.
func cookie(m *machine) []byte {
	first, next, _ := m.in.Header("cookie", 0)
	more, next, found := m.in.Header("cookie", next)
	if !found {
		return first
	}
	start := len(m.scratch)
	m.scratch = append(m.scratch, first...)
	for found {
		m.scratch = append(append(m.scratch, "; "...), more...)
		more, next, found = m.in.Header("cookie", next)
	}
	return m.made(start)
}

// host is the host name, without a port.
func host(m *machine) []byte {
	h := m.in.Host()
	if colon := bytes.LastIndexByte(h, ':'); colon > bytes.LastIndexByte(h, ']') {
		return h[:colon]
	}
	return h
}

// method is in upper case, which all but the most curious methods are anyhow.
func method(m *machine) []byte {
	v := m.in.Method()
	for _, c := range v {
		if 'a' <= c && c <= 'z' {
			return m.convert(v, upper)
		}
	}
	return v
}

func uri(m *machine) []byte {
	path, query := m.in.Path(), m.in.Query()
	if query == nil {
		return path
	}
	start := len(m.scratch)
	m.scratch = append(append(append(m.scratch, path...), '?'), query...)
	return m.made(start)
}

var versions = map[uint8][]byte{10: []byte("HTTP/1.0"), 11: []byte("HTTP/1.1"), 20: []byte("HTTP/2"), 30: []byte("HTTP/3")}

func version(m *machine) []byte { return versions[m.in.Version()] }

type timestamp struct{}

func (timestamp) number(m *machine) (int64, bool) { return m.in.Unix(), true }
func (timestamp) append(dst []byte) []byte        { return append(dst, "http.request.timestamp.sec"...) }

// headerLines are the values of http.request.headers["name"].
type headerLines struct{ name string }

func header(name string, at int) list {
	for _, c := range []byte(name) {
		if 'A' <= c && c <= 'Z' {
			fail(at, fmt.Sprintf("write %q", strings.ToLower(name)), "names of header fields are in lower case here: %q is never found", name)
		}
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			name = "" // no token: RFC 9110 §5.6.2
			break
		}
	}
	if name == "" {
		fail(at, `a name, as in http.request.headers["user-agent"]`, "no header field can be called so")
	}
	return &headerLines{name}
}

func (h *headerLines) next(m *machine, from int) ([]byte, int, bool) {
	return m.in.Header(h.name, from)
}

func (h *headerLines) append(dst []byte) []byte {
	return append(appendString(append(dst, "http.request.headers["...), []byte(h.name)), ']')
}

// nextArg finds the argument of the query that begins at or after from: names and values as they are, not decoded. An
// argument without "=" has an empty value; nothing between two "&" is no argument.
func nextArg(m *machine, from int) (name, value []byte, next int, found bool) {
	query := m.in.Query()
	for from < len(query) {
		pair := query[from:]
		if end := bytes.IndexByte(pair, '&'); end >= 0 {
			pair = pair[:end]
		}
		from += len(pair) + 1
		if len(pair) > 0 {
			name, value, _ = bytes.Cut(pair, []byte{'='})
			return name, value, from, true
		}
	}
	return nil, nil, from, false
}

// arg is http.request.uri.args["key"].
type arg struct{ key string }

func (a *arg) next(m *machine, from int) ([]byte, int, bool) {
	for {
		name, value, next, found := nextArg(m, from)
		if !found || string(name) == a.key {
			return value, next, found
		}
		from = next
	}
}

func (a *arg) append(dst []byte) []byte {
	return append(appendString(append(dst, "http.request.uri.args["...), []byte(a.key)), ']')
}

type argNames struct{}

func (argNames) next(m *machine, from int) ([]byte, int, bool) {
	name, _, next, found := nextArg(m, from)
	return name, next, found
}

func (argNames) append(dst []byte) []byte { return append(dst, "http.request.uri.args.names"...) }

type argValues struct{}

func (argValues) next(m *machine, from int) ([]byte, int, bool) {
	_, value, next, found := nextArg(m, from)
	return value, next, found
}

func (argValues) append(dst []byte) []byte { return append(dst, "http.request.uri.args.values"...) }

// isEntry reports that an array is the value of a key, which a map has only when there is an element.
func isEntry(l list) bool {
	switch l.(type) {
	case *headerLines, *arg:
		return true
	}
	return false
}

// element is what [*] of a field's array stands for.
type element struct{ of list }

func (*element) text(m *machine) ([]byte, bool) { return m.element, true }
func (e *element) append(dst []byte) []byte     { return append(e.of.append(dst), "[*]"...) }

// unpackedText and unpackedNumber are [*] after a function of every element. There is nothing left to do: the function
// is asked for one element at a time.
type (
	unpackedText   struct{ of text }
	unpackedNumber struct{ of number }
)

func (u *unpackedText) text(m *machine) ([]byte, bool)    { return u.of.text(m) }
func (u *unpackedText) append(dst []byte) []byte          { return append(u.of.append(dst), "[*]"...) }
func (u *unpackedNumber) number(m *machine) (int64, bool) { return u.of.number(m) }
func (u *unpackedNumber) append(dst []byte) []byte        { return append(u.of.append(dst), "[*]"...) }

// picked is [n]: the element at hand is element n while something is asked of it.
type picked struct {
	over list
	n    int
}

// enter makes element n the one at hand. The former one is to be put back.
func (p *picked) enter(m *machine) (former []byte, found bool) {
	var value []byte
	for i, from := 0, 0; i <= p.n; i++ {
		if value, from, found = p.over.next(m, from); !found {
			return m.element, false
		}
	}
	former, m.element = m.element, value
	return former, true
}

func (p *picked) appendIndex(dst []byte, of node) []byte {
	if e, direct := of.(*element); direct {
		of = e.of
	}
	return fmt.Appendf(of.append(dst), "[%d]", p.n)
}

type pickedText struct {
	picked
	of text
}

func (p *pickedText) text(m *machine) (v []byte, known bool) {
	former, found := p.enter(m)
	if found {
		v, known = p.of.text(m)
	}
	m.element = former
	return v, known
}

func (p *pickedText) append(dst []byte) []byte { return p.appendIndex(dst, p.of) }

type pickedNumber struct {
	picked
	of number
}

func (p *pickedNumber) number(m *machine) (v int64, known bool) {
	former, found := p.enter(m)
	if found {
		v, known = p.of.number(m)
	}
	m.element = former
	return v, known
}

func (p *pickedNumber) append(dst []byte) []byte { return p.appendIndex(dst, p.of) }

type pickedCondition struct {
	picked
	of condition
}

func (p *pickedCondition) holds(m *machine) (holds bool) {
	former, found := p.enter(m)
	if found {
		holds = p.of.holds(m)
	}
	m.element = former
	return holds
}

func (p *pickedCondition) append(dst []byte) []byte { return p.appendIndex(dst, p.of) }
