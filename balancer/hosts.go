package balancer

import (
	"bytes"
	"strings"
)

// none is no position.
const none = -1

// hosts finds what serves a host name. An exact name beats a wildcard, a longer wildcard a shorter one, and a name
// that was added first beats the same name added later.
type hosts struct {
	exact map[string]int
	below map[string]int // "*.example.com" as ".example.com"
	any   int            // serves every host, also a request without one; none when nothing does
}

func newHosts() hosts {
	return hosts{exact: map[string]int{}, below: map[string]int{}, any: none}
}

// add makes position i serve a name: a host, or "*." and any depth below a host.
func (h *hosts) add(name string, i int) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	table := h.exact
	if suffix, wild := strings.CutPrefix(name, "*"); wild {
		name, table = suffix, h.below
	}
	if _, taken := table[name]; !taken {
		table[name] = i
	}
}

// longestHost is the longest name that DNS can carry, in the presentation form; no name is served beyond it.
const longestHost = 255

// find returns what serves a Host value as a client sent it: its port, case and trailing dot do not matter. It does
// not allocate.
func (h *hosts) find(host []byte) int {
	host = bytes.TrimSuffix(withoutPort(host), []byte{'.'})
	if len(host) == 0 || len(host) > longestHost {
		return h.any
	}
	if hasUpper(host) {
		var room [longestHost]byte
		host = lower(room[:0], host)
	}
	if i, ok := h.exact[string(host)]; ok {
		return i
	}
	return h.wild(host)
}

// wild tries the wildcards, the longest first.
func (h *hosts) wild(name []byte) int {
	if len(h.below) == 0 {
		return h.any
	}
	for at := 1; at < len(name); at++ { // from 1: something must stand where the star is
		if name[at] != '.' {
			continue
		}
		if i, ok := h.below[string(name[at:])]; ok {
			return i
		}
	}
	return h.any
}

func hasUpper(b []byte) bool {
	for _, c := range b {
		if 'A' <= c && c <= 'Z' {
			return true
		}
	}
	return false
}

// withoutPort cuts the port off a Host value. A colon inside brackets belongs to an IPv6 address.
func withoutPort(host []byte) []byte {
	colon := bytes.LastIndexByte(host, ':')
	if colon < 0 || bytes.IndexByte(host[colon:], ']') >= 0 {
		return host
	}
	return host[:colon]
}

func lower(dst, src []byte) []byte {
	for _, c := range src {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}
