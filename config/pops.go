package config

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// The data centres that codes in pop_pools and in weir.location stand for: code, city, country (with a state or
// province in the United States and Canada), latitude and longitude, one a line, by code. Codes and coordinates are
// those of a nearby airport, so a place is right to some tens of kilometres, which is what choosing the nearest pool
// needs. The list is our own and no statement about where Cloudflare is.
//
//go:embed pops.csv
var popText string

var popTable = sync.OnceValue(func() map[string]Place {
	table := map[string]Place{}
	for line := range strings.Lines(popText) {
		p, err := parsePoP(strings.TrimSuffix(line, "\n"))
		if err != nil {
			panic("BUG: pops.csv: " + err.Error())
		}
		table[p.PoP] = p
	}
	return table
})

func parsePoP(line string) (Place, error) {
	f := strings.Split(line, ",")
	if len(f) != 5 {
		return Place{}, fmt.Errorf("%q has %d fields", line, len(f))
	}
	country, subdivision, _ := strings.Cut(f[2], "-")
	p := Place{PoP: f[0], City: f[1], Country: country, Region: RegionOfSubdivision(country, subdivision)}
	var err error
	if p.Latitude, err = strconv.ParseFloat(f[3], 64); err != nil {
		return Place{}, err
	}
	if p.Longitude, err = strconv.ParseFloat(f[4], 64); err != nil {
		return Place{}, err
	}
	return p, nil
}

// PoP returns the place that a data-centre code stands for, in any case, and false for codes that are not known. Its
// coordinates are approximate.
func PoP(code string) (Place, bool) {
	p, ok := popTable()[strings.ToUpper(code)]
	return p, ok
}

// PoP returns the place that a data-centre code stands for. What weir.pops says of it comes first; what is left open
// there comes from the built-in table.
func (w *Weir) PoP(code string) (Place, bool) {
	code = strings.ToUpper(code)
	builtin, known := PoP(code)
	p, ours := w.Pops[code]
	if !ours {
		return builtin, known
	}
	p.PoP = code
	return p.orElse(builtin), true
}

// orElse is p with what it leaves open taken from other, and its region from its country where that is another one.
func (p Place) orElse(other Place) Place {
	if p.Region == "" && p.Country != other.Country {
		p.Region = RegionOfCountry(p.Country)
	}
	p.City = orElse(p.City, other.City)
	p.Country = orElse(p.Country, other.Country)
	p.Region = orElse(p.Region, other.Region)
	if !p.Located() {
		p.Latitude, p.Longitude = other.Latitude, other.Longitude
	}
	return p
}
