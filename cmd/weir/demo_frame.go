package main

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/weirlb/weir/balancer/admin"
	"github.com/weirlb/weir/config"
)

// demoFrame is everything that one picture of the demo shows. Drawing needs nothing else, so a picture can be tested.
type demoFrame struct {
	elapsed, length time.Duration
	listen, admin   string
	act, acts       int // from 1
	title           string
	numbers         demoNumbers
	balancers       []demoBalancer
	pools           []demoPool
	events          []demoEvent // oldest first
}

// demoBalancer is a load balancer and how its traffic splits over its pools.
type demoBalancer struct {
	name   string
	shares []demoShare // of this load balancer's answers; in the order of the pools of the frame
}

// demoShare is a part of something, 0 to 1.
type demoShare struct {
	name  string
	share float64
}

// demoPool is a pool with its origins.
type demoPool struct {
	name, policy, state string
	serves              bool
	tally               string // 1 of 2 healthy, needs 2
	trouble             string // what is wrong with an origin, "" when nothing is
	share               float64
	origins             []demoOriginLine
}

// demoOriginLine is an origin.
type demoOriginLine struct {
	name    string
	port    int
	weight  float64
	share   float64 // of all answers
	busy    int     // requests it has and has not answered
	regions []demoRegion
}

// demoRegion is what one place thinks of an origin.
type demoRegion struct{ name, status string }

// frame is the picture of now.
func (s *demoShow) frame() *demoFrame {
	f := &demoFrame{
		elapsed: s.elapsed(), length: s.opt.length, listen: s.app.listening[0].String(), admin: s.app.adminAddr.String(),
		act: s.script.act + 1, acts: len(s.script.acts), title: s.script.title(), numbers: s.tally.lately(time.Now()), events: s.events,
	}
	f.balancers = s.view.balancers(s.stage.cfg, f.numbers.share)
	for i := range s.view.pools {
		f.pools = append(f.pools, poolLineOf(&s.view.pools[i], f.numbers.share))
	}
	return f
}

// balancers are the load balancers with their shares: exact names before wildcards, as they are looked up.
func (v *demoView) balancers(cfg *config.Config, shares map[demoWho]float64) []demoBalancer {
	var list []demoBalancer
	for i := range cfg.LoadBalancers {
		name, host := cfg.LoadBalancers[i].Name, demoOtherHost
		if name == demoHost {
			host = demoHost
		}
		list = append(list, demoBalancer{name, v.sharesOf(host, shares)})
	}
	slices.SortStableFunc(list, func(a, b demoBalancer) int {
		return cmp.Compare(strings.Count(a.name, "*"), strings.Count(b.name, "*"))
	})
	return list
}

// sharesOf is how the answers to a host split over pools.
func (v *demoView) sharesOf(host string, shares map[demoWho]float64) []demoShare {
	var total float64
	list := make([]demoShare, len(v.pools))
	for i := range v.pools {
		list[i].name = v.pools[i].Name
		for who, share := range shares {
			if who.host == host && who.pool == list[i].name {
				list[i].share += share
				total += share
			}
		}
	}
	for i := range list {
		if total > 0 {
			list[i].share /= total
		}
	}
	return list
}

func poolLineOf(p *admin.PoolView, shares map[demoWho]float64) demoPool {
	line := demoPool{name: p.Name, policy: p.Policy, state: stateWord(p), serves: p.Serves, tally: tallyOf(p)}
	for i := range p.Origins {
		o := &p.Origins[i]
		l := demoOriginLine{name: o.Name, port: o.Port, weight: o.Weight, busy: o.Outstanding}
		for who, share := range shares {
			if who.pool == p.Name && who.origin == o.Name {
				l.share += share
			}
		}
		line.share += l.share
		for region, v := range o.Regions {
			l.regions = append(l.regions, demoRegion{region, v.Status})
		}
		slices.SortFunc(l.regions, func(a, b demoRegion) int { return cmp.Compare(a.name, b.name) })
		if line.trouble == "" {
			line.trouble = troubleOf(o)
		}
		line.origins = append(line.origins, l)
	}
	return line
}

// stateWord is a pool's state in one word.
func stateWord(p *admin.PoolView) string {
	return strings.TrimPrefix(strings.ToLower(p.State), "health ")
}

// troubleOf is why an origin is down, by everybody's verdict or else by that of the first region that says so.
func troubleOf(o *admin.OriginView) string {
	if o.Health.Status == "down" {
		return o.Name + ": " + o.Health.Reason
	}
	var regions []string
	for region, v := range o.Regions {
		if v.Status == "down" {
			regions = append(regions, region)
		}
	}
	if len(regions) == 0 {
		return ""
	}
	slices.Sort(regions)
	return o.Name + " from " + regions[0] + ": " + o.Regions[regions[0]].Reason
}
