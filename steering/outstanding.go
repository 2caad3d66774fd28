package steering

import "math/bits"

// scanUpTo is the number of targets up to which the least policies look at all of them at once: below it that is
// cheaper than drawing until one is accepted.
const scanUpTo = 8

// least is `least_outstanding_requests` and `least_connections`: a weighted draw in which a target counts with
// weight/(load+1) (behaviour S7, S8). Few targets are all looked at. Of many, one is drawn by weight and kept with
// probability 1/(load+1) if it is open, which has the same law: the law of every try that ends, and tries are independent.
// After some misses all are looked at, so that deep queues and outages cost one look and no more.
type least struct {
	weights []uint8
	alias   alias
	tries   int
}

func newLeast(targets []Target) Picker {
	if !anyWeight(targets) {
		return nobody{}
	}
	p := &least{weights: weights(targets)}
	if len(targets) > scanUpTo {
		p.alias, p.tries = newAlias(targets), tries(len(targets))
	}
	return p
}

func (p *least) Pick(in Input, ok Set) int {
	d := dice(in.Draw)
	if len(p.weights) <= scanUpTo {
		return p.scanFew(in, ok)
	}
	x := in.Draw
	for range p.tries {
		if i := p.alias.draw(x, &d); ok.Has(i) && accept(d.next(), in.Live.Load(i)) {
			return i
		}
		x = d.next()
	}
	return p.scanMany(in.Live, ok, &d)
}

// accept is true with probability 1/(load+1).
func accept(x uint64, load int) bool {
	high, _ := bits.Mul64(x, uint64(load)+1)
	return high == 0
}

// scanFew reads every load once, so that the law is exact for the loads it saw.
func (p *least) scanFew(in Input, ok Set) int {
	var mass [scanUpTo]float64
	var total float64
	for i := range ok.each {
		mass[i] = p.mass(in.Live, i)
		total += mass[i]
	}
	height := unit(in.Draw) * total
	last := None
	for i := range ok.each {
		if mass[i] == 0 {
			continue
		}
		last = i // the one to take should rounding leave height a little above the sum
		if height < mass[i] {
			break
		}
		height -= mass[i]
	}
	return last
}

// scanMany keeps one target, replacing it by the next with that one's part of the sum so far. It, too, reads every load
// once, and needs no memory for them.
func (p *least) scanMany(live Live, ok Set, d *dice) int {
	kept := None
	var total float64
	for i := range ok.each {
		m := p.mass(live, i)
		if m == 0 {
			continue
		}
		total += m
		if kept == None || unit(d.next())*total < m {
			kept = i
		}
	}
	return kept
}

func (p *least) mass(live Live, i int) float64 {
	if p.weights[i] == 0 {
		return 0
	}
	return float64(p.weights[i]) / float64(live.Load(i)+1)
}

// unit is the draw as a number in [0, 1).
func unit(x uint64) float64 { return float64(int64(x>>11)) * 0x1p-53 }

func (p *least) Shares(in Input, ok Set, dst []float64) []float64 {
	return shareOut(ok, dst, func(i int) float64 { return p.mass(in.Live, i) })
}
