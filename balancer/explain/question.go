package explain

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/config"
)

// Question is a request to explain, as people and tools put it. The zero value of a field leaves it to its default.
type Question struct {
	Client               netip.Addr // default 127.0.0.1
	Host                 string     // default: one that a load balancer serves
	Method               string     // default GET
	Path                 string     // default /
	Query                string
	Fields               Fields
	HTTPS                bool // it arrived over TLS
	PoP, Region, Country string
	Seed                 uint64
	Now                  time.Time // default: when it is asked
}

// parameter is one thing that a question says.
type parameter struct {
	name string
	many bool // it may be given more than once
	read func(q *Question, value string) error
}

// parameters are those of GET /explain. weir explain has a flag for each.
var parameters = []parameter{
	{"client", false, readClient},
	{"host", false, func(q *Question, v string) error { q.Host = v; return nil }},
	{"method", false, readMethod},
	{"path", false, readPath},
	{"header", true, readHeader},
	{"cookie", true, readCookie},
	{"https", false, func(q *Question, v string) (err error) { q.HTTPS, err = strconv.ParseBool(v); return err }},
	{"pop", false, readPoP},
	{"region", false, readRegion},
	{"country", false, readCountry},
	{"seed", false, func(q *Question, v string) (err error) { q.Seed, err = strconv.ParseUint(v, 0, 64); return err }},
	{"now", false, func(q *Question, v string) (err error) { q.Now, err = time.Parse(time.RFC3339, v); return err }},
}

// Want is what would be right where a parameter is wrong.
var want = map[string]string{
	"client": "an IP address", "method": "a method such as GET", "path": "a path that begins with /, and ?query if any",
	"header": `"Name: value"`, "cookie": `"name=value"`, "https": "true or false", "pop": "the code of a data centre, such as FRA",
	"region": "one of " + strings.Join(config.Regions(), ", "), "country": "two letters, such as DE",
	"seed": "a number from 0 to 2^64-1, decimal or as the access log shows it", "now": "a time such as 2026-01-02T15:04:05Z",
}

// ParseQuestion reads a question from the parameters of a URL. Empty ones are as good as absent. The error names the
// parameter and says what would be right.
func ParseQuestion(values url.Values) (Question, error) {
	var q Question
	for name := range values {
		if !slices.ContainsFunc(parameters, func(p parameter) bool { return p.name == name }) {
			return q, fmt.Errorf("%s is no parameter; use %s", name, strings.Join(Parameters(), ", "))
		}
	}
	for _, p := range parameters { // in their order, so that cookies follow the header fields
		given := values[p.name]
		if len(given) > 1 && !p.many {
			return q, fmt.Errorf("%s is given %d times; give it once", p.name, len(given))
		}
		for _, v := range given {
			if v == "" {
				continue
			}
			if err := p.read(&q, v); err != nil {
				return q, fmt.Errorf("%s is %q; use %s", p.name, v, want[p.name])
			}
		}
	}
	return q, nil
}

// Parameters are the names of all parameters.
func Parameters() []string {
	names := make([]string, len(parameters))
	for i := range parameters {
		names[i] = parameters[i].name
	}
	return names
}

// errWrong is any error: the caller says what would be right.
var errWrong = fmt.Errorf("wrong")

func check(right bool) error {
	if !right {
		return errWrong
	}
	return nil
}

func readClient(q *Question, v string) error {
	a, err := netip.ParseAddr(v)
	q.Client = a.Unmap().WithZone("")
	return err
}

func readMethod(q *Question, v string) error {
	q.Method = v
	return check(isToken(v))
}

func readPath(q *Question, v string) error {
	q.Path, q.Query, _ = strings.Cut(v, "?")
	return check((strings.HasPrefix(v, "/") || v == "*") && !strings.ContainsFunc(v, isControl))
}

func readHeader(q *Question, v string) error {
	name, value, found := strings.Cut(v, ":")
	q.Fields = append(q.Fields, Field{name, strings.Trim(value, " \t")})
	return check(found && isToken(name) && !strings.EqualFold(name, "host") && !strings.ContainsFunc(value, isControl))
}

func readCookie(q *Question, v string) error {
	name, _, found := strings.Cut(v, "=")
	q.Fields = append(q.Fields, Field{"Cookie", v})
	return check(found && isToken(name) && !strings.ContainsFunc(v, isControl))
}

func readPoP(q *Question, v string) error {
	q.PoP = v
	return check(len(v) <= 8 && !strings.ContainsFunc(v, func(r rune) bool { return !isLetter(r) && (r < '0' || r > '9') }))
}

func readRegion(q *Question, v string) error {
	q.Region = strings.ToUpper(v)
	return check(slices.Contains(config.Regions(), q.Region))
}

func readCountry(q *Question, v string) error {
	q.Country = strings.ToUpper(v)
	second := rune(q.Country[len(q.Country)-1])
	return check(len(v) == 2 && isLetter(rune(v[0])) && (isLetter(second) || '0' <= second && second <= '9')) // T1 is Tor
}

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// isToken goes by RFC 9110 §5.6.2.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !isLetter(r) && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// Countries finds the country of an address, two capital letters; false where it is not known.
type Countries func(netip.Addr) (code [2]byte, known bool)

// Ask decides the question's request in a snapshot and reports how, and where it would go next if the origin refused the
// connection. The country of a client that the question leaves open is what countries says, if anything; nil knows none.
func (q *Question) Ask(s *balancer.Snapshot, countries Countries, now time.Time) Report {
	host := or(q.Host, someHost(s))
	r := balancer.Request{
		Client: q.Client, Host: []byte(host), Method: []byte(or(q.Method, "GET")),
		Path: []byte(or(q.Path, "/")), Query: []byte(q.Query), Version: 11, Secure: q.HTTPS,
		Fields: append(Fields{{"Host", host}}, q.Fields...), Seed: q.Seed, Now: q.Now,
	}
	if !r.Client.IsValid() {
		r.Client = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if r.Now.IsZero() {
		r.Now = now
	}
	country := []byte(q.Country)
	if (len(country) == 0 || q.Country == "XX") && countries != nil {
		if code, known := countries(r.Client); known {
			country = code[:]
		}
	}
	place := s.Locate([]byte(q.PoP), []byte(q.Region), country)
	r.Place = &place
	return Of(s, &r, balancer.Failure{Class: balancer.ConnectRefused, Replayable: true})
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// someHost is the first host that an enabled load balancer is for, or else one that the first wildcard covers.
func someHost(s *balancer.Snapshot) string {
	covered := ""
	for _, lb := range s.LoadBalancers() {
		below, wild := strings.CutPrefix(lb.Config.Name, "*")
		switch {
		case !lb.Config.Enabled || lb.Config.Implicit:
		case !wild:
			return lb.Config.Name
		case covered == "":
			covered = "www" + below
		}
	}
	return or(covered, "localhost")
}

// Field is a header field of a question.
type Field struct{ Name, Value string }

// Fields are header fields, in order. They are what Direct asks of a request.
type Fields []Field

// Get answers the first value of a field, nil when there is none.
func (f Fields) Get(name string) []byte {
	value, _, _ := f.Next(name, 0)
	return value
}

// Next answers the first line of a field at or after a position.
func (f Fields) Next(name string, from int) (value []byte, next int, found bool) {
	for i := from; i < len(f); i++ {
		if strings.EqualFold(f[i].Name, name) {
			return []byte(f[i].Value), i + 1, true
		}
	}
	return nil, len(f), false
}

// Cookie answers the first cookie of a name, nil when there is none.
func (f Fields) Cookie(name string) []byte {
	for i := range f {
		if !strings.EqualFold(f[i].Name, "cookie") {
			continue
		}
		for pair := range strings.SplitSeq(f[i].Value, ";") {
			if n, value, found := strings.Cut(strings.Trim(pair, " \t"), "="); found && n == name {
				return []byte(value)
			}
		}
	}
	return nil
}

var _ balancer.Fields = Fields(nil)
