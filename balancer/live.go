package balancer

import (
	"time"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

// poolLive is what changes about the pools of a list between two picks: their loads, and how far away they are from the
// request's place. It is part of a Trail, so that making one costs nothing.
type poolLive struct {
	pools       []*Pool // of the snapshot
	list        []int   // positions in pools
	place       *config.Place
	connections bool // the loads are connections, not outstanding requests
}

// Load implements steering.Live.
func (l *poolLive) Load(i int) int {
	load := l.pools[l.list[i]].load
	if l.connections {
		return load.Connections()
	}
	return load.Outstanding()
}

// RTT implements steering.Live.
func (l *poolLive) RTT(i int) (seconds float64, known bool) {
	rtt, known := l.pools[l.list[i]].rtt.from(l.place)
	return rtt.Seconds(), known
}

// profiles are the cells in which the health room keeps a pool's round-trip times up to date (behaviour M6, G4). The zero
// value has none: no load balancer asks for them.
type profiles struct {
	global   *health.RTT
	local    map[string]*health.RTT // by data centre, in a pool without check_regions
	regional map[string]*health.RTT // by region, in a pool with them
}

func newProfiles(p *config.Pool, w *config.Weir, table *health.Table) profiles {
	r := profiles{global: table.RTT(p.ID, health.Everywhere)}
	if len(p.CheckRegions) == 0 {
		r.local = map[string]*health.RTT{w.Location.PoP: table.RTT(p.ID, w.Location.PoP)}
		for _, c := range w.DataCenters {
			r.local[c.PoP] = table.RTT(p.ID, c.PoP)
		}
		return r
	}
	r.regional = map[string]*health.RTT{}
	for _, region := range p.CheckRegions {
		if region != config.AllRegions {
			r.regional[region] = table.RTT(p.ID, region)
			continue
		}
		for _, each := range regions {
			r.regional[each] = table.RTT(p.ID, each)
		}
	}
	return r
}

// from is the round-trip time as a place measures it, or the global one where it has none.
func (r *profiles) from(place *config.Place) (time.Duration, bool) {
	if r.global == nil {
		return 0, false
	}
	for _, cell := range [...]*health.RTT{r.local[place.PoP], r.regional[place.Region]} {
		if cell == nil {
			continue
		}
		if rtt, known := cell.Load(); known {
			return rtt, true
		}
	}
	return r.global.Load()
}
