package notify

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

const hookURL = "http://hooks.test/T0K3N"

// What is told of one origin's findings, U up and D down, in order (behaviour W2).
func TestOnlyChangesAreTold(t *testing.T) {
	for findings, want := range map[string]string{
		"U":      "",    // a start is silent when all is well
		"D":      "D",   // and not when it is not
		"DU":     "DU",  // recovery
		"UDU":    "DU",  //
		"DD":     "D",   // enabled again and found as before
		"UUDDUU": "DU",  //
		"?":      "",    // a verdict that was lost is no finding
		"D?D":    "D",   //
		"D?U":    "DU",  //
		"DUD":    "DUD", //
	} {
		var r receiver
		virtual(t, &r, func(t *testing.T, n *Notifier, _ *ledger) {
			n.Apply(hooked([]config.Pool{pool("eu", nil)}, hookURL), Secrets{})
			for _, f := range findings {
				e := origin("eu", "a", f == 'U')
				if f == '?' {
					e.Origins[0].FailureReason = ""
				}
				n.Notify(e)
			}
			synctest.Wait()
		})
		var told strings.Builder
		for _, text := range r.texts() {
			told.WriteByte(map[bool]byte{true: 'U', false: 'D'}[strings.HasSuffix(text, "is healthy again.")])
		}
		if told.String() != want {
			t.Errorf("findings %s: told %q, want %q", findings, told.String(), want)
		}
	}
}

// Two origins, and the same name in another pool, are different subjects.
func TestSubjectsAreApart(t *testing.T) {
	var r receiver
	virtual(t, &r, func(t *testing.T, n *Notifier, _ *ledger) {
		n.Apply(hooked([]config.Pool{pool("eu", nil), pool("us", nil)}, hookURL), Secrets{})
		n.Notify(origin("eu", "a", false))
		n.Notify(origin("eu", "b", false))
		n.Notify(origin("us", "a", false))
		n.Notify(origin("eu", "b", true))
		synctest.Wait()
	})
	same(t, "told", r.texts(), []string{
		"Origin a of pool eu is unhealthy, seen from WEU: TCP Timeout.",
		"Origin b of pool eu is unhealthy, seen from WEU: TCP Timeout.",
		"Origin a of pool us is unhealthy, seen from WEU: TCP Timeout.",
		"Origin b of pool eu is healthy again.",
	})
}

// One event may bring two pieces of news: the origin's comes first.
func TestOriginThenPool(t *testing.T) {
	var r receiver
	virtual(t, &r, func(t *testing.T, n *Notifier, _ *ledger) {
		n.Apply(hooked([]config.Pool{pool("eu", nil)}, hookURL), Secrets{})
		down := state("eu", health.PoolHealthy, health.PoolCritical)
		down.Origins = origin("eu", "a", false).Origins
		n.Notify(down)
		half := state("eu", health.PoolCritical, health.PoolDegraded)
		half.Origins = origin("eu", "b", true).Origins // b was never unhealthy here
		n.Notify(half)
		n.Notify(state("eu", health.PoolDegraded, health.PoolHealthy)) // both words are Healthy: no change
		synctest.Wait()
	})
	same(t, "told", r.texts(), []string{
		"Origin a of pool eu is unhealthy, seen from WEU: TCP Timeout.",
		"Pool eu is unhealthy: none of its origins is healthy.",
		"Pool eu is healthy again, though not all of its origins are.",
	})
}

// A pool whose origins are not all probed yet may look unhealthy (behaviour W2). Seconds are those since the start.
func TestAPoolHasToStayUnhealthyAfterAStart(t *testing.T) {
	byReload := func(e health.Event) health.Event {
		e.Region = ""
		return e
	}
	const unknown, healthy, degraded, critical = health.PoolUnknown, health.PoolHealthy, health.PoolDegraded, health.PoolCritical
	type step struct {
		after time.Duration
		event health.Event
	}
	for _, c := range []struct {
		what  string
		steps []step
		want  []string // "pool text's first words @seconds"
	}{
		{"recovers as the probes come in", []step{{0, state("eu", unknown, critical)}, {time.Second, state("eu", critical, healthy)}}, nil},
		{"stays", []step{{0, state("eu", unknown, critical)}}, []string{"unhealthy @15"}},
		{"recovers late", []step{{0, state("eu", unknown, critical)}, {20 * time.Second, state("eu", critical, degraded)}}, []string{"unhealthy @15", "healthy @20"}},
		{"is asked anew", []step{{0, state("eu", unknown, critical)}, {time.Second, byReload(state("eu", critical, unknown))}}, nil},
		{"breaks after a reload, and recovers", []step{{0, byReload(state("eu", healthy, critical))}, {time.Second, state("eu", critical, healthy)}}, nil},
		{"breaks after a reload", []step{{2 * time.Second, byReload(state("eu", healthy, critical))}}, []string{"unhealthy @17"}},
		{"breaks at work", []step{{0, state("eu", healthy, critical)}}, []string{"unhealthy @0"}},
		{"breaks again while held", []step{
			{0, state("eu", unknown, critical)},
			{time.Second, state("eu", critical, degraded)},
			{time.Second, state("eu", degraded, critical)},
		}, []string{"unhealthy @2"}},
		{"loses its verdicts and recovers", []step{
			{0, state("eu", healthy, critical)},
			{time.Second, byReload(state("eu", critical, unknown))},
			{time.Second, state("eu", unknown, healthy)},
		}, []string{"unhealthy @0", "healthy @2"}},
	} {
		var r receiver
		var start time.Time
		virtual(t, &r, func(t *testing.T, n *Notifier, _ *ledger) {
			start = time.Now()
			n.Apply(hooked([]config.Pool{pool("eu", nil)}, hookURL), Secrets{})
			for _, s := range c.steps {
				time.Sleep(s.after)
				n.Notify(s.event)
			}
			time.Sleep(time.Minute)
		})
		var got []string
		for i, text := range r.texts() {
			word := "healthy"
			if strings.Contains(text, "unhealthy") {
				word = "unhealthy"
			}
			got = append(got, fmt.Sprintf("%s @%.0f", word, r.arrivals()[i].at.Sub(start).Seconds()))
		}
		same(t, "a pool that "+c.what, got, c.want)
	}
}

// What is held is not told of a pool that is gone or disabled by then, nor after Close.
func TestHeldNewsMayBecomeVoid(t *testing.T) {
	disabled := pool("eu", nil)
	disabled.Enabled = false
	for what, c := range map[string]struct {
		then *config.Config
		want []string
	}{
		"gone":     {hooked(nil, hookURL), nil},
		"disabled": {hooked([]config.Pool{disabled}, hookURL), []string{"Pool eu was disabled."}},
		"closed":   {nil, nil},
	} {
		var r receiver
		virtual(t, &r, func(t *testing.T, n *Notifier, _ *ledger) {
			n.Apply(hooked([]config.Pool{pool("eu", nil)}, hookURL), Secrets{})
			n.Notify(state("eu", health.PoolUnknown, health.PoolCritical))
			if c.then != nil {
				n.Apply(c.then, Secrets{})
			} else {
				n.Close(t.Context())
				n.Notify(origin("eu", "a", false))
				n.Notify(state("eu", health.PoolUnknown, health.PoolCritical))
				if waiting := n.hooks[0].abandon(); len(waiting) > 0 || len(n.held) > 0 {
					t.Errorf("after Close %d alerts wait and %d are held", len(waiting), len(n.held))
				}
			}
			time.Sleep(time.Minute)
		})
		same(t, what, r.texts(), c.want)
	}
}

// A monitor that only watches is told of, as an origin's news that changes nothing (behaviour W4, M4).
func TestMonitoringOnly(t *testing.T) {
	watch := func(monitor string, healthy bool) health.Event {
		e := origin("eu", "a", healthy)
		e.Origins[0].Changed, e.MonitoringOnly, e.Monitor = false, true, monitor
		return e
	}
	c := hooked([]config.Pool{pool("eu", nil), pool("us", &config.NotificationFilter{Origin: &config.FilterOptions{Disable: true}})}, hookURL)
	c.Monitors = []config.Monitor{{ID: "m1", Description: "Deep check"}, {ID: "m2"}, {ID: "m3", Description: strings.Repeat("long ", 30)}}
	var r receiver
	virtual(t, &r, func(t *testing.T, n *Notifier, _ *ledger) {
		n.Apply(c, Secrets{})
		n.Notify(watch("m2", true))
		n.Notify(watch("m1", false))
		n.Notify(watch("m2", false))
		n.Notify(watch("m3", false))
		n.Notify(origin("eu", "a", false)) // not hidden by what the watchers said
		n.Notify(watch("m1", true))
		muted := watch("m1", false)
		muted.Pool.ID = "us-id"
		n.Notify(muted)
		synctest.Wait()
	})
	same(t, "told", r.texts(), []string{
		"Origin a of pool eu fails monitor Deep check, seen from WEU: TCP Timeout; it only watches, so traffic stays as it is.",
		"Origin a of pool eu fails monitor m2, seen from WEU: TCP Timeout; it only watches, so traffic stays as it is.",
		"Origin a of pool eu fails monitor m3, seen from WEU: TCP Timeout; it only watches, so traffic stays as it is.",
		"Origin a of pool eu is unhealthy, seen from WEU: TCP Timeout.",
		"Origin a of pool eu passes monitor Deep check again, which only watches.",
	})
}

// An origin that neither changed nor is watched is company, not news; and so is a pool that is not configured.
func TestNoNews(t *testing.T) {
	var r receiver
	virtual(t, &r, func(t *testing.T, n *Notifier, _ *ledger) {
		n.Notify(origin("eu", "a", false)) // before the first configuration
		n.Apply(hooked([]config.Pool{pool("eu", nil)}, hookURL), Secrets{})
		e := origin("eu", "a", false)
		e.Origins[0].Changed = false
		n.Notify(e)
		n.Notify(origin("elsewhere", "a", false))
		synctest.Wait()
	})
	same(t, "told", r.texts(), nil)
}

// What a configuration no longer has is forgotten; what it has is remembered (behaviour W2).
func TestMemoryFollowsTheConfiguration(t *testing.T) {
	var r receiver
	without := pool("eu", nil)
	without.Origins = without.Origins[1:]
	virtual(t, &r, func(t *testing.T, n *Notifier, _ *ledger) {
		c := hooked([]config.Pool{pool("eu", nil)}, hookURL)
		n.Apply(c, Secrets{})
		n.Notify(origin("eu", "a", false))
		n.Notify(origin("eu", "b", false))
		n.Apply(hooked([]config.Pool{without}, hookURL), Secrets{})
		n.Apply(c, Secrets{})
		n.Notify(origin("eu", "a", true)) // a new one of the same name
		n.Notify(origin("eu", "b", true))
		if len(n.ill) != 0 {
			t.Errorf("still remembered: %v", n.ill)
		}
		synctest.Wait()
	})
	same(t, "told last", r.texts()[2:], []string{"Origin b of pool eu is healthy again."})
}

// Every class by every option (behaviour W3).
func TestFilter(t *testing.T) {
	yes, no := true, false
	options := map[string]*config.FilterOptions{
		"none":          nil,
		"empty":         {},
		"healthy false": {Healthy: &no},
		"healthy true":  {Healthy: &yes},
		"disabled":      {Disable: true},
		"disabled, up":  {Disable: true, Healthy: &yes},
	}
	want := map[string]string{"none": "DU", "empty": "DU", "healthy false": "D", "healthy true": "U", "disabled": "", "disabled, up": ""}
	for ofOrigin, oo := range options {
		for ofPool, po := range options {
			var r receiver
			virtual(t, &r, func(t *testing.T, n *Notifier, _ *ledger) {
				n.Apply(hooked([]config.Pool{pool("eu", &config.NotificationFilter{Origin: oo, Pool: po})}, hookURL), Secrets{})
				n.Notify(origin("eu", "a", false))
				n.Notify(state("eu", health.PoolHealthy, health.PoolCritical))
				n.Notify(origin("eu", "a", true))
				n.Notify(state("eu", health.PoolCritical, health.PoolHealthy))
				synctest.Wait()
			})
			var got [2]string // of the origin, of the pool
			for _, text := range r.texts() {
				i, word := 0, "U"
				if strings.HasPrefix(text, "Pool") {
					i = 1
				}
				if strings.Contains(text, "unhealthy") {
					word = "D"
				}
				got[i] += word
			}
			if got != [2]string{want[ofOrigin], want[ofPool]} {
				t.Errorf("origin: %s, pool: %s: told %q, want %q and %q", ofOrigin, ofPool, got, want[ofOrigin], want[ofPool])
			}
		}
	}
}

// A pool that a reload switches is told of, unless its pool class is disabled (behaviour W4).
func TestEnablement(t *testing.T) {
	switched := func(enabled bool, filter *config.NotificationFilter) config.Pool {
		p := pool("eu", filter)
		p.Enabled = enabled
		return p
	}
	yes := true
	quiet := &config.NotificationFilter{Pool: &config.FilterOptions{Disable: true}}
	onlyUp := &config.NotificationFilter{Pool: &config.FilterOptions{Healthy: &yes}, Origin: &config.FilterOptions{Disable: true}}
	var r receiver
	virtual(t, &r, func(t *testing.T, n *Notifier, _ *ledger) {
		for _, p := range []config.Pool{
			switched(false, nil), // the first configuration is no change
			switched(true, nil),
			switched(true, nil),
			switched(false, nil),
			switched(true, quiet),
			switched(false, onlyUp), // it speaks of health
		} {
			n.Apply(hooked([]config.Pool{p}, hookURL), Secrets{})
		}
		n.Apply(hooked(nil, hookURL), Secrets{})
		n.Apply(hooked([]config.Pool{switched(true, nil)}, hookURL), Secrets{}) // new, not switched
		synctest.Wait()
	})
	same(t, "told", r.texts(), []string{"Pool eu was enabled.", "Pool eu was disabled.", "Pool eu was disabled."})
}

// Every way in which a load balancer names a pool (behaviour W5).
func TestTheLoadBalancerOfAPool(t *testing.T) {
	in := func(key string) map[string][]string { return map[string][]string{key: {"p"}} }
	for what, b := range map[string]config.LoadBalancer{
		"default_pools":  {DefaultPools: []string{"x", "p"}},
		"fallback_pool":  {FallbackPool: "p"},
		"region_pools":   {RegionPools: in("WEU")},
		"country_pools":  {CountryPools: in("DE")},
		"pop_pools":      {PopPools: in("FRA")},
		"rule: pools":    {Rules: []config.Rule{{Overrides: config.Overrides{Pools: []string{"p"}}}}},
		"rule: default":  {Rules: []config.Rule{{Overrides: config.Overrides{DefaultPools: []string{"p"}}}}},
		"rule: fallback": {Rules: []config.Rule{{Overrides: config.Overrides{FallbackPool: "p"}}}},
		"rule: region":   {Rules: []config.Rule{{Overrides: config.Overrides{RegionPools: in("WEU")}}}},
		"rule: country":  {Rules: []config.Rule{{Overrides: config.Overrides{CountryPools: in("DE")}}}},
		"rule: pop":      {Rules: []config.Rule{{Overrides: config.Overrides{PopPools: in("FRA")}}}},
		"set: pools":     {PoolSets: []config.PoolSet{{Overrides: config.PoolSetOverrides{Pools: []string{"p"}}}}},
		"set: fallback":  {PoolSets: []config.PoolSet{{Overrides: config.PoolSetOverrides{FallbackPool: "p"}}}},
	} {
		b.ID, b.Enabled = "right", true
		off := config.LoadBalancer{ID: "disabled", DefaultPools: []string{"p", "q"}}
		later := config.LoadBalancer{ID: "later", Enabled: true, DefaultPools: []string{"p"}}
		names := namesOf(&config.Config{LoadBalancers: []config.LoadBalancer{off, b, later}})
		if names["p"] == nil || names["p"].ID != "right" {
			t.Errorf("%s: p belongs to %v", what, names["p"])
		}
		if names["q"] == nil || names["q"].ID != "disabled" {
			t.Errorf("%s: q belongs to %v; a disabled load balancer is better than none", what, names["q"])
		}
	}
}
