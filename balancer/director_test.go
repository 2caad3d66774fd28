package balancer

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
	"github.com/weirlb/weir/steering"
	"github.com/weirlb/weir/steering/steeringtest"
)

// Behaviour P3, P13: default [A,B,C]; A critical, B disabled → C. A recovers → the next new request goes to A.
func TestOffTakesTheFirstThatServes(t *testing.T) {
	w := newWorld(t, lb("C", "A", "B", "C"), pool("A", 1), disabled(pool("B", 1)), pool("C", 1))
	w.expect("A/o1")
	w.believe("A", "D")
	w.expect("C/o1")
	w.believe("A", "U")
	w.expect("A/o1")
}

// Behaviour P2, P10, P11.
func TestHostsWithoutService(t *testing.T) {
	host := func(w *world, host string) string {
		r := request(1)
		r.Host = []byte(host)
		d := w.snapshot.Direct(r, &Trail{})
		if d.Kind == Refused && d.Status != 530 {
			t.Errorf("%s: status %d, want 530", host, d.Status)
		}
		return where(d)
	}
	w := newWorld(t, lb("A", "A"), pool("A", 1))
	if got := host(w, "other.example.com"); got != "unknown_host" {
		t.Errorf("another host: %s", got)
	}
	if got := host(w, "WWW.EXAMPLE.COM:8080"); got != "A/o1" {
		t.Errorf("the host in capitals, with a port: %s", got)
	}
	w.reload(func(c *config.Config) { c.LoadBalancers[0].Enabled = false })
	if got := host(w, "www.example.com"); got != "load_balancer_disabled" {
		t.Errorf("a disabled load balancer: %s", got)
	}
	// It is as if it were absent: a wildcard that covers its host serves.
	w.reload(func(c *config.Config) {
		wild := lb("A", "A")
		wild.ID, wild.Name = "wild", "*.example.com"
		c.LoadBalancers = append(c.LoadBalancers, wild)
	})
	if got := host(w, "www.example.com"); got != "A/o1" {
		t.Errorf("a disabled load balancer beside a wildcard: %s", got)
	}

	implicit := lb("A", "A")
	implicit.Name, implicit.Implicit = "", true
	w = newWorld(t, implicit, pool("A", 1))
	for _, any := range []string{"", "www.example.com", "192.0.2.1:80", strings.Repeat("x", 300)} {
		if got := host(w, any); got != "A/o1" {
			t.Errorf("the implicit load balancer, host %q: %s", any, got)
		}
	}
}

// Behaviour P4, P5, P6: four origins, minimum_origins 2, and what becomes of them.
func TestMinimumOrigins(t *testing.T) {
	for _, c := range []struct {
		minimum  int
		enabled  string // one letter per origin: e, or - for disabled
		statuses string
		state    health.PoolState
		want     Reason
	}{
		{2, "eeee", "UUUU", health.PoolHealthy, Yes},
		{2, "eeee", "UUUD", health.PoolDegraded, Yes},
		{2, "eeee", "UUDD", health.PoolDegraded, Yes},
		{2, "eeee", "UDDD", health.PoolCritical, PoolCritical},
		{2, "eee-", "UUDU", health.PoolDegraded, Yes},
		{2, "ee--", "UDUU", health.PoolCritical, PoolCritical},
		{5, "eeee", "UUUU", health.PoolCritical, PoolCritical},
		{0, "eeee", "UDDD", health.PoolDegraded, Yes},
		{0, "eeee", "DDDD", health.PoolDegraded, PoolDown},
		{1, "----", "UUUU", health.PoolCritical, PoolEmpty},
		{1, "eeee", "????", health.PoolUnknown, PoolUnknown},
		{1, "eeee", "???D", health.PoolCritical, PoolCritical},
		{1, "eeee", "???U", health.PoolDegraded, Yes},
	} {
		t.Run(fmt.Sprintf("%d of %s %s", c.minimum, c.enabled, c.statuses), func(t *testing.T) {
			p := pool("A", 4)
			p.MinimumOrigins = c.minimum
			for i := range p.Origins {
				p.Origins[i].Enabled = c.enabled[i] == 'e'
			}
			w := newWorld(t, lb("F", "A"), p, pool("F", 1))
			w.believe("A", c.statuses)
			if state, why := w.snapshot.Pool("A").ServesAs("FRA"); state != c.state || why != c.want {
				t.Errorf("it is %v, and serves: %v; want %v, %v", state, why, c.state, c.want)
			}
			for seed := range uint64(50) {
				d := w.direct(seed)
				if serves := d.Pool.Config.ID == "A"; serves != (c.want == Yes) {
					t.Fatalf("the request went to %s", where(d))
				}
				if i := slices.IndexFunc(p.Origins, func(o config.Origin) bool { return o.Name == d.Origin.Config.Name }); d.Pool.Config.ID == "A" &&
					(c.enabled[i] != 'e' || c.statuses[i] != 'U') {
					t.Fatalf("the request went to %s", where(d))
				}
			}
		})
	}
}

// Behaviour P7, P12: without a monitor health does not count, only addresses do, and minimum_origins is not enforced.
func TestUnmonitoredPools(t *testing.T) {
	p := unmonitored(pool("A", 2))
	p.MinimumOrigins = 5
	p.Origins[0].Address, p.Origins[1].Address = "one.test", "Two.test"
	w := newWorld(t, lb("F", "A"), p, pool("F", 1))
	w.table.Set(picture(w.snapshot.Pool("A").Config, "DD")) // of a time when it was monitored
	w.refresh("A")
	w.expect("F/o1!")
	if state, why := w.snapshot.Pool("A").ServesAs("FRA"); state != health.PoolUnknown || why != PoolUnresolved {
		t.Errorf("it is %v, and serves: %v", state, why)
	}
	w.names["two.test"] = []netip.Addr{netip.MustParseAddr("192.0.2.9")}
	w.refresh("A")
	w.expect("A/o2")
	if got := w.direct(1).Origin.Addrs; !slices.Equal(got, w.names["two.test"]) {
		t.Errorf("addresses %v", got)
	}
	delete(w.names, "two.test")
	w.refresh("A")
	w.expect("F/o1!")
}

// Behaviour P12: an origin without an address takes nothing and stays healthy.
func TestNamesThatDoNotResolve(t *testing.T) {
	p := pool("A", 2)
	p.Origins[0].Address = "one.test"
	p.MinimumOrigins = 2
	w := newWorld(t, lb("F", "A"), p, pool("F", 1))
	for seed := range uint64(50) {
		if got := where(w.direct(seed)); got != "A/o2" {
			t.Fatalf("got %s", got)
		}
	}
	if state := w.snapshot.Pool("A").State(); state != health.PoolHealthy {
		t.Errorf("the pool is %v", state)
	}
}

// Behaviour H12: what health does not know of is down, in a pool that is monitored.
func TestHealthOlderThanTheConfiguration(t *testing.T) {
	w := newWorld(t, lb("F", "A"), pool("A", 2), pool("F", 1))
	w.reload(func(c *config.Config) {
		p := &c.Pools[0]
		p.Origins = append(p.Origins, p.Origins[1])
		p.Origins[2].Name, p.Origins[2].Port = "new", 4711
		p.Origins[0], p.Origins[1] = p.Origins[1], p.Origins[0] // the picture has them the other way round
	})
	w.table.Set(&health.PoolHealth{Pool: "A", Monitored: true, Origins: []health.OriginHealth{
		{Identity: config.Identity{Pool: "A", Address: "192.0.2.1", Port: 1000}, Global: health.Verdict{Status: health.Down}},
		{Identity: config.Identity{Pool: "A", Address: "192.0.2.2", Port: 1001}, Global: health.Verdict{Status: health.Up}},
	}})
	w.refresh("A")
	for seed := range uint64(50) {
		if got := where(w.direct(seed)); got != "A/o2" {
			t.Fatalf("got %s", got)
		}
	}
	w.table.Delete("A")
	w.refresh("A")
	w.expect("F/o1!")
}

// Behaviour P8, P9, P10: default [A,B], fallback B; both critical → B all the same; B disabled → 530.
func TestFallback(t *testing.T) {
	w := newWorld(t, lb("B", "A", "B"), pool("A", 1), pool("B", 3))
	w.believe("A", "D")
	w.believe("B", "DDD")
	count := func() map[string]int {
		n := map[string]int{}
		for seed := range uint64(300) {
			n[where(w.direct(seed))]++
		}
		return n
	}
	if n := count(); n["B/o1!"] == 0 || n["B/o2!"] == 0 || n["B/o3!"] == 0 || len(n) != 3 {
		t.Errorf("with no healthy origin, all of them: %v", n)
	}
	w.reload(func(c *config.Config) { c.Pools[1].MinimumOrigins = 2 })
	w.believe("B", "DUD")
	if n := count(); n["B/o2!"] != 300 {
		t.Errorf("critical, with one healthy origin: %v", n)
	}
	w.reload(func(c *config.Config) { c.Pools[1].Origins[1].Enabled = false })
	if n := count(); n["B/o1!"] == 0 || n["B/o3!"] == 0 || len(n) != 2 {
		t.Errorf("with the healthy one disabled: %v", n)
	}
	w.reload(func(c *config.Config) {
		for i := range c.Pools[1].Origins {
			c.Pools[1].Origins[i].Enabled = false
		}
	})
	w.expect("nothing_left")
	w.reload(func(c *config.Config) { c.Pools[1].Enabled = false })
	w.expect("fallback_disabled")
	if d := w.direct(1); d.Status != 530 || d.LB == nil {
		t.Errorf("status %d", d.Status)
	}
	w.reload(func(c *config.Config) { c.LoadBalancers[0].FallbackPool = "" })
	w.expect("fallback_missing")
}

// Behaviour S2, S3, P9: origins of weight 0.
func TestWeightZero(t *testing.T) {
	for _, word := range policies {
		t.Run(word, func(t *testing.T) {
			w := newWorld(t, lb("F", "A", "F"), policy(weigh(pool("A", 3), 0, 50, 0), word), policy(weigh(pool("F", 2), 0, 0), word))
			for seed := range uint64(200) {
				if got := where(w.from(seed, seed)); got != "A/o2" {
					t.Fatalf("got %s", got)
				}
			}
			w.believe("A", "UDU")
			if _, why := w.snapshot.Pool("A").ServesAs("FRA"); why != PoolWeightless {
				t.Errorf("with only weight 0 left, A serves: %v", why)
			}
			counts := make([]int, 2)
			for seed := range uint64(2000) {
				d := w.from(seed, seed)
				if !d.Fallback || d.Pool.Config.ID != "F" {
					t.Fatalf("got %s", where(d))
				}
				counts[slices.IndexFunc(d.Pool.Origins, func(o PoolOrigin) bool { return o.Live == d.Origin.Live })]++
			}
			steeringtest.Fits(t, counts, []float64{.5, .5})
		})
	}
}

var policies = []string{steering.Random, steering.Hash, steering.LeastOutstandingRequests, steering.LeastConnections}

// Behaviour S2: a weight of 0 acts from the first decision after the change.
func TestWeightZeroActsAtOnce(t *testing.T) {
	for _, word := range policies {
		w := newWorld(t, lb("F", "A"), policy(pool("A", 4), word), pool("F", 1))
		for i := range 4 {
			w.reload(func(c *config.Config) { c.Pools[0].Origins[i].Weight = 0 })
			for seed := range uint64(100) {
				if d := w.from(seed, seed); d.Pool.Config.ID == "A" && d.Origin.Config.Weight == 0 {
					t.Fatalf("%s: the request went to %s of weight 0", word, where(d))
				}
			}
		}
		w.expect("F/o1!")
	}
}

// Behaviour S1, S7, S8: the worked examples, through Direct.
func TestShares(t *testing.T) {
	for _, c := range []struct {
		policy   string
		weights  []int
		statuses string
		loads    []int
		want     []float64
	}{
		{steering.Random, []int{25, 25, 50}, "UUU", nil, []float64{.25, .25, .5}},
		{steering.Random, []int{25, 25, 50}, "UUD", nil, []float64{.5, .5, 0}},
		{steering.Hash, []int{25, 25, 50}, "UUU", nil, []float64{.25, .25, .5}},
		{steering.Hash, []int{25, 25, 50}, "UUD", nil, []float64{.5, .5, 0}},
		{steering.LeastOutstandingRequests, []int{100, 100, 100}, "UUU", []int{0, 1, 3}, []float64{4. / 7, 2. / 7, 1. / 7}},
		{steering.LeastOutstandingRequests, []int{40, 60}, "UU", []int{3, 0}, []float64{1. / 7, 6. / 7}},
		{steering.LeastConnections, []int{100, 50}, "UU", []int{4, 0}, []float64{2. / 7, 5. / 7}},
		{steering.LeastConnections, []int{50, 50}, "UU", []int{1, 0}, []float64{1. / 3, 2. / 3}},
		// The idle origin is the unhealthy one, and gets nothing: health comes before load.
		{steering.LeastOutstandingRequests, []int{100, 100, 100}, "UUD", []int{9, 4, 0}, []float64{1. / 3, 2. / 3, 0}},
		{steering.LeastConnections, []int{100, 50, 100}, "UUD", []int{4, 0, 0}, []float64{2. / 7, 5. / 7, 0}},
	} {
		t.Run(fmt.Sprint(c.policy, c.weights, c.statuses), func(t *testing.T) {
			w := newWorld(t, lb("A", "A"), policy(weigh(pool("A", len(c.weights)), c.weights...), c.policy))
			w.believe("A", c.statuses)
			for i, n := range c.loads {
				w.load("A", i, n)
			}
			counts := make([]int, len(c.weights))
			for seed := range uint64(40000) {
				d := w.from(seed, seed)
				counts[slices.IndexFunc(d.Pool.Origins, func(o PoolOrigin) bool { return o.Live == d.Origin.Live })]++
			}
			steeringtest.Fits(t, counts, c.want)
		})
	}
}

// Behaviour S5, S6: one client stays with its origin, through health flaps, reorderings and renames, and changes only when
// that origin is down.
func TestHashKeepsClients(t *testing.T) {
	w := newWorld(t, lb("A", "A"), policy(pool("A", 8), steering.Hash))
	home := map[uint64]*Origin{}
	for client := range uint64(500) {
		home[client] = w.from(client, client).Origin.Live
		if again := w.from(client, client+1000).Origin.Live; again != home[client] {
			t.Fatalf("client %d changed without a reason", client)
		}
	}
	w.believe("A", "UUDUUUUU")
	down := w.snapshot.Pool("A").Origins[2].Live
	for client, o := range home {
		now := w.from(client, 1).Origin.Live
		if (now != o) != (o == down) {
			t.Fatalf("client %d moved from %v to %v", client, o.Identity, now.Identity)
		}
	}
	w.reload(func(c *config.Config) {
		slices.Reverse(c.Pools[0].Origins)
		c.Pools[0].Origins[0].Name = "renamed"
	})
	w.believe("A", "UUUUUUUU")
	for client, o := range home {
		if now := w.from(client, 1).Origin.Live; now != o {
			t.Fatalf("client %d moved from %v to %v", client, o.Identity, now.Identity)
		}
	}
}

// Behaviour L1, L5: off, default [A,B], both shed 50 % at random, fallback F → A 50 %, B 25 %, F 25 %.
func TestSheddingAtRandom(t *testing.T) {
	w := newWorld(t, lb("F", "A", "B"), shed(pool("A", 1), 50, "random"), shed(pool("B", 1), 50, "random"), pool("F", 1))
	counts := map[string]int{}
	for seed := range uint64(40000) {
		d := w.direct(seed)
		counts[where(d)]++
		if want := strings.Index("ABF", d.Pool.Config.ID); d.Shed != want {
			t.Fatalf("%s after %d pools shed it, want %d", where(d), d.Shed, want)
		}
	}
	steeringtest.Fits(t, []int{counts["A/o1"], counts["B/o1"], counts["F/o1!"]}, []float64{.5, .25, .25})
}

// Behaviour L2: by hash a client is always or never shed, a higher percentage only adds clients, and shedding does not
// choose the origin.
func TestSheddingByHash(t *testing.T) {
	w := newWorld(t, lb("F", "A", "B"), policy(shed(pool("A", 2), 0, "hash"), "hash"), shed(pool("B", 1), 50, "hash"), pool("F", 1))
	turned := map[uint64]bool{}
	var table [2][2]int // by "shed at 50 %" and the origin otherwise
	origin := map[uint64]string{}
	for client := range uint64(2000) {
		origin[client] = where(w.from(client, 1))
	}
	for _, percent := range []float64{10, 50, 90, 100} {
		w.reload(func(c *config.Config) {
			c.Pools[0].LoadShedding = &config.LoadShedding{DefaultPercent: percent, DefaultPolicy: "hash"}
		})
		n := 0
		for client := range uint64(2000) {
			d := w.from(client, client)
			if again := w.from(client, client+1); again.Pool != d.Pool {
				t.Fatalf("client %d is shed now and then", client)
			}
			shed := d.Pool.Config.ID != "A"
			if turned[client] && !shed {
				t.Fatalf("client %d is shed at less than %v %%, and not at that", client, percent)
			}
			turned[client] = shed
			if shed {
				n++
			}
			if percent == 50 {
				row, column := 0, 0
				if shed {
					row = 1
				}
				if origin[client] == "A/o2" {
					column = 1
				}
				table[row][column]++
			}
		}
		steeringtest.Binomial(t, n, 2000, percent/100, 5)
	}
	steeringtest.Independent(t, [][]int{table[0][:], table[1][:]})
}

// Behaviour L6: the last resort does not shed, also when it was asked, and shed, as a candidate before.
func TestTheFallbackPoolDoesNotShed(t *testing.T) {
	w := newWorld(t, lb("B", "A", "B"), shed(pool("A", 1), 100, "random"), shed(pool("B", 1), 100, "hash"))
	d := w.direct(1)
	if where(d) != "B/o1!" || d.Shed != 2 || d.Reason != LastResort {
		t.Errorf("got %s after %d pools shed it, %v", where(d), d.Shed, d.Reason)
	}
}

// Behaviour L4: a retry inside the pool does not roll the dice again.
func TestARetryIsNotShed(t *testing.T) {
	w := newWorld(t, lb("F", "A"), shed(pool("A", 2), 50, "random"), pool("F", 1))
	for seed := range uint64(200) {
		var trail Trail
		r := request(seed)
		if d := w.snapshot.Direct(r, &trail); d.Pool.Config.ID != "A" {
			continue
		}
		if !trail.Failed(Failure{Class: ConnectRefused}) {
			t.Fatal("no second attempt")
		}
		if d := w.snapshot.Direct(r, &trail); d.Pool.Config.ID != "A" || d.Shed != 0 {
			t.Fatalf("the retry went to %s", where(d))
		}
	}
}

// Behaviour R1, R3, R7: what is tried again.
func TestWhatIsTriedAgain(t *testing.T) {
	retried := map[Class]int{ConnectRefused: 521, ConnectTimeout: 522, Unreachable: 523, TLSHandshake: 525, Certificate: 526}
	w := newWorld(t, lb("A", "A"), pool("A", 2))
	for _, class := range Classes() {
		for _, sent := range []bool{false, true} {
			for _, replayable := range []bool{false, true} {
				var trail Trail
				w.snapshot.Direct(request(1), &trail)
				got := trail.Failed(Failure{Class: class.Class, Sent: sent, Replayable: replayable})
				status, want := retried[class.Class]
				if want && status != class.Class.Status() {
					t.Errorf("%v is %d, want %d", class.Class, class.Class.Status(), status)
				}
				if want = want && (!sent || replayable); got != want {
					t.Errorf("%v, sent %v, replayable %v: tried again %v, want %v", class.Class, sent, replayable, got, want)
				}
			}
		}
	}
}

// Behaviour R2, R5: pool A of o1, o2, o3; pool B healthy. Each row lists the origins that refuse.
func TestOneRetryInTheSamePool(t *testing.T) {
	for _, c := range []struct {
		origins int
		refuse  string
		want    string // in every case
	}{
		{3, "o1", "200"},
		{3, "o1 o2 o3", "521"},
		{2, "o1 o2", "521"},
		{1, "o1", "521"},
	} {
		for _, word := range policies {
			t.Run(fmt.Sprintf("%s refuse of %d, %s", c.refuse, c.origins, word), func(t *testing.T) {
				w := newWorld(t, lb("B", "A", "B"), policy(pool("A", c.origins), word), pool("B", 1))
				for seed := range uint64(100) {
					if got := w.exchange(t, seed, c.refuse); got != c.want {
						t.Fatalf("client got %s, want %s", got, c.want)
					}
				}
			})
		}
	}
	t.Run("one retry only", func(t *testing.T) {
		w := newWorld(t, lb("B", "A", "B"), pool("A", 3), pool("B", 1))
		got := map[string]int{}
		for seed := range uint64(6000) {
			got[w.exchange(t, seed, "o1 o2")]++
		}
		// Both refusing origins are drawn, in either order, once in three.
		steeringtest.Fits(t, []int{got["200"], got["521"]}, []float64{2. / 3, 1. / 3})
	})
}

// exchange sends one request to origins of which some refuse, as a proxy would, and returns the status.
func (w *world) exchange(t *testing.T, seed uint64, refuse string) string {
	t.Helper()
	r, trail := client(seed, seed), Trail{}
	var tried []string
	for {
		d := w.snapshot.Direct(r, &trail)
		if d.Kind == Refused {
			if d.Reason != NoOtherOrigin || d.Attempt != 1 || d.Origin.Config.Name != tried[0] {
				t.Fatalf("refused: %v", d.Reason)
			}
			return fmt.Sprint(d.Status)
		}
		name := d.Origin.Config.Name
		if d.Pool.Config.ID != "A" || slices.Contains(tried, name) {
			t.Fatalf("after %v: %s", tried, where(d))
		}
		tried = append(tried, name)
		if d.Attempt != len(tried) || len(tried) > 2 || (d.Reason == Retried) != (len(tried) == 2) {
			t.Fatalf("attempt %d at %v: %v", d.Attempt, tried, d.Reason)
		}
		if !slices.Contains(strings.Fields(refuse), name) {
			return "200"
		}
		if !trail.Failed(Failure{Class: ConnectRefused}) {
			return fmt.Sprint(ConnectRefused.Status())
		}
	}
}

// Behaviour R2: a retry looks at health, weight and addresses like any pick.
func TestARetryPicksAnEligibleOrigin(t *testing.T) {
	p := weigh(pool("A", 4), 100, 100, 0, 100)
	p.Origins[3].Address = "nowhere.test"
	w := newWorld(t, lb("B", "A"), p, pool("B", 1))
	w.believe("A", "UDUU")
	r, trail := request(1), Trail{}
	if d := w.snapshot.Direct(r, &trail); where(d) != "A/o1" {
		t.Fatalf("first %s", where(d))
	}
	trail.Failed(Failure{Class: Unreachable})
	if d := w.snapshot.Direct(r, &trail); d.Reason != NoOtherOrigin || d.Status != 523 {
		t.Errorf("then %s, %d", where(d), d.Status)
	}
}

// Behaviour R2 in the fallback pool: its health does not count there either.
func TestARetryInTheFallbackPool(t *testing.T) {
	w := newWorld(t, lb("A", "A"), weigh(pool("A", 2), 100, 0))
	w.believe("A", "DD")
	r, trail := request(1), Trail{}
	if d := w.snapshot.Direct(r, &trail); where(d) != "A/o1!" {
		t.Fatalf("first %s", where(d))
	}
	trail.Failed(Failure{Class: ConnectTimeout})
	if d := w.snapshot.Direct(r, &trail); where(d) != "A/o2!" || d.Reason != Retried {
		t.Errorf("then %s, %v", where(d), d.Reason)
	}
}

// Behaviour S5: under hash the retry goes to the client's next origin, always the same.
func TestTheRetryUnderHashIsStable(t *testing.T) {
	w := newWorld(t, lb("A", "A"), policy(pool("A", 5), steering.Hash))
	for c := range uint64(100) {
		var second *Origin
		for seed := range uint64(5) {
			r, trail := client(c, seed), Trail{}
			w.snapshot.Direct(r, &trail)
			trail.Failed(Failure{Class: ConnectRefused})
			now := w.snapshot.Direct(r, &trail).Origin.Live
			if second != nil && now != second {
				t.Fatalf("client %d was sent to %v and to %v", c, second.Identity, now.Identity)
			}
			second = now
		}
	}
}

func TestDirectIsNotAskedWithoutLeave(t *testing.T) {
	w := newWorld(t, lb("A", "A"), pool("A", 2))
	var trail Trail
	w.snapshot.Direct(request(1), &trail)
	trail.Failed(Failure{Class: FirstByteTimeout})
	defer func() {
		if recover() == nil {
			t.Error("a third attempt was decided without leave")
		}
	}()
	w.snapshot.Direct(request(1), &trail)
}

// A trail that was reset is a fresh one.
func TestResetTrail(t *testing.T) {
	w := newWorld(t, lb("F", "A"), shed(pool("A", 3), 50, "random"), pool("F", 1))
	var used Trail
	for seed := range uint64(100) {
		used.Reset()
		r := request(seed)
		first := w.snapshot.Direct(r, &used)
		if fresh := w.snapshot.Direct(r, &Trail{}); fresh != first {
			t.Fatalf("a used trail leads to %s, a fresh one to %s", where(first), where(fresh))
		}
		if used.Failed(Failure{Class: ConnectRefused}) {
			w.snapshot.Direct(r, &used)
		}
	}
}

// The same request in the same state is decided in the same way: that is what replays are made of.
func TestDecisionsAreAFunction(t *testing.T) {
	for _, word := range policies {
		w := newWorld(t, lb("F", "A"), policy(shed(pool("A", 5), 30, "random"), word), pool("F", 2))
		for seed := range uint64(200) {
			if a, b := w.direct(seed), w.direct(seed); a != b {
				t.Fatalf("%s: %s and %s", word, where(a), where(b))
			}
		}
	}
}

// A data centre that judges for itself counts for its own requests, and the global verdict for everybody else's
// (behaviour H11).
func TestPlaces(t *testing.T) {
	w := newWorld(t, lb("B", "A", "B"), pool("A", 2), pool("B", 1))
	p := picture(w.snapshot.Pool("A").Config, "UU")
	p.Local, p.Sources = true, []string{health.SourceLocal, health.SourceGlobal}
	for i := range p.Origins {
		p.Origins[i].Places = map[string]health.Verdict{
			"FRA": {Status: health.Down}, "AMS": {Status: health.Up}, "IAD": {Status: status("DU"[i])},
		}
	}
	w.table.Set(p)
	w.refresh("A")
	for _, c := range []struct {
		pop, want string
		state     health.PoolState
	}{
		{"AMS", "A", health.PoolHealthy},
		{"FRA", "B", health.PoolCritical},
		{"IAD", "A", health.PoolDegraded},
		{"SIN", "A", health.PoolHealthy}, // judged by the global verdict
	} {
		for seed := range uint64(20) {
			r := request(seed)
			r.Place = &config.Place{PoP: c.pop}
			d := w.snapshot.Direct(r, &Trail{})
			if d.Pool.Config.ID != c.want || c.pop == "IAD" && where(d) != "A/o2" {
				t.Fatalf("from %s to %s", c.pop, where(d))
			}
		}
		if state, _ := w.snapshot.Pool("A").ServesAs(c.pop); state != c.state {
			t.Errorf("from %s the pool is %v, want %v", c.pop, state, c.state)
		}
	}
	if d := w.direct(1); d.Pool.Config.ID != "B" {
		t.Errorf("a request without a place, in FRA, went to %s", where(d))
	}
	if state := w.snapshot.Pool("A").State(); state != health.PoolHealthy {
		t.Errorf("globally the pool is %v", state)
	}

	// Regions are no data centres: their verdicts are part of the global one and nothing else (behaviour H10).
	regional := *p
	regional.Local, regional.Sources = false, []string{health.SourceGlobal}
	w.table.Set(&regional)
	w.refresh("A")
	if d := w.direct(1); d.Pool.Config.ID != "A" {
		t.Errorf("with a region called like the data centre, to %s", where(d))
	}
	if d := w.snapshot.Direct(w.pin(1, "A", 0), &Trail{}); where(d) != "A/o1" || d.Reason != Pinned {
		t.Errorf("with a region called like the data centre, a session to %s", where(d))
	}

	w.table.Set(p)
	w.refresh("A")
	p = picture(w.snapshot.Pool("A").Config, "UU")
	p.Local, p.Sources = true, []string{health.SourceLocal, health.SourceGlobal}
	w.table.Set(p)
	w.refresh("A")
	if d := w.direct(1); d.Pool.Config.ID != "A" {
		t.Errorf("with FRA judging no more, to %s", where(d))
	}
}
