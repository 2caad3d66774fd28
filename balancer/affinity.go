package balancer

import (
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/weirlb/weir/config"
)

// affinityKind is how sessions are told apart.
type affinityKind uint8

const (
	noAffinity affinityKind = iota
	byCookie                // the client carries it
	byAddress               // likewise, and what was chosen first follows from the client's address
	byHeader                // kept here, by a key from header fields
)

var affinityKinds = map[string]affinityKind{"cookie": byCookie, "ip_cookie": byAddress, "header": byHeader}

// affinity is session affinity, ready to serve.
type affinity struct {
	kind     affinityKind
	ttl      time.Duration
	drain    time.Duration
	retries  bool // zero_downtime_failover lets a session's request try another origin
	sticky   bool // and the session moves there
	samesite string
	secure   string
	https    *bool // nil: whether the request came over TLS
	lb       string
	items    []string // session_affinity_attributes.headers
	headers  []config.SessionHeader
	all      bool // every header must be there
	sessions *Sessions
}

// newAffinity reads the settings. Without anything to keep sessions with there are none.
func newAffinity(p *plan, s *settings) affinity {
	kind := affinityKinds[s.affinity]
	a := affinity{
		kind: kind, ttl: s.ttl, drain: s.attributes.DrainDuration,
		retries: s.attributes.ZeroDowntimeFailover == "temporary" || s.attributes.ZeroDowntimeFailover == "sticky",
		// There is no cookie that could name another origin: sticky acts as temporary (behaviour N7).
		sticky:   s.attributes.ZeroDowntimeFailover == "sticky" && kind != byHeader,
		samesite: s.attributes.SameSite, secure: s.attributes.Secure, https: p.https,
		lb: p.config.ID, all: s.attributes.RequireAllHeaders, sessions: p.sessions,
	}
	if p.sessions == nil {
		a.kind = noAffinity
	}
	if kind != byHeader {
		return a
	}
	a.items = s.attributes.Headers
	for _, item := range a.items {
		h, ok := config.ParseSessionHeader(item)
		if !ok {
			panic("BUG: " + item + " in session_affinity_attributes.headers passed validation")
		}
		a.headers = append(a.headers, h)
	}
	return a
}

// key is what the session of a request is known by; false when it carries too few of the headers for one (behaviour N4).
// Two sessions with one key, once in 2⁶⁴ pairs, would share an origin, and nothing else.
func (a *affinity) key(fields Fields) (key uint64, ok bool) {
	if fields == nil {
		return 0, false
	}
	d := xxhash.New()
	return a.digest(d, fields)
}

func (a *affinity) digest(d *xxhash.Digest, fields Fields) (key uint64, ok bool) {
	text(d, a.lb)
	found := 0
	for i := range a.headers {
		h := &a.headers[i]
		text(d, a.items[i])
		there := false
		switch {
		case h.Field != "":
			there = fieldLines(d, fields, h.Field)
		case h.Cookies == nil:
			there = fieldLines(d, fields, "cookie")
		default:
			there = cookies(d, fields, h.Cookies, a.all)
		}
		if there {
			found++
		}
		if !there && a.all {
			return 0, false
		}
	}
	return d.Sum64(), found > 0
}

// fieldLines takes in every line of a field, and reports whether there was one.
func fieldLines(d *xxhash.Digest, fields Fields, name string) bool {
	n := 0
	for from := 0; ; n++ {
		value, next, found := fields.Next(name, from)
		if !found {
			break
		}
		part(d, value)
		from = next
	}
	number(d, uint64(n)) // a count; it ends the list, so that ("a", none) is not (none, "a")
	return n > 0
}

// cookies takes in cookies by name, and reports whether any was there, or all.
func cookies(d *xxhash.Digest, fields Fields, names []string, all bool) bool {
	n := 0
	for _, name := range names {
		value := fields.Cookie(name)
		if value == nil {
			number(d, 0)
			continue
		}
		part(d, value)
		number(d, 1)
		n++
	}
	return n == len(names) || n > 0 && !all
}

// part takes in a text and where it ends.
func part(d *xxhash.Digest, b []byte) {
	number(d, uint64(len(b)))
	_, _ = d.Write(b)
}

func text(d *xxhash.Digest, s string) {
	number(d, uint64(len(s)))
	_, _ = d.WriteString(s)
}

func number(d *xxhash.Digest, n uint64) {
	var b [8]byte
	for i := range b {
		b[i] = byte(n >> (8 * i)) // the low byte is meant
	}
	_, _ = d.Write(b[:])
}

// SessionAction is what becomes of a request's session.
type SessionAction uint8

const (
	SessionNone SessionAction = iota // there is none
	SessionKept                      // it stays as it is
	SessionSet                       // it begins, or moves to another origin
)

// String is the token of the action.
func (a SessionAction) String() string { return [...]string{"none", "kept", "set"}[a] }

// SessionOutcome is what an exchange does to its session, if the attempt it was decided for succeeds: part of the
// Decision, and acted upon by whoever sends the answer, when its head is sent and not before, since a retry may decide
// otherwise.
type SessionOutcome struct {
	Action SessionAction
	// Before is what became of the session that the request came with: Yes, it stood; SessionAbsent, SessionInvalid or
	// SessionExpired, there was none; otherwise what broke it.
	Before Reason

	terms  *affinity
	key    uint64 // by header
	origin uint64
	now    int64 // Unix nanoseconds
	secure bool  // the request came over TLS
}

// SetsCookie reports whether the answer carries a Set-Cookie.
func (o *SessionOutcome) SetsCookie() bool {
	return o.Action == SessionSet && (o.terms.kind == byCookie || o.terms.kind == byAddress)
}

// AppendSetCookie appends the value of the answer's Set-Cookie field, and nothing when there is none to set
// (behaviour N1, N2). It does not allocate where dst has room for 200 bytes.
func (o *SessionOutcome) AppendSetCookie(dst []byte) []byte {
	if !o.SetsCookie() {
		return dst
	}
	a := o.terms
	expires := time.Unix(0, o.now).Add(a.ttl)
	dst = append(dst, CookieName+"="...)
	dst = a.sessions.sealer.AppendValue(dst, a.lb, o.origin, expires)
	dst = append(dst, "; Path=/; Max-Age="...)
	dst = strconv.AppendInt(dst, int64(a.ttl/time.Second), 10)
	dst = append(dst, "; Expires="...)
	dst = expires.UTC().AppendFormat(dst, "Mon, 02 Jan 2006 15:04:05 GMT")
	dst = append(dst, "; HttpOnly"...)
	https := o.secure
	if a.https != nil {
		https = *a.https
	}
	if a.secure == "Always" || a.secure != "Never" && https {
		dst = append(dst, "; Secure"...)
	}
	dst = append(dst, "; SameSite="...)
	return append(dst, a.sameSite(https)...)
}

// sameSite: Auto goes by whether every request comes over TLS. Without it that is None and not Secure, as Cloudflare's
// page has it, although browsers drop such a cookie (behaviour N2).
func (a *affinity) sameSite(https bool) string {
	switch {
	case a.samesite != "" && a.samesite != "Auto":
		return a.samesite
	case https:
		return "Lax"
	default:
		return "None"
	}
}

// Remember notes the use of a session by header, which lasts its TTL from now on. It does nothing to any other kind.
func (o *SessionOutcome) Remember() {
	if o.Action != SessionNone && o.terms.kind == byHeader {
		o.terms.sessions.keep(o.key, o.origin, o.now, o.terms.ttl)
	}
}
