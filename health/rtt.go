package health

import (
	"slices"
	"sync/atomic"
	"time"
)

// How far away a pool is, from the bottom up (behaviour M6): a vantage point smooths the times of its successful
// probes; a place's view of an origin is the mean over the points and voting monitors that have one; a pool's, the mean
// over the origins that are up as that place sees them. Global values are the means over places.

// RTT is how far away a pool is, as one place sees it. It is written after every probe and read without locks, so that
// a profile that moves makes no new picture of the pool. The zero value has no data.
type RTT struct {
	ns atomic.Int64 // 0: no data
}

// Load returns the smoothed round-trip time, and false when there is no data: nothing is probed from there, or no
// origin is up.
func (r *RTT) Load() (time.Duration, bool) {
	ns := r.ns.Load()
	return time.Duration(ns), ns > 0
}

// Store sets the value; 0 says that there is no data. The Engine calls it, or a test, a drill, a simulation.
func (r *RTT) Store(d time.Duration) { r.ns.Store(int64(max(d, 0))) }

// ewma is an exponentially weighted moving average with α = 1/4; 0 is one without samples. Cloudflare's page "Dynamic"
// names the method and not the factor.
type ewma time.Duration

// observe returns the average after one more sample. The first one is the average.
func (e ewma) observe(sample time.Duration) ewma {
	s := ewma(max(sample, 1)) // a sample of no time at all is still a sample
	if e == 0 {
		return s
	}
	return max((3*e+s)/4, 1)
}

// mean is of those durations that are not 0. It is kept up to date in whole nanoseconds, so that no error builds up.
type mean struct {
	sum time.Duration
	n   int
}

func (m *mean) add(d time.Duration) {
	if d > 0 {
		m.sum += d
		m.n++
	}
}

func (m *mean) remove(d time.Duration) {
	if d > 0 {
		m.sum -= d
		m.n--
	}
}

// value is 0 for a mean of nothing.
func (m mean) value() time.Duration {
	if m.n == 0 {
		return 0
	}
	return max(m.sum/time.Duration(m.n), 1)
}

// profile is a pool's RTT as one place sees it.
type profile struct {
	place string // Everywhere for the global one
	mean  mean
	cell  *RTT
}

// rtt is the i-th place's view of a member; 0 for none.
func (m *member) rtt(i int) time.Duration {
	var all mean
	for _, pt := range m.places[i].points {
		all.add(time.Duration(pt.rtt))
	}
	return all.value()
}

// measure makes the pool's profiles what they are after news of one origin. Profiles stand in the order of the origin's
// places, the global one last; the origin remembers what it gave to each.
func (p *pool) measure(o *origin) {
	var global mean
	for i := range o.places {
		var here mean
		for _, m := range o.voters {
			here.add(m.rtt(i))
		}
		rtt := here.value()
		global.add(rtt)
		p.contribute(o, i, rtt, o.places[i].verdict.Status)
	}
	p.contribute(o, len(o.places), global.value(), o.global.Status)
}

// contribute replaces the origin's part in the pool's i-th profile. Only an origin that takes traffic has one.
func (p *pool) contribute(o *origin, i int, rtt time.Duration, s Status) {
	if !o.live || s != Up {
		rtt = 0
	}
	if rtt == o.given[i] {
		return
	}
	m := &p.profiles[i].mean
	m.remove(o.given[i])
	m.add(rtt)
	o.given[i] = rtt
}

// tell shows the profiles to readers.
func (p *pool) tell() {
	for i := range p.profiles {
		p.profiles[i].cell.Store(p.profiles[i].mean.value())
	}
}

// untell takes back what next, the pool's new form, will not say again. The pool may be nil.
func (p *pool) untell(next *pool) {
	if p == nil {
		return
	}
	for i := range p.profiles {
		same := func(q profile) bool { return q.cell == p.profiles[i].cell }
		if !slices.ContainsFunc(next.profiles, same) {
			p.profiles[i].cell.Store(0)
		}
	}
}

// rtts is what a picture says of the profiles; nil when there is no data.
func (p *pool) rtts() map[string]time.Duration {
	var all map[string]time.Duration
	for i := range p.profiles {
		if rtt := p.profiles[i].mean.value(); rtt > 0 {
			if all == nil {
				all = make(map[string]time.Duration, len(p.profiles))
			}
			all[p.profiles[i].place] = rtt
		}
	}
	return all
}
