package balancer

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/steering"
	"github.com/weirlb/weir/steering/steeringtest"
)

// path is a request for a path and query.
func path(seed uint64, target string) *Request {
	r := request(seed)
	p, q, _ := strings.Cut(target, "?")
	r.Method, r.Path, r.Query = []byte("GET"), []byte(p), []byte(q)
	return r
}

func (w *world) path(target string) string {
	return where(w.snapshot.Direct(path(1, target), &Trail{}))
}

func ruled(l config.LoadBalancer, list ...config.Rule) config.LoadBalancer {
	l.Rules = list
	return l
}

// on is a rule for requests whose path contains a text.
func on(priority int, text string, o config.Overrides) config.Rule {
	return config.Rule{
		Name: "on " + text, Condition: fmt.Sprintf("http.request.uri.path contains %q", text), Priority: priority, Overrides: o,
	}
}

// Behaviour U1: /blog overrides default_pools; the fallback pool stays the load balancer's, when that one is critical.
func TestARuleOverridesThePools(t *testing.T) {
	w := newWorld(t, ruled(lb("F", "A"), on(0, "/blog", config.Overrides{DefaultPools: []string{"B"}})), pools("ABF")...)
	for target, want := range map[string]string{"/blog/x": "B/o1", "/x/blog": "B/o1", "/Blog": "A/o1", "/": "A/o1"} {
		if got := w.path(target); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
	w.believe("B", "D")
	if got := w.path("/blog/x"); got != "F/o1!" {
		t.Errorf("with the pool critical: %s", got)
	}
}

// Behaviour U2, U4: by ascending priority; what several rules change accumulates field by field, and the last word on a
// field counts; a disabled rule is none, one that terminates ends the evaluation, an empty condition is always true.
func TestOverridesAccumulate(t *testing.T) {
	always := func(priority int, o config.Overrides) config.Rule {
		return config.Rule{Priority: priority, Overrides: o}
	}
	b, c := config.Overrides{DefaultPools: []string{"B"}}, config.Overrides{DefaultPools: []string{"C"}}
	f := config.Overrides{FallbackPool: "B"}
	ending := func(r config.Rule) config.Rule { r.Terminates = true; return r }
	off := func(r config.Rule) config.Rule { r.Disabled = true; return r }
	for _, k := range []struct {
		why   string
		rules []config.Rule
		want  string // where /b goes
		last  string // and when the first is down
	}{
		{"the later one wins", []config.Rule{always(10, b), always(20, c)}, "C/o1", "F/o1!"},
		{"by priority, not by position", []config.Rule{always(20, c), always(10, b)}, "C/o1", "F/o1!"},
		{"of one priority, by position", []config.Rule{always(5, c), always(5, b)}, "B/o1", "F/o1!"},
		{"other fields stay", []config.Rule{always(10, c), always(20, f)}, "C/o1", "B/o1!"},
		{"one that terminates", []config.Rule{ending(always(10, b)), always(20, c)}, "B/o1", "F/o1!"},
		{"one that terminates where it does not match", []config.Rule{ending(on(10, "/x", b)), always(20, c)}, "C/o1", "F/o1!"},
		{"one that terminates and changes nothing", []config.Rule{ending(always(10, config.Overrides{})), always(20, c)}, "A/o1", "F/o1!"},
		{"a disabled one", []config.Rule{always(10, b), off(always(20, c))}, "B/o1", "F/o1!"},
		{"a disabled one that terminates", []config.Rule{off(ending(always(10, b))), always(20, c)}, "C/o1", "F/o1!"},
		{"one list for all", []config.Rule{always(10, config.Overrides{Pools: []string{"B", "C"}})}, "B/o1", "C/o1"},
	} {
		w := newWorld(t, ruled(lb("F", "A"), k.rules...), pools("ABCF")...)
		if got := w.path("/b"); got != k.want {
			t.Errorf("%s: %s, want %s", k.why, got, k.want)
		}
		w.believe(k.want[:1], "D")
		if got := w.path("/b"); got != k.last {
			t.Errorf("%s, with %s down: %s, want %s", k.why, k.want, got, k.last)
		}
	}
}

// Behaviour U2: every field of overrides acts, and is left alone by those that do not give it.
func TestEveryOverrideActs(t *testing.T) {
	yes := true
	base := config.LoadBalancer{
		DefaultPools: []string{"A"}, FallbackPool: "F", SteeringPolicy: "geo",
		RegionPools: map[string][]string{"WEU": {"A"}}, CountryPools: map[string][]string{"DE": {"B"}}, PopPools: map[string][]string{"FRA": {"C"}},
		RandomSteering:  config.RandomSteering{DefaultWeight: 100, PoolWeights: map[string]config.Weight{"A": 50}},
		SessionAffinity: "cookie", SessionAffinityTTL: 5000 * time.Second,
		SessionAffinityAttributes: config.SessionAffinityAttributes{
			SameSite: "Lax", Secure: "Always", DrainDuration: 7 * time.Second, ZeroDowntimeFailover: "sticky", Headers: []string{"x"},
		},
	}
	for _, c := range []struct {
		why    string
		o      config.Overrides
		change func(s *settings)
	}{
		{"nothing", config.Overrides{}, func(*settings) {}},
		{"default_pools", config.Overrides{DefaultPools: []string{}}, func(s *settings) { s.pools = []string{} }},
		{"fallback_pool", config.Overrides{FallbackPool: "B"}, func(s *settings) { s.fallback = "B" }},
		{"region_pools", config.Overrides{RegionPools: map[string][]string{}}, func(s *settings) { s.regions = map[string][]string{} }},
		{"country_pools", config.Overrides{CountryPools: map[string][]string{}}, func(s *settings) { s.countries = map[string][]string{} }},
		{"pop_pools", config.Overrides{PopPools: map[string][]string{}}, func(s *settings) { s.pops = map[string][]string{} }},
		{"steering_policy", config.Overrides{SteeringPolicy: "random"}, func(s *settings) { s.policy = "random" }},
		{"random_steering.default_weight", config.Overrides{RandomSteering: &config.RandomSteeringOverride{DefaultWeight: weight(0)}}, func(s *settings) { s.defaultWeight = 0 }},
		{"random_steering.pool_weights", config.Overrides{RandomSteering: &config.RandomSteeringOverride{PoolWeights: map[string]config.Weight{"B": 1}}}, func(s *settings) { s.weights = map[string]config.Weight{"B": 1} }},
		{"adaptive_routing", config.Overrides{AdaptiveRouting: &config.AdaptiveRoutingOverride{FailoverAcrossPools: &yes}}, func(s *settings) { s.across = true }},
		{"adaptive_routing of nothing", config.Overrides{AdaptiveRouting: &config.AdaptiveRoutingOverride{}}, func(*settings) {}},
		{"session_affinity", config.Overrides{SessionAffinity: "header"}, func(s *settings) { s.affinity, s.ttl = "header", 1800*time.Second }},
		{"the same session_affinity", config.Overrides{SessionAffinity: "cookie"}, func(*settings) {}},
		{"session_affinity_ttl", config.Overrides{SessionAffinityTTL: time.Hour}, func(s *settings) { s.ttl = time.Hour }},
		{"both", config.Overrides{SessionAffinity: "header", SessionAffinityTTL: time.Minute}, func(s *settings) { s.affinity, s.ttl = "header", time.Minute }},
		{"attributes", config.Overrides{SessionAffinityAttributes: &config.SessionAffinityOverride{
			SameSite: "Strict", Secure: "Never", ZeroDowntimeFailover: "none", Headers: []string{"y"}, RequireAllHeaders: &yes,
		}}, func(s *settings) {
			s.attributes = config.SessionAffinityAttributes{
				SameSite: "Strict", Secure: "Never", DrainDuration: 7 * time.Second, ZeroDowntimeFailover: "none", Headers: []string{"y"}, RequireAllHeaders: true,
			}
		}},
		{"attributes of nothing", config.Overrides{SessionAffinityAttributes: &config.SessionAffinityOverride{}}, func(*settings) {}},
		{"pools", config.Overrides{Pools: []string{"B"}, PoolWeights: map[string]config.Weight{"B": 3}, PoolDefaultWeight: weight(4)}, func(s *settings) {
			s.pools, s.pops, s.countries, s.regions = []string{"B"}, nil, nil, nil
			s.weights, s.defaultWeight = map[string]config.Weight{"B": 3}, 4
		}},
	} {
		got, want := newSettings(&base), newSettings(&base)
		got.override(&c.o)
		c.change(&want)
		if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
			t.Errorf("%s:\ngot  %#v\nwant %#v", c.why, got, want)
		}
		if got := overridesAnything(&c.o); got != (c.why != "nothing") {
			t.Errorf("%s: overrides something: %v", c.why, got)
		}
	}
	none := newSettings(&config.LoadBalancer{SessionAffinity: "none"})
	if none.override(&config.Overrides{SessionAffinity: "cookie"}); none.ttl != 82800*time.Second {
		t.Errorf("sessions that only a rule begins last %v", none.ttl)
	}
}

// Behaviour G1, U2: where nobody said which policy, maps that a rule brings make it geo.
func TestTheImpliedPolicyFollowsTheMaps(t *testing.T) {
	l := lb("F", "A")
	l.SteeringImplied = true
	w := newWorld(t, ruled(l, on(0, "/geo", config.Overrides{RegionPools: map[string][]string{"WEU": {"B"}}})), pools("ABF")...)
	if a, b := w.path("/"), w.path("/geo"); a != "A/o1" || b != "B/o1" {
		t.Errorf("%s and %s", a, b)
	}
}

// Behaviour U3: a fixed response asks no pool and ends the evaluation, even on a load balancer with nothing left.
func TestFixedResponses(t *testing.T) {
	gone := &config.FixedResponse{StatusCode: 410, MessageBody: "gone", ContentType: "text/plain", Location: "/new"}
	l := ruled(lb("F", "A"),
		config.Rule{Name: "gone", Condition: `http.request.uri.path eq "/old"`, FixedResponse: gone, Terminates: true},
		config.Rule{Name: "later", FixedResponse: &config.FixedResponse{StatusCode: 503}, Condition: `http.request.uri.path wildcard "/o*"`, Priority: 1})
	w := newWorld(t, l, disabled(pool("A", 1)), disabled(pool("F", 1)))
	d := w.snapshot.Direct(path(1, "/old"), &Trail{})
	if d.Kind != FixedReply || d.Response != gone || d.Status != 410 || d.Reason != RuleResponse || d.Pool != nil || d.Session.Action != SessionNone {
		t.Errorf("%+v", d)
	}
	if d := w.snapshot.Direct(path(1, "/other"), &Trail{}); d.Status != 503 {
		t.Errorf("%+v", d)
	}
	if got := w.path("/x"); got != "fallback_disabled" {
		t.Errorf("another path: %s", got)
	}
}

// Behaviour U5: what conditions may know reaches them.
func TestFactsOfConditions(t *testing.T) {
	r := path(1, "/p?q=1")
	r.Now, r.Version, r.Place = at(0), 11, &sjc
	r.Fields = fields{"cookie": {"a=1"}, "referer": {"https://x.example/"}, "x-two": {"1", "2"}}
	for condition, want := range map[string]bool{
		`cf.load_balancer.name eq "www.example.com"`:                                  true,
		`cf.load_balancer.region eq "WNAM"`:                                           true,
		`cf.load_balancer.region eq "WEU"`:                                            false,
		`ip.src in {198.51.100.0/24}`:                                                 true,
		`ip.src eq 198.51.100.2`:                                                      false,
		`http.cookie contains "a=1"`:                                                  true,
		`http.host eq "www.example.com"`:                                              true,
		`http.referer contains "x.example"`:                                           true,
		`any(http.request.headers["x-two"][*] eq "2")`:                                true,
		`any(http.request.headers["x-three"][*] eq "2")`:                              false,
		`http.request.method eq "GET"`:                                                true,
		fmt.Sprintf(`http.request.timestamp.sec eq %d`, epoch.Unix()):                 true,
		`http.request.uri eq "/p?q=1"`:                                                true,
		`http.request.uri.query eq "q=1"`:                                             true,
		`http.request.version eq "HTTP/1.1"`:                                          true,
		`not http.request.uri.path eq "/p" or http.request.uri.path matches "^/[pq]"`: true,
	} {
		w := newWorld(t, ruled(lb("A", "A"), config.Rule{Condition: condition, Overrides: config.Overrides{DefaultPools: []string{"B"}}}), pools("AB")...)
		if got := where(w.snapshot.Direct(r, &Trail{})) == "B/o1"; got != want {
			t.Errorf("%s: %v", condition, got)
		}
	}
	w := newWorld(t, ruled(lb("A", "A"), on(0, "/p", config.Overrides{DefaultPools: []string{"B"}}),
		config.Rule{Priority: 1, Condition: `any(http.request.headers["x"][*] eq "2")`, Overrides: config.Overrides{DefaultPools: []string{"A"}}}), pools("AB")...)
	r.Fields = nil
	if got := where(w.snapshot.Direct(r, &Trail{})); got != "B/o1" {
		t.Errorf("a request without fields: %s", got)
	}
}

// Behaviour U7: the first pool set that matches, in every list that its topology gives (G21), else the standard pools.
func TestPoolSetsMatch(t *testing.T) {
	set := func(name string, m config.Match) config.PoolSet {
		return config.PoolSet{Name: name, Match: m, Overrides: config.PoolSetOverrides{Pools: []string{name}}}
	}
	topology := func(pops, countries, regions string) config.Match {
		return config.Match{Topology: config.Topology{PoPs: strings.Fields(pops), Countries: strings.Fields(countries), Regions: strings.Fields(regions)}}
	}
	for _, c := range []struct {
		why  string
		sets []config.PoolSet
		want string
	}{
		{"none", nil, "A/o1"},
		{"its data centre", []config.PoolSet{set("B", topology("SEA SJC", "", ""))}, "B/o1"},
		{"another data centre", []config.PoolSet{set("B", topology("SEA", "", ""))}, "A/o1"},
		{"its country", []config.PoolSet{set("B", topology("", "US", ""))}, "B/o1"},
		{"its region", []config.PoolSet{set("B", topology("", "", "WNAM"))}, "B/o1"},
		{"all lists hold", []config.PoolSet{set("B", topology("SJC", "US", "WNAM"))}, "B/o1"},
		{"one list does not hold", []config.PoolSet{set("B", topology("SJC", "CA", "WNAM"))}, "A/o1"},
		{"the first of two", []config.PoolSet{set("B", topology("SJC", "", "")), set("C", topology("SJC", "", ""))}, "B/o1"},
		{"default", []config.PoolSet{set("B", topology("SEA", "", "")), set("C", config.Match{Default: true})}, "C/o1"},
		{"no match is every request", []config.PoolSet{set("B", config.Match{}), set("C", config.Match{})}, "B/o1"},
		{"a disabled one", []config.PoolSet{{Disabled: true, Overrides: config.PoolSetOverrides{Pools: []string{"B"}}}}, "A/o1"},
	} {
		l := lb("F", "A")
		l.PoolSets = c.sets
		w := newWorld(t, l, pools("ABCF")...)
		if got := where(w.at(1, sjc)); got != c.want {
			t.Errorf("%s: %s, want %s", c.why, got, c.want)
		}
	}
}

// Behaviour U8: a set's pools, weights, policy and fallback stand for the load balancer's, whose maps have no effect; rules
// come on top; a fixed response ends it before any rule.
func TestPoolSetsReplace(t *testing.T) {
	l := geo()
	l.PoolSets = []config.PoolSet{{Match: config.Match{Topology: config.Topology{PoPs: []string{"SJC"}}}, Overrides: config.PoolSetOverrides{Pools: []string{"B", "C"}}}}
	w := newWorld(t, l, pools("ABCDFZ")...)
	if got := where(w.at(1, sjc)); got != "B/o1" {
		t.Errorf("failover order: %s", got)
	}
	w.believe("B", "D")
	if got := where(w.at(1, sjc)); got != "C/o1" {
		t.Errorf("failover order: %s", got)
	}
	w.believe("C", "D")
	if got := where(w.at(1, sjc)); got != "F/o1!" {
		t.Errorf("the load balancer's fallback: %s", got)
	}
	w.reload(func(c *config.Config) {
		set := c.LoadBalancers[0].PoolSets[0]
		set.Overrides.FallbackPool = "D"
		c.LoadBalancers[0].PoolSets = []config.PoolSet{set}
	})
	if got := where(w.at(1, sjc)); got != "D/o1!" {
		t.Errorf("its own fallback: %s", got)
	}

	l = steer(lb("F", "A"), "off")
	l.RandomSteering = config.RandomSteering{DefaultWeight: 0, PoolWeights: map[string]config.Weight{"B": 0}}
	l.PoolSets = []config.PoolSet{{Overrides: config.PoolSetOverrides{
		Pools: []string{"A", "B", "C"}, SteeringPolicy: "random", PoolWeights: map[string]config.Weight{"A": 30, "B": 50}, PoolDefaultWeight: weight(20),
	}}}
	w = newWorld(t, l, pools("ABCF")...)
	steeringtest.Fits(t, w.poolCounts(40000, "ABCF"), []float64{.3, .5, .2, 0})
	w.reload(func(c *config.Config) {
		set := c.LoadBalancers[0].PoolSets[0]
		set.Overrides.PoolDefaultWeight, set.Overrides.PoolWeights = nil, nil
		c.LoadBalancers[0].PoolSets = []config.PoolSet{set}
	})
	steeringtest.Fits(t, w.poolCounts(30000, "ABCF"), []float64{1. / 3, 1. / 3, 1. / 3, 0})

	w.reload(func(c *config.Config) {
		c.LoadBalancers[0] = ruled(c.LoadBalancers[0], on(0, "/c", config.Overrides{SteeringPolicy: "off", FallbackPool: "B"}))
	})
	w.believe("A", "D")
	w.believe("B", "D")
	if got := w.path("/c"); got != "C/o1" {
		t.Errorf("with a rule on top: %s", got)
	}
	w.believe("C", "D")
	if got := w.path("/c"); got != "B/o1!" {
		t.Errorf("with a rule on top: %s", got)
	}

	w.reload(func(c *config.Config) {
		c.LoadBalancers[0].PoolSets = []config.PoolSet{{FixedResponse: &config.FixedResponse{StatusCode: 204}}}
		c.LoadBalancers[0].Rules = []config.Rule{{FixedResponse: &config.FixedResponse{StatusCode: 500}}}
	})
	if d := w.direct(1); d.Status != 204 || d.Reason != PoolSetResponse || d.Kind != FixedReply {
		t.Errorf("%+v", d)
	}
}

// A session stands in what the rules leave of the load balancer for the request (behaviour N5, U1).
func TestSessionsUnderRules(t *testing.T) {
	l := ruled(affine(lb("F", "A"), "none", 0),
		on(0, "/shop", config.Overrides{SessionAffinity: "cookie", SessionAffinityTTL: 1800 * time.Second}),
		on(1, "/blog", config.Overrides{DefaultPools: []string{"B"}}))
	w := newWorld(t, l, pools("ABF")...)
	b := w.browser(1)
	ask := func(target string) string {
		b.r.Path = []byte(target)
		return b.ask(1)
	}
	for _, c := range []struct{ target, want string }{
		{"/", "A/o1 steered"},
		{"/shop", "A/o1 steered set"},
		{"/shop", "A/o1 session"},
		{"/", "A/o1 steered"},
		{"/blog", "B/o1 steered"},
		{"/shop/blog", "B/o1 steered set"}, // A is none of its pools
		{"/shop/blog", "B/o1 session"},
		{"/shop", "A/o1 steered set"},
	} {
		if got := ask(c.target); got != c.want {
			t.Errorf("%s: %s, want %s", c.target, got, c.want)
		}
	}
}

// Each combination of rules is compiled once, however many there are up to the bound, and served beyond it.
func TestVariantsAreKept(t *testing.T) {
	var list []config.Rule
	for i := range 12 {
		list = append(list, on(i, fmt.Sprintf("/%c", 'a'+i), config.Overrides{FallbackPool: []string{"A", "F"}[i%2]}))
	}
	w := newWorld(t, ruled(lb("F", "A"), list...), pools("AF")...)
	w.believe("A", "D")
	for n := range 1 << 12 {
		var target strings.Builder
		want := "F/o1!"
		for i := range 12 {
			if n>>i&1 == 1 {
				fmt.Fprintf(&target, "/%c", 'a'+i)
				want = []string{"A/o1!", "F/o1!"}[i%2]
			}
		}
		if got := w.path(target.String()); got != want {
			t.Fatalf("%s: %s, want %s", target.String(), got, want)
		}
	}
	plan := w.snapshot.lbs[0].plan
	count := 0
	var walk func(v *variant)
	walk = func(v *variant) {
		count++
		for i := range v.next {
			if next := v.next[i].Load(); next != nil {
				walk(next)
			}
		}
	}
	walk(plan.plain)
	if count < mostVariants/2 || count > mostVariants+1 {
		t.Errorf("%d are kept, of at most %d", count, mostVariants)
	}
	r := path(1, "/a/b/c")
	again := w.snapshot.lbs[0].plan
	first, _, _ := again.apply(r, &Trail{}, &fra)
	second, _, _ := again.apply(r, &Trail{}, &fra)
	if first != second || first.routing(again) != second.routing(again) {
		t.Error("the same rules were compiled twice")
	}
}

// Behaviour R2, D1: pool A of o1, which refuses, and perhaps others; pool B behind.
func TestFailoverAcrossPools(t *testing.T) {
	across := func(l config.LoadBalancer) config.LoadBalancer {
		l.AdaptiveRouting.FailoverAcrossPools = true
		return l
	}
	for _, c := range []struct {
		why    string
		l      config.LoadBalancer
		change func(w *world)
		want   string // of the second attempt
	}{
		{"not asked for", lb("F", "A", "B"), nil, "no_other_origin"},
		{"the next pool", across(lb("F", "A", "B")), nil, "B/o1 retry_across_pools"},
		{"the next pool that serves", across(lb("F", "A", "B", "C")), func(w *world) { w.believe("B", "D") }, "C/o1 retry_across_pools"},
		{"another origin of the pool first", across(lb("F", "A", "B")), func(w *world) {
			w.reload(func(c *config.Config) { c.Pools[0] = pool("A", 2) })
			w.believe("A", "UU")
		}, "A/o2 retry"},
		{"no unhealthy one, though", across(lb("F", "A", "B")), func(w *world) {
			w.reload(func(c *config.Config) { c.Pools[0] = pool("A", 2) })
			w.believe("A", "UD")
		}, "B/o1 retry_across_pools"},
		{"the fallback pool at last", across(lb("F", "A")), nil, "F/o1! retry_across_pools"},
		{"whose health does not count", across(lb("F", "A")), func(w *world) { w.believe("F", "D") }, "F/o1! retry_across_pools"},
		{"nor its shedding", across(lb("F", "A")), func(w *world) {
			w.reload(func(c *config.Config) { c.Pools[3] = shed(c.Pools[3], 100, "random") })
		}, "F/o1! retry_across_pools"},
		{"not when it is disabled", across(lb("F", "A")), func(w *world) {
			w.reload(func(c *config.Config) { c.Pools[3].Enabled = false })
		}, "no_other_origin"},
		{"not when it is the one", across(lb("A", "A")), nil, "no_other_origin"},
		{"not without one", across(lb("", "A")), nil, "no_other_origin"},
		{"a retry skips shedding", across(lb("F", "A", "B")), func(w *world) {
			w.reload(func(c *config.Config) { c.Pools[1] = shed(c.Pools[1], 100, "random") })
		}, "B/o1 retry_across_pools"},
		{"but does not go back to who shed it", across(lb("F", "B", "A")), func(w *world) {
			w.reload(func(c *config.Config) { c.Pools[1] = shed(c.Pools[1], 100, "random") })
		}, "F/o1! retry_across_pools"},
		{"within the list of geo", across(steer(config.LoadBalancer{
			ID: "lb", Name: "www.example.com", Enabled: true, DefaultPools: []string{"C"}, FallbackPool: "F",
			RegionPools: map[string][]string{"WEU": {"A", "B"}},
		}, "geo")), nil, "B/o1 retry_across_pools"},
		{"and then the fallback pool, not the default ones (D2)", across(steer(config.LoadBalancer{
			ID: "lb", Name: "www.example.com", Enabled: true, DefaultPools: []string{"C"}, FallbackPool: "F",
			PopPools: map[string][]string{"FRA": {"A"}}, RegionPools: map[string][]string{"WEU": {"B"}},
		}, "geo")), nil, "F/o1! retry_across_pools"},
		{"by failover order whatever the policy", across(steer(lb("F", "B", "C", "A"), "least_connections")), func(w *world) {
			w.reload(func(c *config.Config) {
				c.LoadBalancers[0].RandomSteering.PoolWeights = map[string]config.Weight{"B": 0, "C": 0}
			})
		}, "B/o1 retry_across_pools"},
	} {
		t.Run(c.why, func(t *testing.T) {
			w := newWorld(t, c.l, pools("ABCF")...)
			if c.change != nil {
				c.change(w)
			}
			r, trail := request(1), Trail{}
			r.Place = &config.Place{PoP: "FRA", Region: "WEU"}
			d := w.snapshot.Direct(r, &trail)
			for d.Origin.Config.Name != "o1" {
				r.Seed++
				trail.Reset()
				d = w.snapshot.Direct(r, &trail)
			}
			if d.Pool.Config.ID != "A" || !trail.Failed(Failure{Class: ConnectRefused}) {
				t.Fatalf("first %s", where(d))
			}
			d = w.snapshot.Direct(r, &trail)
			got := where(d)
			if d.Kind == ToOrigin {
				got += " " + d.Reason.String()
			}
			if got != c.want || d.Kind == Refused && d.Status != 521 || d.Kind == ToOrigin && d.Attempt != 2 {
				t.Errorf("then %s (%d, attempt %d), want %s", got, d.Status, d.Attempt, c.want)
			}
			if d.Kind == ToOrigin && trail.Failed(Failure{Class: ConnectRefused}) {
				t.Error("a third attempt is allowed")
			}
		})
	}
}

// Requests that meet a combination of rules for the first time may do so at once, while the snapshot is replaced.
func TestPlansServeManyAtOnce(t *testing.T) {
	l := headers(affine(lb("F", "A", "B"), "header", 60), false, "x-user")
	for i, letter := range []string{"/a", "/b", "/c", "/d"} {
		l.Rules = append(l.Rules, on(i, letter, config.Overrides{DefaultPools: []string{"A", "B"}[i%2 : i%2+1]}))
	}
	l.Rules = append(l.Rules, config.Rule{Priority: 9, Condition: `http.request.uri.path contains "/e"`, Overrides: config.Overrides{SessionAffinity: "ip_cookie"}})
	w := newWorld(t, l, pool("A", 3), pool("B", 3), pool("F", 3))
	writer := NewWriter(WriterOptions{Registry: w.registry, Health: w.table, Sessions: w.sessions})
	writer.SetConfig(w.config)
	var group sync.WaitGroup
	for n := range uint64(8) {
		group.Go(func() {
			trail := Trail{}
			for k := range uint64(500) {
				var target strings.Builder
				for i := range 5 {
					if k>>i&1 == 1 {
						fmt.Fprintf(&target, "/%c", 'a'+i)
					}
				}
				r := path(n<<32|k, target.String())
				r.Now, r.Fields = at(float64(k)), fields{"x-user": {fmt.Sprint(k % 7)}}
				trail.Reset()
				s := writer.Current()
				d := s.Direct(r, &trail)
				if d.Kind != ToOrigin {
					t.Errorf("%s: %v", target.String(), d.Reason)
					return
				}
				d.Origin.Live.BeginRequest(int(n % 2))
				d.Session.Remember()
				d.Session.AppendSetCookie(nil)
				d.Origin.Live.EndRequest(int(n % 2))
			}
		})
	}
	for range 20 {
		writer.SetConfig(w.config)
	}
	group.Wait()
	writer.Close()
	if err := w.registry.Quiet(); err != nil {
		t.Error(err)
	}
}

// The record tells of pool sets, rules, lists and shedding too (behaviour X1).
func TestStepsOfAPlan(t *testing.T) {
	l := steer(affine(lb("F", "A"), "cookie", 1800), "geo")
	l.RegionPools = map[string][]string{"WEU": {"B", "C"}}
	l.PoolSets = []config.PoolSet{{Name: "west", Match: config.Match{Topology: config.Topology{Regions: []string{"WNAM"}}}, Overrides: config.PoolSetOverrides{Pools: []string{"A"}}}}
	l = ruled(l, config.Rule{Name: "yes", Priority: 1, Overrides: config.Overrides{FallbackPool: "A"}}, on(2, "/no", config.Overrides{}))
	w := newWorld(t, l, pool("A", 1), shed(pool("B", 1), 100, "hash"), pool("C", 1), pool("F", 1))
	trail := Trail{Steps: &Steps{}}
	r := path(1, "/")
	r.Place = &fra
	w.snapshot.Direct(r, &trail)
	const want = `pool_set west not_matched
rule yes yes
rule on /no not_matched
list region_pools WEU
session session_absent
pool B yes
pool C yes
shed B pool_shed
origin C/o1 yes
decision C/o1 steered
`
	if got := told(trail.Steps); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	i := slices.IndexFunc(trail.Steps.List, func(s Step) bool { return s.Stage == StageShed })
	if s := trail.Steps.List[i]; s.Percent != 100 || s.Roll < 0 || s.Roll >= 100 || s.Session {
		t.Errorf("%+v", s)
	}
}

// What is told of probabilities is what happens: weights, loads and an outage.
func TestStepsTellShares(t *testing.T) {
	l := steer(lb("A", "A", "B", "C"), "least_outstanding_requests")
	l.RandomSteering.PoolWeights = map[string]config.Weight{"A": 40, "B": 60}
	w := newWorld(t, l, weigh(pool("A", 3), 25, 25, 50), pool("B", 1), pool("C", 1))
	w.believe("A", "UDU")
	w.believe("C", "D")
	w.load("A", 0, 3)
	trail := Trail{Steps: &Steps{}}
	for seed := uint64(0); ; seed++ {
		trail.Reset()
		if d := w.snapshot.Direct(request(seed), &trail); d.Pool.Config.ID == "A" {
			break
		}
	}
	var got []string
	for _, s := range trail.Steps.List {
		if s.Stage == StagePool || s.Stage == StageOrigin {
			got = append(got, fmt.Sprintf("%d×%d→%.4f", s.Weight, s.Load, s.Share))
		}
	}
	want := "40×3→0.1429 60×0→0.8571 100×0→0.0000 25×3→0.3333 25×0→0.0000 50×0→0.6667"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
}

// What retries, rules and sets cost: nothing, once they have been met.
func TestPlansDoNotAllocate(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector, under which the short tests run, empties the pools of package rules at random")
	}
	l := ruled(steer(lb("F", "A", "B"), "random"),
		on(0, "/a", config.Overrides{FallbackPool: "B"}),
		on(1, "/b", config.Overrides{Pools: []string{"B", "A"}, PoolWeights: map[string]config.Weight{"A": 1}}),
		config.Rule{Priority: 2, Condition: `any(http.request.headers["x-user"][*] eq "1") and http.cookie ne "x"`, Overrides: config.Overrides{SteeringPolicy: "off"}},
		config.Rule{Priority: 3, Condition: `http.request.uri.path contains "/fixed"`, FixedResponse: &config.FixedResponse{StatusCode: 200}})
	l.PoolSets = []config.PoolSet{{Match: config.Match{Topology: config.Topology{PoPs: []string{"SEA"}}}, Overrides: config.PoolSetOverrides{Pools: []string{"B"}}}}
	l.AdaptiveRouting.FailoverAcrossPools = true
	w := newWorld(t, l, pools("ABF")...)
	targets := [][]byte{[]byte("/a"), []byte("/a/b"), []byte("/b"), []byte("/"), []byte("/fixed")}
	r, trail := request(0), Trail{}
	lines := preset{user: []byte("1")}
	decide := func() {
		r.Seed++
		r.Path, r.Place, r.Fields = targets[r.Seed%5], [...]*config.Place{&fra, &sea}[r.Seed%2], &lines
		trail.Reset()
		if d := w.snapshot.Direct(r, &trail); d.Kind == ToOrigin && trail.Failed(Failure{Class: ConnectRefused}) {
			w.snapshot.Direct(r, &trail)
		}
	}
	for range 100 {
		decide()
	}
	if allocs := testing.AllocsPerRun(500, decide); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// Weight 0 among candidates of a policy between pools is what steering.None stands for; in order it is not looked at.
func TestOrderedPoliciesLookAtNoWeights(t *testing.T) {
	for _, policy := range []string{steering.Off, steering.Geo, steering.Proximity, steering.DynamicLatency} {
		l := steer(lb("F", "A", "B"), policy)
		l.RandomSteering = config.RandomSteering{PoolWeights: map[string]config.Weight{"A": 0, "B": 100}}
		w := newWorld(t, l, pools("ABF")...)
		w.expect("A/o1")
	}
}

func BenchmarkDirectRules(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var list []config.Rule
			for i := range n {
				list = append(list, on(i, fmt.Sprintf("/p%d/", i), config.Overrides{DefaultPools: []string{"B"}}))
			}
			w := newWorld(b, ruled(lb("F", "A"), list...), pools("ABF")...)
			r, trail := path(1, fmt.Sprintf("/p%d/x", n-1)), Trail{}
			b.ReportAllocs()
			for b.Loop() {
				r.Seed++
				trail.Reset()
				w.snapshot.Direct(r, &trail)
			}
		})
	}
}
