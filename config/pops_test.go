package config

import (
	"strings"
	"testing"
)

// TestPoPs: every line of the table is whole, and a few are where they should be.
func TestPoPs(t *testing.T) {
	n, last := 0, ""
	for line := range strings.Lines(popText) {
		p, err := parsePoP(strings.TrimSuffix(line, "\n"))
		if err != nil {
			t.Fatal(err)
		}
		_, known := canonicalRegion(p.Region)
		if _, ok := canonicalPoP(p.PoP); !ok || p.PoP <= last || p.City == "" || !known || !p.Located() ||
			p.Latitude < -90 || p.Latitude > 90 || p.Longitude < -180 || p.Longitude > 180 {
			t.Errorf("%q is not complete or not in order: %+v", line, p)
		}
		n, last = n+1, p.PoP
	}
	if n < 300 {
		t.Errorf("%d data centres", n)
	}
	for code, want := range map[string]Place{
		"FRA": {"FRA", "Frankfurt", "WEU", "DE", 50.03, 8.57},
		"ams": {"AMS", "Amsterdam", "WEU", "NL", 52.31, 4.76},
		"IAD": {"IAD", "Ashburn", "ENAM", "US", 38.94, -77.46},
		"SIN": {"SIN", "Singapore", "SEAS", "SG", 1.36, 103.99},
		"SJC": {"SJC", "San Jose", "WNAM", "US", 37.36, -121.93},
	} {
		if got, ok := PoP(code); !ok || got != want {
			t.Errorf("%s is %+v, want %+v", code, got, want)
		}
	}
	if p, ok := PoP("LCL"); ok {
		t.Errorf("the default pop is somebody's: %+v", p)
	}
}

// TestPoPsOfOurOwn: weir.pops comes first, the table fills what it leaves open.
func TestPoPsOfOurOwn(t *testing.T) {
	w := &mustLoad(t, `{"weir":{"pops":{"fra":{"region":"EEU"},"NEW":{"country":"JP","latitude":1,"longitude":2},"AMS":{"country":"BR"}}}}`).Weir
	for code, want := range map[string]Place{
		"FRA": {"FRA", "Frankfurt", "EEU", "DE", 50.03, 8.57},
		"new": {"NEW", "", "NEAS", "JP", 1, 2},
		"AMS": {"AMS", "Amsterdam", "SSAM", "BR", 52.31, 4.76},
		"SIN": {"SIN", "Singapore", "SEAS", "SG", 1.36, 103.99},
	} {
		if got, ok := w.PoP(code); !ok || got != want {
			t.Errorf("%s is %+v, want %+v", code, got, want)
		}
	}
	if _, ok := w.PoP("ZZZ"); ok {
		t.Error("ZZZ is known")
	}
}

// TestRegionsOfCountries: WNAM as published, every country in one region, two countries divided.
func TestRegionsOfCountries(t *testing.T) {
	count := 0
	for region, countries := range countriesOf {
		if _, ok := canonicalRegion(region); !ok {
			t.Errorf("%s is no region", region)
		}
		for country := range strings.FieldsSeq(countries) {
			count++
			if _, ok := canonicalCountry(country); !ok || RegionOfCountry(country) != region {
				t.Errorf("%s is in %s and in %s", country, region, RegionOfCountry(country))
			}
		}
	}
	// ISO 3166-1 has 249 codes; XK is in use beside them.
	if count != 250 || len(countriesOf) != 13 {
		t.Errorf("%d countries in %d regions", count, len(countriesOf))
	}
	for _, tt := range []struct{ country, subdivision, want string }{
		{"US", "WA", "WNAM"},
		{"us", "ca", "WNAM"},
		{"US", "NY", "ENAM"},
		{"US", "AK", "ENAM"},
		{"US", "", "ENAM"},
		{"CA", "BC", "WNAM"},
		{"CA", "ON", "ENAM"},
		{"CA", "", "ENAM"},
		{"MX", "", "WNAM"},
		{"HT", "", "WNAM"},
		{"DE", "BC", "WEU"},
		{"XX", "", ""},
		{"T1", "", ""},
		{"", "", ""},
	} {
		if got := RegionOfSubdivision(tt.country, tt.subdivision); got != tt.want {
			t.Errorf("%s-%s is in %q, want %q", tt.country, tt.subdivision, got, tt.want)
		}
	}
}
