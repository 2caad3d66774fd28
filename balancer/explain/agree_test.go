package explain

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/config"
)

// rich is a configuration in which every step of a decision has something to say.
func rich(rng *rand.Rand) *config.Config {
	c := &config.Config{Monitors: []config.Monitor{{ID: "m", Type: "tcp"}}}
	c.Weir.Location = config.Place{PoP: "FRA", Region: "WEU", Country: "DE", Latitude: 50, Longitude: 8}
	policies := []string{"random", "hash", "least_outstanding_requests", "least_connections"}
	var ids []string
	for i := range 6 {
		p := config.Pool{
			ID: fmt.Sprintf("id-%d", i), Name: fmt.Sprintf("pool-%d", i), Enabled: rng.IntN(8) > 0, MinimumOrigins: rng.IntN(3),
			OriginSteering: config.OriginSteering{Policy: policies[rng.IntN(len(policies))]},
		}
		if rng.IntN(5) > 0 {
			p.Monitor = "m"
		}
		if rng.IntN(2) > 0 {
			p.CheckRegions, p.HealthSources = []string{"WEU", "ENAM", "OC"}, []string{"regional", "global"}
		}
		if rng.IntN(2) > 0 {
			p.LoadShedding = &config.LoadShedding{
				DefaultPercent: float64(rng.IntN(101)), DefaultPolicy: []string{"random", "hash"}[rng.IntN(2)], SessionPercent: float64(rng.IntN(101)), SessionPolicy: "hash",
			}
		}
		for j := range 1 + rng.IntN(4) {
			p.Origins = append(p.Origins, config.Origin{
				Name: fmt.Sprintf("o%d", j), Address: "192.0.2.1", Port: 1000 + 10*i + j, Enabled: rng.IntN(8) > 0, Weight: config.Weight(rng.IntN(5) * 25),
			})
		}
		c.Pools = append(c.Pools, p)
		ids = append(ids, p.ID)
	}
	steering := []string{"off", "geo", "random", "dynamic_latency", "proximity", "least_outstanding_requests", "least_connections"}
	for i, affinity := range []string{"none", "cookie", "ip_cookie", "header"} {
		lb := config.LoadBalancer{
			ID: fmt.Sprintf("lb-%d", i), Name: affinity + ".example.com", Enabled: true, SteeringPolicy: steering[rng.IntN(len(steering))],
			DefaultPools: ids[:4], FallbackPool: ids[5], RegionPools: map[string][]string{"ENAM": ids[2:5]}, PopPools: map[string][]string{"LAX": ids[1:3]},
			RandomSteering:  config.RandomSteering{DefaultWeight: 50, PoolWeights: map[string]config.Weight{ids[0]: 100}},
			AdaptiveRouting: config.AdaptiveRouting{FailoverAcrossPools: rng.IntN(2) > 0}, SessionAffinity: affinity, SessionAffinityTTL: time.Hour,
			SessionAffinityAttributes: config.SessionAffinityAttributes{
				Headers: []string{"x-session"}, ZeroDowntimeFailover: []string{"none", "temporary", "sticky"}[rng.IntN(3)],
			},
			Rules: []config.Rule{
				{Name: "posts", Condition: `http.request.method eq "POST"`, Priority: 10, Overrides: config.Overrides{Pools: ids[3:5], SteeringPolicy: "random"}},
				{Name: "teapot", Condition: `starts_with(http.request.uri.path, "/tea")`, Priority: 20, FixedResponse: &config.FixedResponse{StatusCode: 418}, Terminates: true},
			},
			PoolSets: []config.PoolSet{{Name: "oc", Match: config.Match{Topology: config.Topology{Regions: []string{"OC"}}}, Overrides: config.PoolSetOverrides{Pools: ids[4:]}}},
		}
		c.LoadBalancers = append(c.LoadBalancers, lb)
	}
	return c
}

// Explaining is asking the one that serves: with the steps recorded and without, 10,000 requests go the same ways, at the
// first attempt and at the second (behaviour X1).
func TestExplainAgreesWithDirect(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(words ...string) string { return words[rng.IntN(len(words))] }
	kinds := map[string]int{}
	for range 100 {
		c := rich(rng)
		var down Supposition
		for i := range c.Pools {
			for j := range c.Pools[i].Origins {
				name := c.Pools[i].Name + "/" + c.Pools[i].Origins[j].Name
				switch {
				case c.Pools[i].Monitor == "" || rng.IntN(3) > 0:
				case c.Pools[i].CheckRegions != nil && rng.IntN(2) > 0:
					down.RegionDown = append(down.RegionDown, pick("WEU=", "OC=")+name)
				default:
					down.Down = append(down.Down, name)
				}
			}
		}
		s, err := Suppose(c, down, []byte("a key of tests"))
		if err != nil {
			t.Fatal(err)
		}
		cookie := "none=1"
		for range 100 {
			place := s.Locate([]byte(pick("", "LAX", "XXX")), []byte(pick("", "ENAM", "OC")), nil)
			r := balancer.Request{
				Client: netip.AddrFrom4([4]byte{203, 0, 113, byte(rng.IntN(256))}), Host: []byte(pick("none", "cookie", "ip_cookie", "header", "x") + ".example.com"),
				Method: []byte(pick("GET", "POST")), Path: []byte(pick("/", "/a", "/tea")), Version: 11,
				Fields: Fields{{"X-Session", pick("1", "2")}, {"Cookie", cookie}}, Place: &place, Now: time.Unix(1000, 0), Seed: rng.Uint64(),
			}
			failure := balancer.Failure{Class: balancer.ConnectRefused}
			report := Of(s, &r, failure)
			var trail balancer.Trail
			for i := range report.Attempts {
				d := s.Direct(&r, &trail)
				if diff := cmp.Diff(decisionOf(&d), report.Attempts[i].Decision); diff != "" {
					t.Fatalf("attempt %d: -decided +explained:\n%s", i+1, diff)
				}
				kinds[d.Reason.String()]++
				if d.Kind == balancer.ToOrigin {
					d.Session.Remember()
					if set := d.Session.AppendSetCookie(nil); len(set) > 0 && rng.IntN(2) > 0 {
						cookie, _, _ = strings.Cut(string(set), ";")
					}
					if again := trail.Failed(failure); i == 0 && again != (len(report.Attempts) == 2) {
						t.Fatalf("another attempt: explained %v, decided %v", len(report.Attempts) == 2, again)
					}
				}
			}
		}
	}
	for _, reason := range []string{"steered", "session", "retry", "retry_across_pools", "last_resort", "rule_response", "unknown_host", "no_other_origin"} {
		if kinds[reason] < 10 {
			t.Errorf("%s came up %d times in %v: the test shows too little", reason, kinds[reason], kinds)
		}
	}
}
