package balancer

import (
	"strings"
	"sync"

	"github.com/weirlb/weir/config"
)

// Locate tells where a request is handled and where its client is, from what trusted peers say of it: the codes of a
// data centre, of a region and of the client's country. Each may be empty, and is passed over when it is no such code.
//
// The code of a data centre that weir.pops or the built-in table knows brings its region, country and coordinates; one
// that they do not know matches pop_pools and nothing else, and leaves the rest to the instance's own place. A region or
// country that is given beats both. The country XX is an unknown one: that of the data centre counts (behaviour G2, G7).
//
// What it answers is good for as long as the snapshot is; a Request points to it. It does not allocate, but for the name
// of a data centre nobody knows.
func (s *Snapshot) Locate(pop, region, country []byte) config.Place {
	place := s.index.atlas.place(pop)
	if code, ok := regionCode(region); ok {
		place.Region = code
	}
	if code, ok := countryCode(country); ok {
		place.Country = code
	}
	return place
}

// atlas knows data centres by their codes.
type atlas struct {
	weir *config.Weir
	here config.Place // where requests are handled that do not say where

	mu    sync.RWMutex // guards known
	known map[string]config.Place
}

func newAtlas(w *config.Weir) *atlas {
	a := &atlas{weir: w, here: w.Location, known: map[string]config.Place{}}
	if p, ok := w.PoP(a.here.PoP); ok {
		if a.here.Region == "" {
			a.here.Region = p.Region
		}
		if a.here.Country == "" {
			a.here.Country = p.Country
		}
		if !a.here.Located() {
			a.here.Latitude, a.here.Longitude = p.Latitude, p.Longitude
		}
	}
	return a
}

// longestPoP is more than the codes in use have.
const longestPoP = 8

func (a *atlas) place(pop []byte) config.Place {
	if len(pop) == 0 || len(pop) > longestPoP || !isCode(pop) {
		return a.here
	}
	a.mu.RLock()
	p, ok := a.known[string(pop)]
	a.mu.RUnlock()
	if ok {
		return p
	}
	return a.find(strings.Clone(string(pop)))
}

// find looks a code up, in any case, and remembers it as it was written. Codes that nobody knows are not remembered: there
// is no end to them.
func (a *atlas) find(code string) config.Place {
	p, ok := a.weir.PoP(code)
	if !ok {
		p = a.here
		p.PoP = strings.ToUpper(code)
		return p
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if most := 4096; len(a.known) < most { // spellings in mixed case could be many
		a.known[code] = p
	}
	return p
}

func isCode(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

var regions = config.Regions()

// regionCode is the region that b spells, in any case.
func regionCode(b []byte) (string, bool) {
	for _, code := range regions {
		if len(code) == len(b) && sameLetters(code, b) {
			return code, true
		}
	}
	return "", false
}

// sameLetters compares a text in capitals with one in any case.
func sameLetters(capitals string, b []byte) bool {
	for i := range b {
		if capital(b[i]) != capitals[i] {
			return false
		}
	}
	return true
}

func capital(c byte) byte {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}

// seconds are the characters that can stand second in a country code: T1 is how Cloudflare spells Tor.
const seconds = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// countries holds every code there can be, so that one is found without making a text for it.
var countries = func() string {
	var b strings.Builder
	for first := 'A'; first <= 'Z'; first++ {
		for _, second := range seconds {
			b.WriteRune(first)
			b.WriteRune(second)
		}
	}
	return b.String()
}()

// countryCode is the country that b spells, in any case; XX spells none.
func countryCode(b []byte) (string, bool) {
	if len(b) != 2 {
		return "", false
	}
	first, second := capital(b[0]), strings.IndexByte(seconds, capital(b[1]))
	if first < 'A' || first > 'Z' || second < 0 {
		return "", false
	}
	at := (int(first-'A')*len(seconds) + second) * 2
	code := countries[at : at+2]
	return code, code != "XX"
}
