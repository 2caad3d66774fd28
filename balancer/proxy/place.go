package proxy

import (
	"bytes"
	"strconv"
)

// locate finds where the request is handled and where its client is (behaviour G7). What trusted peers say counts before
// what is configured: Weir-Pop, Weir-Region and Weir-Country stage a place, and CF-IPCountry names the client's country.
// Without it that is looked up in the GeoIP database, if there is one. It answers the country that the origin is told
// (behaviour Q6).
func (x *exchange) locate(trusted bool) (told string) {
	h := &x.head
	var pop, region, country []byte
	if trusted {
		country = h.Get("CF-IPCountry")
	}
	if trusted && h.Staging {
		pop, region = h.Get("Weir-Pop"), h.Get("Weir-Region")
		if c := h.Get("Weir-Country"); isCountry(c) {
			country = c
		}
		if seed, ok := parseSeed(h.Get("Weir-Seed")); ok {
			x.req.Seed = seed
		}
	}
	unknown := bytes.EqualFold(country, unknownCountry)
	if unknown || !isCountry(country) {
		if code, known := x.set.countries.Country(x.req.Client); known {
			x.country = code
			country, unknown = x.country[:], false
		}
	}
	x.res.Place = x.snap.Locate(pop, region, country)
	x.req.Place = &x.res.Place
	if unknown {
		return "XX" // where the request is handled stands in for that, but is no fact about its client
	}
	return x.res.Place.Country
}

var unknownCountry = []byte("XX")

// isCountry reports a country as CF-IPCountry carries it, in any case: DE, T1 for Tor, XX for an unknown one.
func isCountry(b []byte) bool {
	return len(b) == 2 && isLetter(b[0]) && (isLetter(b[1]) || '0' <= b[1] && b[1] <= '9')
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// parseSeed reads a seed as --seed takes it and as the access log writes it: decimal, or 0x and hexadecimal digits.
func parseSeed(b []byte) (seed uint64, ok bool) {
	if len(b) == 0 || len(b) > len("18446744073709551615") {
		return 0, false
	}
	seed, err := strconv.ParseUint(string(b), 0, 64)
	return seed, err == nil
}
