package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// AllRegions in check_regions stands for every code of Regions.
const AllRegions = "ALL_REGIONS"

var regions = []string{"WNAM", "ENAM", "WEU", "EEU", "NSAM", "SSAM", "OC", "ME", "NAF", "SAF", "SAS", "SEAS", "NEAS"}

var regionWords = strings.Join(regions, ", ")

// Regions returns the 13 region codes.
func Regions() []string { return slices.Clone(regions) }

// canonicalRegion accepts a code in any case. IN is what SAS was called before.
func canonicalRegion(s string) (string, bool) {
	s = strings.ToUpper(s)
	if s == "IN" {
		s = "SAS"
	}
	return s, slices.Contains(regions, s)
}

var region = checked("a region, one of "+regionWords, canonicalRegion)

var regionOrAll = checked("a region, one of "+regionWords+", "+AllRegions, func(s string) (string, bool) {
	if strings.EqualFold(s, AllRegions) {
		return AllRegions, true
	}
	return canonicalRegion(s)
})

// canonicalCountry accepts ISO 3166-1 alpha-2 and Cloudflare's own XX (unknown) and T1 (Tor).
func canonicalCountry(s string) (string, bool) {
	s = strings.ToUpper(s)
	ok := len(s) == 2 && isUpper(s[0]) && (isUpper(s[1]) || s == "T1")
	return s, ok
}

const (
	wantCountry = "a country code of two letters"
	wantPoP     = "a data-centre code such as FRA"
)

var (
	country = checked(wantCountry, canonicalCountry)
	pop     = checked(wantPoP, canonicalPoP)
)

// canonicalPoP accepts codes in the manner of IATA's, such as FRA.
func canonicalPoP(s string) (string, bool) {
	s = strings.ToUpper(s)
	return s, len(s) >= 3 && len(s) <= 8 && strings.IndexFunc(s, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}) < 0
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isAlnum(c byte) bool {
	return isUpper(c) || 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
}

func isPoolName(s string) (string, bool) {
	return s, s != "" && every(s, func(c byte) bool { return isAlnum(c) || c == '-' || c == '_' })
}

func every(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

func equalFoldASCII(s, lower string) bool { return len(s) == len(lower) && strings.EqualFold(s, lower) }

// isHostName accepts what DNS can carry: labels of letters, digits, hyphens and underscores, 253 bytes in all.
func isHostName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

func isLabel(s string) bool {
	return s != "" && len(s) <= 63 && s[0] != '-' && s[len(s)-1] != '-' &&
		every(s, func(c byte) bool { return isAlnum(c) || c == '-' || c == '_' })
}

// isNumeric reports whether a host name's last label is a number, which no name of the DNS root is: it was meant to be
// an IPv4 address.
func isNumeric(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	return last != "" && every(last, func(c byte) bool { return '0' <= c && c <= '9' })
}

// isHostValue accepts the value of a Host field: a name or an address, and perhaps a port.
func isHostValue(s string) bool {
	host, port, found := cutPort(s)
	if found {
		if _, ok := portNumber(port); !ok {
			return false
		}
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		a, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil && a.Is6() && strings.HasSuffix(inner, "]")
	}
	return isHostName(host)
}

// cutPort splits "host:port" and "[v6]:port"; a bare IPv6 address has no port.
func cutPort(s string) (host, port string, found bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.HasSuffix(s, "]") || (strings.IndexByte(s, ':') != i && s[0] != '[') {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func portNumber(s string) (int, bool) {
	if s == "" || len(s) > 5 || !every(s, func(c byte) bool { return '0' <= c && c <= '9' }) {
		return 0, false
	}
	n := 0
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return n, n <= 65535
}

// isToken is RFC 9110 §5.6.2.
func isToken(s string) bool {
	return s != "" && every(s, func(c byte) bool { return isAlnum(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 })
}

// isFieldValue keeps line breaks and other control characters out of requests (RFC 9110 §5.5).
func isFieldValue(s string) bool {
	return every(s, func(c byte) bool { return c == '\t' || (c >= ' ' && c != 0x7f) })
}

// isPath accepts what fits between method and version on a request line.
func isPath(s string) bool {
	return strings.HasPrefix(s, "/") && every(s, func(c byte) bool { return c > ' ' && c < 0x7f && c != '#' })
}

// isBalancerName accepts a host name, or "*." and one.
func isBalancerName(s string) (string, bool) {
	return s, isHostName(strings.TrimPrefix(s, "*."))
}

// SessionHeader is one item of session_affinity_attributes.headers, taken apart.
type SessionHeader struct {
	Field string // lower case; "" for cookies
	// Cookies are the names of the cookies that count; nil, where Field is "", for all of them.
	Cookies []string
}

// ParseSessionHeader accepts a field name, "cookie" and "cookie:a,b".
func ParseSessionHeader(item string) (SessionHeader, bool) {
	name, cookies, named := strings.Cut(item, ":")
	isCookie := strings.EqualFold(name, "cookie")
	switch {
	case len(item) > mostHeaderItem || (named && !isCookie):
		return SessionHeader{}, false
	case named:
		names := strings.Split(cookies, ",")
		return SessionHeader{Cookies: names}, !slices.ContainsFunc(names, func(c string) bool { return !isToken(c) })
	case isCookie:
		return SessionHeader{}, true
	}
	_, ok := isPoolName(name) // the same characters
	return SessionHeader{Field: strings.ToLower(name)}, ok
}

const (
	mostHeaderItem = 100
	mostHeaders    = 5
)

// sessionHeaders is what sessions by header are told apart by. More than five would be a key that no client repeats.
var sessionHeaders = codec[[]string]{func(l *loader, n *node, v *[]string) {
	item := checked(fmt.Sprintf(`a field name of letters, digits, "-" and "_", "cookie", or "cookie:a,b"; at most %d characters`, mostHeaderItem), func(s string) (string, bool) {
		_, ok := ParseSessionHeader(s)
		return s, ok
	})
	if listOf(item).read(l, n, v); n.kind != '[' {
		return
	}
	if len(n.children) > mostHeaders {
		l.errorAt(n, fmt.Sprintf("headers has %d elements", len(n.children)), fmt.Sprintf("at most %d", mostHeaders))
	}
	l.distinct(n, *v)
}, listOf(str).write}

// distinct reports elements that stand for one that is in the list already.
func (l *loader) distinct(n *node, values []string) {
	seen := make(map[string]bool, len(values))
	for i, s := range values {
		key := strings.ToLower(s)
		if s != "" && seen[key] {
			l.errorAt(n.children[i], quote(s)+" is listed twice", "every element once")
		}
		seen[key] = true
	}
}

// placesIn is a list of different places.
func placesIn(place codec[string]) codec[[]string] {
	list := listOf(place)
	return codec[[]string]{func(l *loader, n *node, v *[]string) {
		if list.read(l, n, v); n.kind == '[' {
			l.distinct(n, *v)
		}
	}, list.write}
}

// addressText is an origin's address. Most mistakes have an obvious right form, so each gets its own sentence.
var addressText = codec[string]{func(l *loader, n *node, v *string) {
	if !l.expect(n, '"', "an IPv4 or IPv6 address or a host name") {
		return
	}
	if want := wrongAddress(n.str); want != "" {
		l.wrong(n, want)
		return
	}
	*v = n.str
}, writeString}

// wrongAddress returns what would be right, "" when s is right.
func wrongAddress(s string) string {
	if addr, err := netip.ParseAddr(s); err == nil {
		if addr.Zone() != "" {
			return "an address without a zone"
		}
		return ""
	}
	host, port, found := cutPort(s)
	switch {
	case strings.Contains(s, "://"):
		return "an address or a host name without a scheme; weir.origins.scheme chooses http or https"
	case strings.HasPrefix(s, "[") && !found:
		return "the IPv6 address without brackets"
	case found && port != "":
		return "the address " + quote(strings.Trim(host, "[]")) + " and the port in the field port"
	case !isHostName(s):
		return "an IPv4 or IPv6 address or a host name"
	case isNumeric(s):
		return "an IPv4 address of four numbers from 0 to 255, or a host name"
	}
	return ""
}

// canonicalAddress brings the spellings of one address together.
func canonicalAddress(s string) string {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.String()
	}
	return strings.TrimSuffix(strings.ToLower(s), ".")
}

// canonicalHost is how hosts are compared: without case and without a trailing dot.
func canonicalHost(s string) string { return strings.TrimSuffix(strings.ToLower(s), ".") }

var sharedSpace = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598

// isInternal reports whether an address means something only inside a network.
func isInternal(s string) bool {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return false
	}
	addr = addr.Unmap()
	return addr.IsPrivate() || addr.IsLoopback() || addr.IsUnspecified() || addr.IsLinkLocalUnicast() || addr.IsMulticast() || sharedSpace.Contains(addr)
}
