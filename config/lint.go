package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// LintRule finds what is legal and probably not what was meant.
type LintRule struct {
	ID   string // appears in brackets at the end of the message
	Says string // what it finds, for the documentation
	find func(*loader, finding)
}

// finding reports what a rule found at n.
type finding func(n *node, what, want string)

// lintRules are run on configurations without errors. Each has a bad and a good example in testdata/lint.
var lintRules = []LintRule{
	{"minimum-origins-unreachable", "a monitored pool asks for more healthy origins than it has enabled ones", (*loader).lintMinimumOrigins},
	{"no-enabled-origin", "an enabled pool has no enabled origin", (*loader).lintNoOrigin},
	{"all-weights-zero", "every enabled origin of a pool has weight 0", (*loader).lintWeights},
	{"hash-one-origin", "a pool steers by hash and has one enabled origin", (*loader).lintHash},
	{"unspecified-address", "an origin's address is 0.0.0.0 or ::", (*loader).lintUnspecified},
	{"same-endpoint-twice", "two pools have an origin with the same address and port", (*loader).lintEndpoints},
	{"all-pools-shed", "every pool of a load balancer sheds, so that some traffic reaches the fallback pool", (*loader).lintShed},
	{"single-origin", "a load balancer has one enabled origin in all its pools", (*loader).lintSingleOrigin},
	{"fallback-disabled", "a load balancer's fallback pool is disabled", (*loader).lintFallback},
	{"unmonitored-before-others", "under off, a pool without a monitor stands before other pools", (*loader).lintUnmonitored},
	{"pool-listed-twice", "default_pools names a pool twice", (*loader).lintListedTwice},
	{"pool-unused", "no load balancer names a pool", (*loader).lintUnused},
	{"https-without-host", "probes over https carry no SNI, because neither monitor nor origin sets Host", (*loader).lintSNI},
	{"head-with-body", "a monitor expects a body of an answer to HEAD", (*loader).lintHead},
	{"redirects-followed-and-expected", "a monitor follows redirects and accepts nothing but redirects", (*loader).lintRedirects},
	{"probe-rate", "an origin is probed more than once per second", (*loader).lintProbeRate},
	{"pool-weights-zero", "every pool of a weighing steering policy has weight 0", (*loader).lintPoolWeights},
	{"proximity-without-coordinates", "a pool that is steered by proximity has no coordinates", (*loader).lintProximity},
	{"latency-without-monitor", "a pool that is steered by dynamic_latency has no monitor", (*loader).lintLatency},
	{"empty-place-list", "a region, country or data centre is mapped to an empty list of pools", (*loader).lintEmptyLists},
	{"drain-shorter-than-session", "drain_duration is shorter than session_affinity_ttl", (*loader).lintDrain},
	{"session-header-impossible", "sessions by header are told apart by a field that no request carries, or that differs between requests", (*loader).lintSessionHeaders},
	{"geo-with-rules", "a load balancer that steers by geo has custom rules", (*loader).lintGeoRules},
	{"rule-unreachable", "a rule comes after one that is always true and ends the evaluation", (*loader).lintRuleUnreachable},
	{"rule-without-effect", "a rule overrides nothing, answers nothing and does not end the evaluation", (*loader).lintRuleIdle},
	{"pool-set-unreachable", "a pool set comes after one that matches every request", (*loader).lintPoolSetUnreachable},
}

// LintRules returns all rules.
func LintRules() []LintRule { return slices.Clone(lintRules) }

func (l *loader) lint() {
	for _, r := range lintRules {
		r.find(l, func(n *node, what, want string) {
			l.add(Problem{Severity: Warning, Pos: n.pos(), Pointer: n.pointer(), What: what, Want: want, Rule: r.ID})
		})
	}
}

// eachPool calls f for every enabled pool with its node and the indexes of its enabled origins.
func (l *loader) eachPool(f func(p *Pool, n *node, enabled []int)) {
	for i := range l.cfg.Pools {
		if p := &l.cfg.Pools[i]; p.Enabled {
			f(p, l.pools[i], enabledOrigins(p))
		}
	}
}

func enabledOrigins(p *Pool) []int {
	var list []int
	for i := range p.Origins {
		if p.Origins[i].Enabled {
			list = append(list, i)
		}
	}
	return list
}

// eachBalancer calls f for every enabled load balancer with its node and its enabled default pools. The implicit one
// stands where the first pool does.
func (l *loader) eachBalancer(f func(b *LoadBalancer, n *node, pools []*Pool)) {
	for i := range l.cfg.LoadBalancers {
		b := &l.cfg.LoadBalancers[i]
		if !b.Enabled {
			continue
		}
		var n *node
		if b.Implicit {
			n = l.pools[0]
		} else {
			n = l.balancers[i]
		}
		var pools []*Pool
		for _, id := range b.DefaultPools {
			if p := l.cfg.PoolByID(id); p.Enabled {
				pools = append(pools, p)
			}
		}
		f(b, n, pools)
	}
}

// balancerName names b in a sentence.
func balancerName(b *LoadBalancer) string {
	if b.Implicit {
		return "the implicit load balancer"
	}
	return b.Name
}

func (l *loader) lintMinimumOrigins(found finding) {
	l.eachPool(func(p *Pool, n *node, enabled []int) {
		if _, monitored := l.cfg.MonitorOf(p); monitored && p.MinimumOrigins > len(enabled) && len(enabled) > 0 {
			found(in(n, "minimum_origins"), fmt.Sprintf("minimum_origins is %d and %s enabled, so pool %s can never be healthy", p.MinimumOrigins, isAre(len(enabled), "origin"), p.Name),
				"at most the number of enabled origins")
		}
	})
}

func isAre(n int, word string) string {
	if n == 1 {
		return "1 " + word + " is"
	}
	return fmt.Sprintf("%d %ss are", n, word)
}

func (l *loader) lintNoOrigin(found finding) {
	l.eachPool(func(p *Pool, n *node, enabled []int) {
		if len(enabled) == 0 {
			found(n.get("origins"), "pool "+p.Name+" is enabled and has no enabled origin", "an enabled origin, or a disabled pool")
		}
	})
}

func (l *loader) lintWeights(found finding) {
	l.eachPool(func(p *Pool, n *node, enabled []int) {
		weighty := slices.ContainsFunc(enabled, func(i int) bool { return p.Origins[i].Weight > 0 })
		if len(enabled) > 0 && !weighty {
			found(n.get("origins"), "every enabled origin of pool "+p.Name+" has weight 0, so it takes traffic only as fallback pool", "a weight above 0; an absent one is 1")
		}
	})
}

func (l *loader) lintHash(found finding) {
	l.eachPool(func(p *Pool, n *node, enabled []int) {
		if p.OriginSteering.Policy == "hash" && len(enabled) == 1 {
			found(n.get("origin_steering"), "pool "+p.Name+" steers by hash and has one enabled origin, which takes everything", "several origins, or another policy")
		}
	})
}

func (l *loader) lintUnspecified(found finding) {
	l.eachPool(func(p *Pool, n *node, enabled []int) {
		for _, i := range enabled {
			if a := canonicalAddress(p.Origins[i].Address); a == "0.0.0.0" || a == "::" {
				found(in(n.get("origins").children[i], "address"), a+" is no address to connect to; most systems take this machine", "127.0.0.1 or ::1 if that is meant")
			}
		}
	})
}

func (l *loader) lintEndpoints(found finding) {
	first := map[string]*node{}
	l.eachPool(func(p *Pool, n *node, enabled []int) {
		for _, i := range enabled {
			o := &p.Origins[i]
			key := canonicalAddress(o.Address) + " " + strconv.Itoa(o.Port)
			address := in(n.get("origins").children[i], "address")
			before, twice := first[key]
			if !twice {
				first[key] = address
				continue
			}
			found(address, fmt.Sprintf("%s is an origin at %s too, so that failing over may lead to the same place", quote(o.Address), before.pos()), "independent origins")
		}
	})
}

func (l *loader) lintShed(found finding) {
	l.eachBalancer(func(b *LoadBalancer, n *node, pools []*Pool) {
		left := 100.0
		for _, p := range pools {
			if p.LoadShedding == nil {
				return
			}
			left *= p.LoadShedding.DefaultPercent / 100
		}
		if left > 0 && len(pools) > 0 {
			found(in(n, "default_pools"), fmt.Sprintf("every default pool of %s sheds, so about %s %% of new traffic reaches the fallback pool", balancerName(b), strconv.FormatFloat(left, 'g', 3, 64)),
				"one pool that sheds nothing")
		}
	})
}

func (l *loader) lintSingleOrigin(found finding) {
	l.eachBalancer(func(b *LoadBalancer, n *node, _ []*Pool) {
		counted, total := map[string]bool{}, 0
		for _, id := range poolsOf(b) {
			if p := l.cfg.PoolByID(id); p != nil && p.Enabled && !counted[id] {
				counted[id] = true
				total += len(enabledOrigins(p))
			}
		}
		if total == 1 {
			found(n, balancerName(b)+" has one enabled origin and nowhere to fail over to", "a second origin or pool")
		}
	})
}

func (l *loader) lintFallback(found finding) {
	l.eachBalancer(func(b *LoadBalancer, n *node, _ []*Pool) {
		if f := l.cfg.PoolByID(b.FallbackPool); f == nil {
			found(n, "no pool is enabled, so "+balancerName(b)+" has no fallback pool", "an enabled pool")
		} else if !f.Enabled {
			found(in(n, "fallback_pool"), "the fallback pool "+f.Name+" of "+balancerName(b)+" is disabled, so nothing is the last resort", "an enabled pool")
		}
	})
}

// Under off, a pool without a monitor always qualifies (behaviour P7).
func (l *loader) lintUnmonitored(found finding) {
	l.eachBalancer(func(b *LoadBalancer, n *node, pools []*Pool) {
		if b.SteeringPolicy != "off" {
			return
		}
		for i, p := range pools {
			if _, monitored := l.cfg.MonitorOf(p); monitored || p.LoadShedding != nil || i == len(pools)-1 {
				continue
			}
			found(in(n, "default_pools"), "pool "+p.Name+" has no monitor, so "+balancerName(b)+" never fails over from it to "+pools[i+1].Name, "a monitor for the pool, or the pool in last place")
			return
		}
	})
}

func (l *loader) lintListedTwice(found finding) {
	for i, n := range l.balancers {
		ids := l.cfg.LoadBalancers[i].DefaultPools
		for j, id := range ids {
			if slices.Contains(ids[:j], id) {
				found(n.get("default_pools").children[j], quote(id)+" is listed twice", "every pool once")
			}
		}
	}
}

func (l *loader) lintUnused(found finding) {
	used := map[string]bool{}
	for i := range l.cfg.LoadBalancers {
		for _, id := range poolsOf(&l.cfg.LoadBalancers[i]) {
			used[id] = true
		}
	}
	for i := range l.cfg.Pools {
		if p := &l.cfg.Pools[i]; !used[p.ID] {
			found(in(l.pools[i], "id"), "no load balancer names pool "+p.Name, "a load balancer that does, or no pool")
		}
	}
}

// poolsOf lists the pools that b names anywhere, with repetitions.
func poolsOf(b *LoadBalancer) []string {
	list := append([]string{b.FallbackPool}, b.DefaultPools...)
	byPlace := []map[string][]string{b.RegionPools, b.CountryPools, b.PopPools}
	for i := range b.Rules {
		o := &b.Rules[i].Overrides
		list = append(append(append(list, o.FallbackPool), o.DefaultPools...), o.Pools...)
		byPlace = append(byPlace, o.RegionPools, o.CountryPools, o.PopPools)
	}
	for i := range b.PoolSets {
		o := &b.PoolSets[i].Overrides
		list = append(append(list, o.FallbackPool), o.Pools...)
	}
	for _, lists := range byPlace {
		for _, pools := range lists {
			list = append(list, pools...)
		}
	}
	return list
}

func (l *loader) lintSNI(found finding) {
	reported := map[*Monitor]bool{}
	l.eachPool(func(p *Pool, n *node, enabled []int) {
		for _, m := range l.cfg.monitorsOf(p) {
			i := slices.IndexFunc(enabled, func(i int) bool { return p.Origins[i].Host == "" })
			if m.Type != "https" || hasHost(m) || reported[m] || i < 0 {
				continue
			}
			reported[m] = true
			found(firstOf(n, "monitor_group", "monitor"), fmt.Sprintf("monitor %s probes over https and neither it nor origin %s sets Host, so the probe carries no SNI", quote(m.ID), p.Origins[enabled[i]].Name),
				"the header Host in the monitor or the origin")
		}
	})
}

func hasHost(m *Monitor) bool {
	return slices.ContainsFunc(m.Header, func(f HeaderField) bool {
		return strings.EqualFold(f.Name, "Host") && len(f.Values) > 0 && f.Values[0] != ""
	})
}

// eachHTTP calls f for every monitor of type http or https.
func (l *loader) eachHTTP(f func(m *Monitor, n *node)) {
	for i := range l.cfg.Monitors {
		if m := &l.cfg.Monitors[i]; m.Type == "http" || m.Type == "https" {
			f(m, l.monitors[i])
		}
	}
}

func (l *loader) lintHead(found finding) {
	l.eachHTTP(func(m *Monitor, n *node) {
		if m.Method == "HEAD" && m.ExpectedBody != "" {
			found(n.get("expected_body"), "expected_body is set and the method is HEAD, whose answers have no body: the probe always fails", "GET, or no expected_body")
		}
	})
}

func (l *loader) lintRedirects(found finding) {
	l.eachHTTP(func(m *Monitor, n *node) {
		other := slices.ContainsFunc(strings.Split(m.ExpectedCodes, ","), func(c string) bool { return c[0] != '3' })
		if m.FollowRedirects && !other {
			found(n.get("expected_codes"), "follow_redirects is set and expected_codes accepts redirects only: the answer after the redirect fails", "the code of the last answer, or follow_redirects false")
		}
	})
}

func (l *loader) lintProbeRate(found finding) {
	l.eachPool(func(p *Pool, n *node, enabled []int) {
		places, rate := l.probingPlaces(p), 0.0
		monitors := l.cfg.monitorsOf(p)
		for _, m := range monitors {
			rate += float64(places) / max(m.Interval, time.Second).Seconds()
		}
		if rate <= 1 || len(enabled) == 0 {
			return
		}
		how := "every " + brief(monitors[0].Interval)
		if len(monitors) > 1 {
			how = fmt.Sprintf("with %d monitors", len(monitors))
		}
		found(in(n, "check_regions"), fmt.Sprintf("%s %s: %.3g probes per second at every origin of pool %s", probing(places), how, rate, p.Name),
			"fewer regions or a longer interval")
	})
}

// probingPlaces is from how many places p is probed.
func (l *loader) probingPlaces(p *Pool) int {
	switch {
	case slices.Contains(p.CheckRegions, AllRegions):
		return len(regions)
	case len(p.CheckRegions) > 0:
		return len(p.CheckRegions)
	}
	return len(l.cfg.Weir.DataCenters)
}

func probing(places int) string {
	if places == 1 {
		return "1 place probes"
	}
	return fmt.Sprintf("%d places probe", places)
}
