package geoip

import (
	"fmt"
	"net/netip"
	"os"
	"sync"

	"github.com/oschwald/maxminddb-golang/v2"
)

// Database knows where addresses are. It is immutable and safe for concurrent use. A nil Database knows nothing.
type Database struct {
	reader  *maxminddb.Reader
	records sync.Pool // of *record, so that a look-up does not allocate
}

// record is the part that counts of what a database says of a network. The names are MaxMind's.
type record struct {
	Country struct {
		Code string `maxminddb:"iso_code"`
	} `maxminddb:"country"`
}

// Code is a country of ISO 3166-1, two capital letters.
type Code [2]byte

// String is the code as a text.
func (c Code) String() string { return string(c[:]) }

// searched is how many networks of a file may say nothing of a country before it is taken for one of another kind. Those
// without any data count too: a broken tree that leads back into itself has no end of them.
const searched = 10_000

// Open reads a database. A file that tells no countries is an error.
func Open(file string) (*Database, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the GeoIP database: %w", err)
	}
	d, err := read(b)
	if err != nil {
		return nil, fmt.Errorf("reading the GeoIP database %s: %w", file, err)
	}
	return d, nil
}

func read(b []byte) (*Database, error) {
	reader, err := maxminddb.OpenBytes(b)
	if err != nil {
		return nil, err
	}
	d := &Database{reader: reader}
	d.records.New = func() any { return new(record) }
	n := 0
	for network := range reader.Networks(maxminddb.IncludeNetworksWithoutData()) {
		if err := network.Err(); err != nil {
			return nil, err
		}
		if _, known := d.country(network); known {
			return d, nil
		}
		if n++; n == searched {
			break
		}
	}
	return nil, fmt.Errorf("it is of type %q and has no country.iso_code; use a country or city database", reader.Metadata.DatabaseType)
}

// Country is the country of an address; false where the database has none. It does not allocate.
func (d *Database) Country(a netip.Addr) (code Code, known bool) {
	if d == nil || !a.IsValid() {
		return Code{}, false
	}
	return d.country(d.reader.Lookup(a))
}

func (d *Database) country(found maxminddb.Result) (code Code, known bool) {
	if found.Err() != nil || !found.Found() { // an IPv6 address in a file of IPv4 addresses is an error there
		return Code{}, false
	}
	r := d.records.Get().(*record)
	defer d.records.Put(r)
	*r = record{}
	if found.Decode(r) != nil || len(r.Country.Code) != len(code) {
		return Code{}, false
	}
	copy(code[:], r.Country.Code)
	return code, isCapital(code[0]) && isCapital(code[1])
}

func isCapital(c byte) bool { return 'A' <= c && c <= 'Z' }
