package geoip

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirlb/weir/balancer/geoip/geoiptest"
)

func open(t *testing.T, networks map[string]string) (*Database, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "test.mmdb")
	if err := os.WriteFile(file, geoiptest.File(networks), 0o600); err != nil {
		t.Fatal(err)
	}
	return Open(file)
}

func TestCountry(t *testing.T) {
	d, err := open(t, map[string]string{
		"192.0.2.0/25": "DE", "192.0.2.128/26": "us", "192.0.2.192/26": "USA", "198.51.100.7/32": "JP", "203.0.113.0/24": "",
		"2001:db8::/32": "NZ",
	})
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"192.0.2.1": "DE", "192.0.2.127": "DE", "198.51.100.7": "JP", "2001:db8:1::1": "NZ",
		"198.51.100.8": "", "2001:db9::1": "", "127.0.0.1": "", // not in the file
		"192.0.2.129": "", "192.0.2.193": "", "203.0.113.1": "", // nothing that is a code
	} {
		code, known := d.Country(netip.MustParseAddr(address))
		if known != (want != "") || known && code.String() != want {
			t.Errorf("%s is in %q, %v; want %q", address, code, known, want)
		}
	}
	if _, known := d.Country(netip.Addr{}); known {
		t.Error("no address at all is somewhere")
	}
	var none *Database
	if _, known := none.Country(netip.MustParseAddr("192.0.2.1")); known {
		t.Error("without a database something is known")
	}
}

func TestCountryAllocatesNothing(t *testing.T) {
	d, err := open(t, map[string]string{"192.0.2.0/24": "DE", "198.51.100.0/24": "JP"})
	if err != nil {
		t.Fatal(err)
	}
	if testing.Short() {
		t.Skip("the race detector empties pools, which looks like allocations")
	}
	there, elsewhere := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("203.0.113.1")
	if n := testing.AllocsPerRun(1000, func() {
		d.Country(there)
		d.Country(elsewhere)
	}); n != 0 {
		t.Errorf("a look-up allocates %v times", n)
	}
}

func BenchmarkCountry(b *testing.B) {
	d, err := read(geoiptest.File(map[string]string{"192.0.2.0/24": "DE", "198.51.100.0/24": "JP"}))
	if err != nil {
		b.Fatal(err)
	}
	a := netip.MustParseAddr("192.0.2.1")
	b.ReportAllocs()
	for b.Loop() {
		d.Country(a)
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "absent.mmdb")); err == nil || !strings.Contains(err.Error(), "absent.mmdb") {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := open(t, map[string]string{"192.0.2.0/24": ""}); err == nil || !strings.Contains(err.Error(), "country.iso_code") {
		t.Errorf("a file without countries: %v", err)
	}
	whole := geoiptest.File(map[string]string{"192.0.2.0/24": "DE"})
	for _, b := range [][]byte{nil, []byte("nonsense"), whole[:len(whole)/2], whole[len(whole)/2:]} {
		if _, err := read(b); err == nil {
			t.Errorf("%d bytes of nonsense are a database", len(b))
		}
	}
}

// What a file holds is somebody else's: no byte of it may end the process.
func FuzzDatabase(f *testing.F) {
	whole := geoiptest.File(map[string]string{"192.0.2.0/24": "DE", "2001:db8::/32": "NZ"})
	f.Add(whole)
	f.Fuzz(func(_ *testing.T, b []byte) {
		d, err := read(b)
		if err != nil {
			return
		}
		d.Country(netip.MustParseAddr("192.0.2.1"))
		d.Country(netip.MustParseAddr("2001:db8::1"))
	})
}
