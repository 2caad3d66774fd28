package proxy

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/balancer/geoip/geoiptest"
	"github.com/weirlb/weir/bench/origin"
	"github.com/weirlb/weir/config"
)

// geo steers by place: data centre SJC to pool D, country CA to C, region WNAM to A, all else to Z.
func geo(t *testing.T) (origins []*origin.Origin, f change) {
	all := named(t, "Z", "A", "C", "D")
	return all[:1], func(c *config.Config, _ *Options) {
		for _, o := range all[1:] {
			p := poolOf(o)
			p.ID, p.Name = o.Name(), o.Name()
			c.Pools = append(c.Pools, p)
		}
		l := &c.LoadBalancers[0]
		l.SteeringPolicy = "geo"
		l.PopPools = map[string][]string{"SJC": {"D"}, "QQQ": {"D"}}
		l.CountryPools = map[string][]string{"CA": {"C"}, "T1": {"C"}}
		l.RegionPools = map[string][]string{"WNAM": {"A"}}
		c.Weir.Location.Country = "DE"
	}
}

func untrusting(c *config.Config, _ *Options) { c.Weir.TrustedProxies = []string{"192.0.2.0/24"} }

// Behaviour G7: where a request is handled, by what trusted peers say of it; from others it says nothing. The fields
// never reach an origin, the country that counts does (Q6, Q9).
func TestStagedPlaces(t *testing.T) {
	for _, c := range []struct {
		fields  string
		body    string
		place   string
		country string // in CF-IPCountry
	}{
		{"", "Z", "TST WEU DE", "DE"},
		{"Weir-Pop: SJC\r\n", "D", "SJC WNAM US", "US"},
		{"Weir-Pop: sea\r\nCF-IPCountry: CA\r\n", "C", "SEA WNAM CA", "CA"},
		{"Weir-Pop: SEA\r\n", "A", "SEA WNAM US", "US"},
		{"Weir-Pop: QQQ\r\n", "D", "QQQ WEU DE", "DE"}, // nobody knows it: it matches pop_pools alone
		{"Weir-Region: wnam\r\n", "A", "TST WNAM DE", "DE"},
		{"Weir-Country: ca\r\n", "C", "TST WEU CA", "CA"},
		{"Weir-Country: CA\r\nCF-IPCountry: FR\r\n", "C", "TST WEU CA", "CA"},
		{"Weir-Country: Canada\r\nCF-IPCountry: CA\r\n", "C", "TST WEU CA", "CA"},
		{"CF-IPCountry: CA\r\n", "C", "TST WEU CA", "CA"},
		{"CF-IPCountry: T1\r\n", "C", "TST WEU T1", "T1"},
		{"CF-IPCountry: XX\r\n", "Z", "TST WEU DE", "XX"}, // unknown: the data centre's stands in, and is not told
		{"CF-IPCountry: nonsense\r\nWeir-Pop: a/b\r\nWeir-Region: Mars\r\n", "Z", "TST WEU DE", "DE"},
	} {
		t.Run(fmt.Sprintf("%q", c.fields), func(t *testing.T) {
			origins, f := geo(t)
			w := newWorld(t, origins, f)
			v := w.visit()
			ask := func(target string) (*http.Response, string) {
				v.send("GET " + target + " HTTP/1.1\r\nHost: a\r\n" + c.fields + "\r\n")
				return v.answer("GET")
			}
			res, body := ask("/")
			o := w.outcome(0)
			if got := strings.Join([]string{o.Place.PoP, o.Place.Region, o.Place.Country}, " "); strings.TrimSpace(body) != c.body || got != c.place {
				t.Errorf("went to %q as from %q, want %q, %q", body, got, c.body, c.place)
			}
			if ray := res.Header.Get("CF-Ray"); !strings.HasSuffix(ray, "-"+o.Place.PoP) {
				t.Errorf("ray %q", ray)
			}
			_, head := ask("/head")
			if strings.Contains(head, "Weir-") || strings.Count(head, "CF-IPCountry: ") != 1 || !strings.Contains(head, "CF-IPCountry: "+c.country+"\r\n") {
				t.Errorf("the origin saw %q", head)
			}
		})
		t.Run(fmt.Sprintf("untrusted %q", c.fields), func(t *testing.T) {
			origins, f := geo(t)
			w := newWorld(t, origins, f, untrusting)
			v := w.visit()
			v.send("GET /head HTTP/1.1\r\nHost: a\r\n" + c.fields + "\r\n")
			_, head := v.answer("GET")
			if o := w.outcome(0); o.Decision.Pool.Config.ID != "pool-1" || o.Place.PoP != "TST" || o.Place.Country != "DE" {
				t.Errorf("went to %s as from %v", o.Decision.Pool.Config.ID, o.Place)
			}
			if strings.Contains(head, "Weir-") || !strings.Contains(head, "CF-IPCountry: DE\r\n") {
				t.Errorf("the origin saw %q", head)
			}
		})
	}
}

// A seed that a trusted peer gives decides every draw; the ray stays each request's own.
func TestStagedSeed(t *testing.T) {
	went := func(t *testing.T, w *world, seed string, times int) map[string]int {
		t.Helper()
		counts, rays := map[string]int{}, map[string]bool{}
		v := w.visit()
		for range times {
			v.send("GET / HTTP/1.1\r\nHost: a\r\nWeir-Seed: " + seed + "\r\n\r\n")
			res, body := v.answer("GET")
			counts[body]++
			rays[res.Header.Get("CF-Ray")] = true
		}
		if len(rays) != times {
			t.Errorf("%d requests have %d rays", times, len(rays))
		}
		return counts
	}
	w := newWorld(t, named(t, "1", "2", "3", "4", "5", "6"))
	for _, seed := range []string{"7", "0x7", "18446744073709551615", "0xfedcba9876543210"} {
		if got := went(t, w, seed, 10); len(got) != 1 {
			t.Errorf("seed %s: %v", seed, got)
		}
	}
	if o := w.outcome(35); o.Seed != 0xfedcba9876543210 {
		t.Errorf("the outcome has seed %#x", o.Seed)
	}
	for _, seed := range []string{"", "x", "-1", "18446744073709551616", strings.Repeat("1", 100)} {
		if got := went(t, w, seed, 60); len(got) < 3 {
			t.Errorf("%q is no seed: %v", seed, got)
		}
	}
	if got := went(t, newWorld(t, named(t, "1", "2", "3", "4", "5", "6"), untrusting), "7", 60); len(got) < 3 {
		t.Errorf("a seed from an untrusted peer acts: %v", got)
	}
}

func database(t *testing.T, networks map[string]string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "countries.mmdb")
	if err := os.WriteFile(file, geoiptest.File(networks), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Behaviour G7: with a GeoIP database the resolved client's country is looked up, unless a trusted peer names one.
func TestCountryByDatabase(t *testing.T) {
	origins, f := geo(t)
	w := newWorld(t, origins, f, func(c *config.Config, _ *Options) {
		c.Weir.GeoIP.Database = database(t, map[string]string{"203.0.113.0/24": "CA", "2001:db8::/32": "CA"})
	})
	v := w.visit()
	for _, c := range []struct{ fields, pool, told string }{
		{"CF-Connecting-IP: 203.0.113.9\r\n", "C", "CA"},
		{"CF-Connecting-IP: 2001:db8::1\r\n", "C", "CA"},
		{"CF-Connecting-IP: 203.0.113.9\r\nCF-IPCountry: XX\r\n", "C", "CA"},
		{"CF-Connecting-IP: 203.0.113.9\r\nCF-IPCountry: 9X\r\n", "C", "CA"},
		{"CF-Connecting-IP: 203.0.113.9\r\nCF-IPCountry: FR\r\n", "pool-1", "FR"},
		{"CF-Connecting-IP: 203.0.113.9\r\nWeir-Pop: SEA\r\n", "C", "CA"},
		{"CF-Connecting-IP: 198.51.100.1\r\n", "pool-1", "DE"},
		{"CF-Connecting-IP: 198.51.100.1\r\nCF-IPCountry: XX\r\n", "pool-1", "XX"},
		{"", "pool-1", "DE"},
	} {
		n := w.seen()
		v.send("GET /head HTTP/1.1\r\nHost: a\r\n" + c.fields + "\r\n")
		_, head := v.answer("GET")
		if o := w.outcome(n); o.Decision.Pool.Config.ID != c.pool || !strings.Contains(head, "CF-IPCountry: "+c.told+"\r\n") {
			t.Errorf("%q: went to %s, the origin saw %q", c.fields, o.Decision.Pool.Config.ID, head)
		}
	}
	bad := w.conf.Weir
	bad.GeoIP.Database = filepath.Join(t.TempDir(), "absent.mmdb")
	if err := w.srv.Apply(&bad); err == nil || !strings.Contains(err.Error(), "absent.mmdb") {
		t.Errorf("a database that is not there: %v", err)
	}
	newer := w.conf.Weir
	newer.GeoIP.Database = database(t, map[string]string{"198.51.100.0/24": "CA"})
	if err := w.srv.Apply(&newer); err != nil {
		t.Fatal(err)
	}
	v.send("GET /head HTTP/1.1\r\nHost: a\r\nCF-Connecting-IP: 198.51.100.1\r\n\r\n")
	if _, head := v.answer("GET"); !strings.Contains(head, "CF-IPCountry: CA\r\n") {
		t.Errorf("with a newer database the origin saw %q", head)
	}
}

// Rules go by what a request really carries (behaviour U5); what they change is where it goes.
func TestRulesOverRequests(t *testing.T) {
	w := newWorld(t, named(t, "plain"), secondPool(named(t, "special")...), func(c *config.Config, _ *Options) {
		l := &c.LoadBalancers[0]
		l.SteeringPolicy, l.FallbackPool = "off", "pool-1"
		l.DefaultPools = []string{"pool-1"}
		for i, condition := range []string{
			`http.request.uri.path contains "/blog"`,
			`any(http.request.headers["x-canary"][*] eq "yes")`,
			`http.request.method eq "DELETE"`,
			`http.cookie contains "beta=1"`,
			`http.request.uri.query contains "v=2"`,
			`http.host eq "special.example.com"`,
			`ip.src eq 203.0.113.9`,
			`cf.load_balancer.region eq "WNAM"`,
		} {
			l.Rules = append(l.Rules, config.Rule{
				Name: fmt.Sprint(i), Condition: condition, Priority: i, Overrides: config.Overrides{DefaultPools: []string{"pool-2"}},
			})
		}
	})
	v := w.visit()
	for _, c := range []struct{ head, want string }{
		{"GET / HTTP/1.1\r\nHost: a\r\n", "plain"},
		{"GET /blog/x HTTP/1.1\r\nHost: a\r\n", "special"},
		{"GET /Blog/x HTTP/1.1\r\nHost: a\r\n", "plain"}, // case matters
		{"GET /blo?g=/blog HTTP/1.1\r\nHost: a\r\n", "plain"},
		{"GET / HTTP/1.1\r\nHost: a\r\nX-Canary: no\r\nx-CANARY: yes\r\n", "special"},
		{"GET / HTTP/1.1\r\nHost: a\r\nX-Canary: no\r\n", "plain"},
		{"DELETE / HTTP/1.1\r\nHost: a\r\n", "special"},
		{"GET / HTTP/1.1\r\nHost: a\r\nCookie: a=b; beta=1\r\n", "special"},
		{"GET /?v=2 HTTP/1.1\r\nHost: a\r\n", "special"},
		{"GET / HTTP/1.1\r\nHost: special.example.com\r\n", "special"},
		{"GET http://special.example.com/ HTTP/1.1\r\nHost: a\r\n", "special"},
		{"GET / HTTP/1.1\r\nHost: a\r\nCF-Connecting-IP: 203.0.113.9\r\n", "special"},
		{"GET / HTTP/1.1\r\nHost: a\r\nWeir-Pop: LAX\r\n", "special"},
	} {
		v.trickle(c.head + "\r\n")
		if _, body := v.answer("GET"); strings.TrimSpace(body) != c.want {
			t.Errorf("%q went to %q, want %q", c.head, body, c.want)
		}
	}
}

// Behaviour U7: a pool set by place, and its fixed response, over real requests.
func TestPoolSetsOverRequests(t *testing.T) {
	w := newWorld(t, named(t, "plain"), secondPool(named(t, "special")...), func(c *config.Config, _ *Options) {
		l := &c.LoadBalancers[0]
		l.DefaultPools = []string{"pool-1"}
		l.PoolSets = []config.PoolSet{
			{
				Name: "closed", Match: config.Match{Topology: config.Topology{Countries: []string{"AQ"}}},
				FixedResponse: &config.FixedResponse{StatusCode: 451, MessageBody: "closed"},
			},
			{
				Name: "west", Match: config.Match{Topology: config.Topology{Regions: []string{"WNAM"}}},
				Overrides: config.PoolSetOverrides{Pools: []string{"pool-2"}},
			},
		}
	})
	v := w.visit()
	for _, c := range []struct{ fields, want string }{
		{"", "plain"}, {"Weir-Pop: LAX\r\n", "special"}, {"Weir-Country: AQ\r\n", "closed"},
	} {
		v.send("GET / HTTP/1.1\r\nHost: a\r\n" + c.fields + "\r\n")
		if _, body := v.answer("GET"); strings.TrimSpace(body) != c.want {
			t.Errorf("%q went to %q, want %q", c.fields, body, c.want)
		}
	}
	if o := w.outcome(2); o.Decision.Reason != balancer.PoolSetResponse || o.Status != 451 || o.Tries != 0 {
		t.Errorf("outcome %v %d after %d tries", o.Decision.Reason, o.Status, o.Tries)
	}
}
