package health

import (
	"context"
	"time"
)

// stage is what is done to the probes of one vantage point so that its region sees what the configuration says.
type stage struct {
	delay time.Duration // before every attempt
	loss  float64       // 0 to 1: share of attempts that are never answered
	cut   bool          // the region has no route to this origin
}

// run makes an attempt through the stage. dice is fresh random bits, one value per attempt. What was staged says so in
// its detail: nobody should look for it in a network.
func (s stage) run(ctx context.Context, probe Prober, t Target, dice uint64) Result {
	if s.cut {
		return Result{Reason: NoRoute, Detail: "a partition staged in weir.regions"}
	}
	if s.delay > 0 && !waited(ctx, s.delay) {
		return Result{Reason: TCPTimeout, Detail: "the delay staged in weir.regions is longer than the timeout", Timeout: true}
	}
	if s.lost(dice) {
		<-ctx.Done()
		return Result{Reason: TCPTimeout, Detail: "lost, as staged in weir.regions", Timeout: true}
	}
	r := probe(ctx, t)
	if r.RTT > 0 {
		r.RTT += s.delay // which the prober did not see
	}
	return r
}

// waited reports whether d passed before ctx ended.
func waited(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// lost compares dice with the share as fractions of 1, in 53 bits as math/rand does.
func (s stage) lost(dice uint64) bool { return float64(dice>>11)/(1<<53) < s.loss }

// mix is a hash of two words (the finaliser of SplitMix64): neighbouring inputs give unrelated bits.
func mix(a, b uint64) uint64 {
	x := a + (b+1)*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
