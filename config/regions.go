package config

import (
	"strings"
	"sync"
)

// Which region a country belongs to. Cloudflare publishes the members of WNAM alone (API reference, Get Region, the
// example) and answers the others from its live API; WNAM is exactly as published, and the rest is our choice:
// Central America and the Caribbean go with the north of South America, the Caucasus and Central Asia with Eastern
// Europe, and African countries to the north or the south by the side of the equator their capital is on.
var countriesOf = map[string]string{
	"WNAM": "HT MX",
	"ENAM": "BM CA GL PM US",
	"NSAM": "AG AI AW BB BL BQ BS BZ CO CR CU CW DM DO EC GD GF GP GT GY HN JM KN KY LC MF MQ MS NI PA PE PR SR SV SX TC TT VC VE VG VI",
	"SSAM": "AR BO BR BV CL FK GS PY UY",
	"WEU":  "AD AT AX BE CH DE DK ES FI FO FR GB GG GI IE IM IS IT JE LI LU MC MT NL NO PT SE SJ SM VA",
	"EEU":  "AL AM AZ BA BG BY CY CZ EE GE GR HR HU KG KZ LT LV MD ME MK PL RO RS RU SI SK TJ TM TR UA UZ XK",
	"ME":   "AE BH IL IQ IR JO KW LB OM PS QA SA SY YE",
	"NAF":  "BF BJ CF CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW LR LY MA ML MR NE NG SD SL SN SO SS ST TD TG TN UG",
	"SAF":  "AO BI BW CD CG KE KM LS MG MU MW MZ NA RE RW SC SH SZ TF TZ YT ZA ZM ZW",
	"SAS":  "AF BD BT IN IO LK MV NP PK",
	"SEAS": "BN ID KH LA MM MY PH SG TH TL VN",
	"NEAS": "CN HK JP KP KR MN MO TW",
	"OC":   "AQ AS AU CC CK CX FJ FM GU HM KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TO TV UM VU WF WS",
}

// westernSubdivisions are the states and provinces of WNAM; the others are in ENAM.
var westernSubdivisions = map[string]string{
	"CA": "AB BC",
	"US": "AZ CA CO HI MN MO NV OR TX UT WA",
}

var regionByCountry = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for region, countries := range countriesOf {
		for country := range strings.FieldsSeq(countries) {
			m[country] = region
		}
	}
	return m
})

// RegionOfCountry returns the region of a country, in any case, "" when it has none. The United States and Canada, which
// lie in two, are taken to be in ENAM.
func RegionOfCountry(code string) string { return RegionOfSubdivision(code, "") }

// RegionOfSubdivision is RegionOfCountry for a state or province, without the country in front: "US", "CA" is
// California. Only the United States and Canada have any.
func RegionOfSubdivision(country, subdivision string) string {
	country, subdivision = strings.ToUpper(country), strings.ToUpper(subdivision)
	for s := range strings.FieldsSeq(westernSubdivisions[country]) {
		if s == subdivision {
			return "WNAM"
		}
	}
	return regionByCountry()[country]
}
