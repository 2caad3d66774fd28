package balancer

import (
	"testing"

	"github.com/weirlb/weir/config"
)

// Behaviour G7: where a request is handled, by what trusted peers say of it.
func TestLocate(t *testing.T) {
	w := newWorld(t, lb("A", "A"), pool("A", 1))
	w.reload(func(c *config.Config) {
		c.Weir.Location = config.Place{PoP: "FRA", Region: "WEU", Country: "DE", Latitude: 50.03, Longitude: 8.57}
		c.Weir.Pops = map[string]config.Place{"OWN": {Region: "OC", Country: "NZ", Latitude: -36, Longitude: 174}}
	})
	for _, c := range []struct {
		why                  string
		pop, region, country string
		want                 [3]string // pop, region, country
		lat                  float64
	}{
		{"nothing said: the instance's own place", "", "", "", [3]string{"FRA", "WEU", "DE"}, 50.03},
		{"a data centre brings all of its place", "SJC", "", "", [3]string{"SJC", "WNAM", "US"}, 37.36},
		{"in any case", "sjc", "", "", [3]string{"SJC", "WNAM", "US"}, 37.36},
		{"one of weir.pops", "OWN", "", "", [3]string{"OWN", "OC", "NZ"}, -36},
		{"an unknown code is a name, and nothing else", "zz9", "", "", [3]string{"ZZ9", "WEU", "DE"}, 50.03},
		{"an unknown code, with the rest said", "ZZ9", "SAS", "IN", [3]string{"ZZ9", "SAS", "IN"}, 50.03},
		{"the client's country is not the data centre's", "SEA", "", "CA", [3]string{"SEA", "WNAM", "CA"}, 47.45},
		{"a country in small letters", "", "", "fr", [3]string{"FRA", "WEU", "FR"}, 50.03},
		{"an unknown country: the data centre's (G2)", "SJC", "", "XX", [3]string{"SJC", "WNAM", "US"}, 37.36},
		{"Tor is a country", "", "", "T1", [3]string{"FRA", "WEU", "T1"}, 50.03},
		{"a region beats the data centre's", "SJC", "ENAM", "", [3]string{"SJC", "ENAM", "US"}, 37.36},
		{"no codes", "S J", "WEST", "DEU", [3]string{"FRA", "WEU", "DE"}, 50.03},
		{"no codes", "ABCDEFGHI", "XX", "1A", [3]string{"FRA", "WEU", "DE"}, 50.03},
		{"no code", "", "", "A!", [3]string{"FRA", "WEU", "DE"}, 50.03},
	} {
		p := w.snapshot.Locate([]byte(c.pop), []byte(c.region), []byte(c.country))
		if got := [3]string{p.PoP, p.Region, p.Country}; got != c.want {
			t.Errorf("%s: %q %q %q: got %v, want %v", c.why, c.pop, c.region, c.country, got, c.want)
		}
		if d := p.Latitude - c.lat; d > 1 || d < -1 {
			t.Errorf("%s: at latitude %v, want about %v", c.why, p.Latitude, c.lat)
		}
	}
	pop, region, country := []byte("SJC"), []byte("weu"), []byte("at")
	if n := testing.AllocsPerRun(100, func() { w.snapshot.Locate(pop, region, country) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What weir.location leaves open, its data centre says.
func TestOwnPlace(t *testing.T) {
	w := newWorld(t, lb("A", "A"), pool("A", 1)) // in FRA, and no more
	if p := w.snapshot.Locate(nil, nil, nil); p.Region != "WEU" || p.Country != "DE" || !p.Located() {
		t.Errorf("got %+v", p)
	}
}
