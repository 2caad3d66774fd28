package balancer

import (
	"bytes"
	"iter"
	"net/netip"
	"sync"
	"unsafe"
)

// ResolveClient tells whose request it is (behaviour C1 to C4). Only trusted peers are believed: what they name in
// CF-Connecting-IP, else the last address in X-Forwarded-For that is not a trusted one itself. forwarded yields the
// lines of X-Forwarded-For in the order received; they count as one list. An element of that list that is no address
// hides everything before it. Otherwise the client is the peer.
//
// The answer is unmapped and has no zone. A port beside an address is passed over. Well-formed input costs no
// allocation.
func ResolveClient(peer netip.Addr, trusted []netip.Prefix, cfConnectingIP []byte, forwarded iter.Seq[[]byte]) netip.Addr {
	peer = plain(peer)
	if !contains(trusted, peer) {
		return peer
	}
	if client, ok := parseAddr(cfConnectingIP); ok {
		return client
	}
	if forwarded == nil {
		return peer
	}
	w := walks.Get().(*walk)
	defer walks.Put(w)
	w.trusted, w.peer, w.client = trusted, peer, peer
	forwarded(w.take)
	return w.client
}

// walk reads X-Forwarded-For from left to right, so that one pass over the lines does: whatever is found further right is
// nearer to us and wins.
type walk struct {
	trusted      []netip.Prefix
	peer, client netip.Addr
	take         func(line []byte) bool // the method line, made a value once
}

// walks spares an allocation per request: what a function of unknown make is called with lives on the heap.
var walks = sync.Pool{New: func() any {
	w := &walk{}
	w.take = w.line
	return w
}}

// line takes in the next line of the list. It always asks for more.
func (w *walk) line(line []byte) bool {
	for more := true; more; {
		var element []byte
		element, line, more = bytes.Cut(line, []byte{','})
		element = bytes.TrimSpace(element)
		switch addr, ok := parseAddr(element); {
		case len(element) == 0: // lists may have holes: RFC 9110 §5.6.1
		case !ok:
			w.client = w.peer
		case !contains(w.trusted, addr):
			w.client = addr
		}
	}
	return true
}

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
	for i := range prefixes {
		if prefixes[i].Contains(a) {
			return true
		}
	}
	return false
}

func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// parseAddr reads an address as proxies write it: 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1], [2001:db8::1]:80,
// any of the latter with a zone.
func parseAddr(b []byte) (netip.Addr, bool) {
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return netip.Addr{}, false
	}
	if b[0] == '[' {
		end := bytes.IndexByte(b, ']')
		if end < 0 || !isPort(b[end+1:]) {
			return netip.Addr{}, false
		}
		b = b[1:end]
	} else if colon := bytes.IndexByte(b, ':'); colon >= 0 && colon == bytes.LastIndexByte(b, ':') {
		if !isPort(b[colon:]) {
			return netip.Addr{}, false
		}
		b = b[:colon]
	}
	b, _, _ = bytes.Cut(b, []byte{'%'})
	// The text is read before this returns and is not kept: only ParseAddr's error does, and that is dropped here.
	a, err := netip.ParseAddr(unsafe.String(unsafe.SliceData(b), len(b)))
	return a.Unmap(), err == nil
}

// isPort reports whether b is nothing, or a colon and a number.
func isPort(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if b[0] != ':' || len(b) == 1 || len(b) > 6 {
		return false
	}
	for _, c := range b[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
