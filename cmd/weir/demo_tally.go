package main

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/bench/load"
	"github.com/weirlb/weir/bench/origin"
)

// demoRecent is how far back the live numbers look.
const demoRecent = 2 * time.Second

// demoWho is who answered whom.
type demoWho struct{ host, pool, origin string }

// demoTally counts what became of requests, by the phase of the script in which each fell due. Its methods may be
// called from any goroutine.
type demoTally struct {
	mu      sync.Mutex
	began   time.Time     // not after the run's own beginning, so that a request is never due later than it says
	bounds  []demoBound   // in order
	phases  []*demoPhase  // in the order they came about
	recent  []*demoAnswer // those that ended in the last demoRecent, oldest first
	latency load.Histogram
	sent    int64
	failed  int64
	retried int64
	faults  []demoFault // the first of them
}

// demoBound is where a phase begins.
type demoBound struct {
	from  time.Duration
	phase *demoPhase // nil: nothing is counted
}

// demoPhase is what happened while one thing was so.
type demoPhase struct {
	name  string
	count map[demoWho]int64
	total int64
}

// pool is how many requests a pool answered.
func (p *demoPhase) pool(name string) (n int64) {
	for who, k := range p.count {
		if who.pool == name {
			n += k
		}
	}
	return n
}

// origin is how many requests an origin answered.
func (p *demoPhase) origin(pool, name string) (n int64) {
	for who, k := range p.count {
		if who.pool == pool && who.origin == name {
			n += k
		}
	}
	return n
}

// demoAnswer is one request that has ended.
type demoAnswer struct {
	at      time.Time
	who     demoWho
	latency time.Duration
}

// demoFault is one request that failed.
type demoFault struct {
	from, to time.Time // when it was due, and when it had failed
	what     string
}

// maxFaults is how many failures are told one by one.
const maxFaults = 1000

func newDemoTally(began time.Time) *demoTally {
	return &demoTally{began: began, bounds: []demoBound{{}}}
}

// enter begins a phase; one of the same name goes on. "" is a phase that is not counted.
func (t *demoTally) enter(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bounds = append(t.bounds, demoBound{from: time.Since(t.began), phase: t.named(name)})
}

// named needs mu.
func (t *demoTally) named(name string) *demoPhase {
	if name == "" {
		return nil
	}
	for _, p := range t.phases {
		if p.name == name {
			return p
		}
	}
	p := &demoPhase{name: name, count: map[demoWho]int64{}}
	t.phases = append(t.phases, p)
	return p
}

// at needs mu. It is the phase that a time falls into.
func (t *demoTally) at(due time.Duration) *demoPhase {
	i := len(t.bounds) - 1
	for i > 0 && t.bounds[i].from > due {
		i--
	}
	return t.bounds[i].phase
}

// record takes in one result.
func (t *demoTally) record(host string, r *load.Result) {
	a := &demoAnswer{at: time.Now(), latency: r.Latency, who: demoWho{host, r.Header.Get("Weir-Pool"), r.Header.Get("Weir-Origin")}}
	retried := r.Header.Get("Weir-Reason") == balancer.Retried.String()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent++
	t.latency.Record(r.Latency)
	if r.Err != nil {
		t.fault(r)
		return
	}
	t.recent = append(t.recent, a)
	if retried {
		t.retried++
	}
	if p := t.at(r.Due); p != nil {
		p.count[a.who]++
		p.total++
	}
}

// fault needs mu.
func (t *demoTally) fault(r *load.Result) {
	t.failed++
	if len(t.faults) < maxFaults {
		from := t.began.Add(r.Due)
		t.faults = append(t.faults, demoFault{from, from.Add(r.Latency), fmt.Sprintf("%s: %v", r.Cause, r.Err)})
	}
}

// demoNumbers is how things are going.
type demoNumbers struct {
	sent, failed, retried int64
	rate                  float64 // answers per second, lately
	p50, p99              time.Duration
	share                 map[demoWho]float64 // of the answers lately
}

// lately is how things were going in the last moments before now.
func (t *demoTally) lately(now time.Time) demoNumbers {
	t.mu.Lock()
	defer t.mu.Unlock()
	since := now.Add(-demoRecent)
	i := 0
	for i < len(t.recent) && t.recent[i].at.Before(since) {
		i++
	}
	t.recent = append(t.recent[:0:0], t.recent[i:]...)
	n := demoNumbers{sent: t.sent, failed: t.failed, retried: t.retried, share: map[demoWho]float64{}}
	var latency load.Histogram
	for _, a := range t.recent {
		n.share[a.who] += 1 / float64(len(t.recent))
		latency.Record(a.latency)
	}
	n.p50, n.p99 = latency.Quantile(0.5), latency.Quantile(0.99)
	if span := min(now.Sub(t.began), demoRecent); span > 0 {
		n.rate = float64(len(t.recent)) / span.Seconds()
	}
	return n
}

// traffic is the load of the demo: two hosts, some clients, always GET.
func (t *demoTally) traffic(listen string, rate float64, d time.Duration) load.Options {
	return load.Options{
		Addr: listen, Rate: rate, For: d, Timeout: 5 * time.Second,
		Request: func(i int64) load.Request {
			return load.Request{Fields: [][2]string{
				{"Host", hostOfRequest(i)},
				{"User-Agent", "weir-demo"},
				{"CF-Connecting-IP", "203.0.113." + strconv.FormatInt(1+i%200, 10)}, // RFC 5737; loopback is a trusted peer
			}}
		},
		Check:    demoContent,
		OnResult: func(r *load.Result) { t.record(hostOfRequest(r.Index), r) },
	}
}

// The hosts of the traffic. The first one has a load balancer of its own, the other one falls under the wildcard.
const (
	demoHost      = "www.example.com"
	demoOtherHost = "shop.example.com"
)

// hostOfRequest spreads three of five requests to the first host.
func hostOfRequest(i int64) string {
	if i%5 < 3 {
		return demoHost
	}
	return demoOtherHost
}

// demoContent judges an answer: it is a good one, and comes from whom weir says it comes from.
func demoContent(r *load.Result) error {
	said, is := r.Header.Get("Weir-Origin"), r.Header.Get(origin.NameField)
	switch {
	case r.Status != http.StatusOK:
		return fmt.Errorf("status %d (%s)", r.Status, r.Header.Get("Weir-Reason"))
	case said != is:
		return fmt.Errorf("weir says that %q answered, and it was %q", said, is)
	}
	return nil
}
