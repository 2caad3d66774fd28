package proxy

import (
	"net/netip"

	"github.com/weirlb/weir/balancer/proxy/wire"
	"github.com/weirlb/weir/steering"
)

// edit prepares what the origin is told beyond the client's own bytes. The ray goes by a seed of ours, also where
// Weir-Seed gives the draws another one: no two requests share it.
func (x *exchange) edit(peer netip.Addr, country string, seed uint64) {
	e := &x.edits
	*e = wire.Edits{Proto: "http", Upgrade: x.head.Upgrade, Country: country}
	if x.c.secure {
		e.Proto = "https"
	}
	x.text = x.req.Client.AppendTo(x.text[:0])
	client := len(x.text)
	x.text = peer.AppendTo(x.text)
	both := len(x.text)
	x.text = appendRay(x.text, seed, x.res.Place.PoP)
	e.ClientIP, e.PeerIP, e.Ray = x.text[:client], x.text[client:both], x.text[both:]
	x.res.Ray = e.Ray
}

// trusts reports whether a peer's word on its client is taken.
func (x *exchange) trusts(peer netip.Addr) bool {
	for _, p := range x.snap.Trusted {
		if p.Contains(peer) {
			return true
		}
	}
	return false
}

const hexDigits = "0123456789abcdef"

// appendRay appends 16 hexadecimal digits, a dash and the data centre.
func appendRay(dst []byte, seed uint64, pop string) []byte {
	const drawRay = 0x726179 // "ray"
	v := steering.Mix(seed, drawRay, 0)
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[v>>shift&15])
	}
	return append(append(dst, '-'), pop...)
}
