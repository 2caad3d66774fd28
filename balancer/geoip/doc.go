// Package geoip finds the country of an address in a database file of MaxMind's format, such as GeoLite2-Country or
// GeoLite2-City: the one that weir.geoip.database names. No data comes with weir.
//
//	file ─► Open ─► *Database ─► Country(client's address) ─► DE
//
// A Database is read whole into memory, never mapped: a file that is written over or cut short while it is used would
// otherwise end the process. A newer file is another Database; nothing has to be closed.
package geoip
