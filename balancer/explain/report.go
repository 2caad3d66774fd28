package explain

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

// Report is how one request is decided. Reasons, stages and states are the tokens of docs/reasons.md.
type Report struct {
	Client   netip.Addr `json:"client"`
	Host     string     `json:"host"`
	Method   string     `json:"method,omitempty"`
	Path     string     `json:"path,omitempty"`
	Query    string     `json:"query,omitempty"`
	HTTPS    bool       `json:"https,omitempty"`
	Place    Place      `json:"place"`
	Time     time.Time  `json:"time"`
	Seed     string     `json:"seed"` // as the access log shows it
	Revision uint64     `json:"revision"`

	Attempts []Attempt `json:"attempts"` // the first one, and one more for each failure that allows it
}

// Place is where the request is handled, and its client's country.
type Place struct {
	PoP       string  `json:"pop"`
	Region    string  `json:"region"`
	Country   string  `json:"country"`
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

// Attempt is one decision with its steps, in the order taken.
type Attempt struct {
	After    string   `json:"after,omitempty"` // the error class of the attempt before
	Steps    []Step   `json:"steps"`
	Decision Decision `json:"decision"`
}

// Decision is what to do, and why.
type Decision struct {
	Kind         string `json:"kind"` // origin, fixed_response or refused
	Reason       string `json:"reason"`
	Status       int    `json:"status,omitempty"`   // of an answer of our own
	Location     string `json:"location,omitempty"` // of a fixed response
	Attempt      int    `json:"attempt,omitempty"`
	LoadBalancer string `json:"load_balancer,omitempty"` // its name, which is the host it is for; none without a load balancer
	Implicit     bool   `json:"implicit,omitempty"`      // it was made up for pools without one
	Pool         *Name  `json:"pool,omitempty"`
	Origin       *Name  `json:"origin,omitempty"`
	Fallback     bool   `json:"fallback,omitempty"`
	Shed         int    `json:"shed,omitempty"` // pools that turned the request away
	Session      string `json:"session"`        // none, kept or set
	SetCookie    string `json:"set_cookie,omitempty"`
}

// Name is what an object is called: a pool's or load balancer's id and name, an origin's address and name.
type Name struct {
	ID      string `json:"id,omitempty"`
	Name    string `json:"name"`
	Address string `json:"address,omitempty"`
	Port    int    `json:"port,omitempty"`
}

// Step is one thing looked at, and what was found: "yes", or why not. Only what its stage has to say is there.
type Step struct {
	Stage  string `json:"stage"`
	Reason string `json:"reason"`

	Pool      *Name  `json:"pool,omitempty"`
	Origin    *Name  `json:"origin,omitempty"`
	List      string `json:"list,omitempty"`
	Policy    string `json:"policy,omitempty"` // the steering that chooses, of pools or of origins
	PoolSet   string `json:"pool_set,omitempty"`
	Topology  string `json:"topology,omitempty"` // the places a pool set is for
	Rule      string `json:"rule,omitempty"`
	Condition string `json:"condition,omitempty"`
	Priority  *int   `json:"priority,omitempty"`
	// Of a rule or pool set: the fields it replaces, and whether no rule after it is looked at.
	Overrides  []string `json:"overrides,omitempty"`
	Terminates bool     `json:"terminates,omitempty"`

	Judge  string `json:"judge,omitempty"`  // whose verdict counts: a data centre's or a region's code, or global
	State  string `json:"state,omitempty"`  // of a pool
	Health string `json:"health,omitempty"` // of an origin: up, down, unknown or unmonitored
	Detail string `json:"failure_reason,omitempty"`
	Places []View `json:"places,omitempty"` // how each data centre or region sees it, and everybody together: global
	Last   bool   `json:"last_resort,omitempty"`
	// Origins are those of a pool that takes no traffic of its own; those of others have steps when the pool is asked.
	Origins []Candidate `json:"origins,omitempty"`

	Weight *float64 `json:"weight,omitempty"`
	Load   *int     `json:"load,omitempty"`
	RTT    *float64 `json:"rtt_ms,omitempty"`
	Km     *float64 `json:"distance_km,omitempty"`
	Share  *float64 `json:"probability,omitempty"`

	Session bool     `json:"session_shedding,omitempty"`
	Roll    *float64 `json:"roll,omitempty"`
	Percent *float64 `json:"percent,omitempty"` // shed when roll is below it
}

// Candidate is an origin of a pool that takes no traffic, with what speaks against it: yes when nothing does.
type Candidate struct {
	Name
	Reason string `json:"reason"`
	Detail string `json:"failure_reason,omitempty"`
}

// View is how one place sees a pool, or an origin.
type View struct {
	Place  string `json:"place"`
	State  string `json:"state,omitempty"`  // of a pool
	Reason string `json:"reason,omitempty"` // why the pool takes no traffic of its own there; yes when it does
	Health string `json:"health,omitempty"` // of an origin
}

// Of decides a request and reports how. Each of the failures is what becomes of one attempt, in turn: while they allow
// another one, that is decided and reported too. A request without a place is at the instance's own.
func Of(s *balancer.Snapshot, r *balancer.Request, failures ...balancer.Failure) Report {
	if r.Place == nil {
		here := s.Locate(nil, nil, nil)
		at := *r
		at.Place = &here
		r = &at
	}
	report := Report{
		Client: r.Client, Host: string(r.Host), Method: string(r.Method), Path: string(r.Path), Query: string(r.Query),
		HTTPS: r.Secure, Place: placeOf(r.Place), Time: r.Now, Seed: fmt.Sprintf("%#x", r.Seed), Revision: s.Revision,
	}
	trail := balancer.Trail{Steps: &balancer.Steps{}}
	after := ""
	for {
		from := len(trail.Steps.List)
		d := s.Direct(r, &trail)
		report.Attempts = append(report.Attempts, Attempt{
			After: after, Steps: stepsOf(trail.Steps.List[from:]), Decision: decisionOf(&d),
		})
		if d.Kind != balancer.ToOrigin || len(failures) == 0 || !trail.Failed(failures[0]) {
			return report
		}
		after, failures = failures[0].Class.String(), failures[1:]
	}
}

func placeOf(p *config.Place) Place {
	return Place{PoP: p.PoP, Region: p.Region, Country: p.Country, Latitude: p.Latitude, Longitude: p.Longitude}
}

func decisionOf(d *balancer.Decision) Decision {
	out := Decision{
		Kind:   [...]string{balancer.Refused: "refused", balancer.ToOrigin: "origin", balancer.FixedReply: "fixed_response"}[d.Kind],
		Reason: d.Reason.String(), Status: d.Status, Attempt: d.Attempt, Fallback: d.Fallback, Shed: d.Shed,
		Pool: poolName(d.Pool), Origin: originName(d.Origin),
		Session: d.Session.Action.String(), SetCookie: string(d.Session.AppendSetCookie(nil)),
	}
	if d.LB != nil {
		out.LoadBalancer, out.Implicit = d.LB.Config.Name, d.LB.Config.Implicit
	}
	if d.Response != nil {
		out.Location = d.Response.Location
	}
	return out
}

func poolName(p *balancer.Pool) *Name {
	if p == nil {
		return nil
	}
	return &Name{ID: p.Config.ID, Name: p.Config.Name}
}

func originName(o *balancer.PoolOrigin) *Name {
	if o == nil {
		return nil
	}
	return &Name{Name: o.Config.Name, Address: o.Config.Address, Port: o.Config.Port}
}

func stepsOf(list []balancer.Step) []Step {
	steps := make([]Step, 0, len(list))
	var row seats
	for i := range list {
		row.follow(&list[i])
		steps = append(steps, stepOf(&list[i], &row))
	}
	return steps
}

// seats follow the steps of a pool's origins, which come in the order of the pool.
type seats struct {
	pool   *balancer.Pool // nil between two runs of such steps
	places []string       // that see its origins
	at     int            // position of the origin
}

func (row *seats) follow(s *balancer.Step) {
	switch {
	case s.Stage != balancer.StageOrigin:
		row.pool = nil
		return
	case row.pool == s.Pool && row.at+1 < len(s.Pool.Origins):
		row.at++
	default:
		*row = seats{pool: s.Pool, places: append(s.Pool.Places(), health.Everywhere)}
	}
	if &s.Pool.Origins[row.at] != s.Origin {
		panic("BUG: the steps of a pool's origins are not in the order of the pool")
	}
}

func stepOf(s *balancer.Step, row *seats) Step {
	out := Step{
		Stage: s.Stage.String(), Reason: s.Reason.String(), Pool: poolName(s.Pool), Origin: originName(s.Origin),
		List: s.List, Policy: s.Policy, Last: s.Last,
	}
	switch s.Stage {
	case balancer.StagePoolSet:
		out.PoolSet, out.Topology, out.Overrides = s.PoolSet.Name, topology(&s.PoolSet.Match), poolSetFields(s.PoolSet)
	case balancer.StageRule:
		out.Rule, out.Condition, out.Priority = s.Rule.Name, s.Rule.Condition, &s.Rule.Priority
		out.Overrides, out.Terminates = ruleFields(s.Rule), s.Rule.Terminates
	case balancer.StagePool:
		out.State = s.State.String()
		out.weigh(s)
		out.place(s)
		out.viewPool(s.Pool)
		if s.Reason != balancer.Yes && !s.Last {
			out.candidates(s)
		}
	case balancer.StageOrigin:
		out.weigh(s)
		out.viewOrigin(s, row)
	case balancer.StageShed:
		out.Session, out.Roll, out.Percent = s.Session, &s.Roll, &s.Percent
	case balancer.StageSession, balancer.StageList, balancer.StageDecision:
	}
	return out
}

// weigh fills in what there was to choose by.
func (s *Step) weigh(of *balancer.Step) {
	weight, load, share := float64(of.Weight)/100, of.Load, of.Share
	s.Weight, s.Load, s.Share = &weight, &load, &share
	if of.Pool.Monitored() {
		s.Judge = placeWord(of.Judge)
	}
}

func placeWord(place string) string { return or(place, "global") }

// place fills in how far away a pool is, as far as that is known.
func (s *Step) place(of *balancer.Step) {
	if of.RTT > 0 {
		ms := float64(of.RTT) / float64(time.Millisecond)
		s.RTT = &ms
	}
	if of.Distance >= 0 {
		km := float64(of.Distance) / 1000
		s.Km = &km
	}
}

// viewPool fills in how every place sees a pool.
func (s *Step) viewPool(p *balancer.Pool) {
	if !p.Monitored() {
		return
	}
	for _, place := range append(p.Places(), health.Everywhere) {
		state, why := p.SeenFrom(place)
		s.Places = append(s.Places, View{Place: placeWord(place), State: state.String(), Reason: why.String()})
	}
}

// candidates fills in what speaks against each origin.
func (s *Step) candidates(of *balancer.Step) {
	for i := range of.Pool.Origins {
		c := Candidate{Name: *originName(&of.Pool.Origins[i]), Reason: of.Pool.Standing(i, of.Judge).String()}
		if c.Reason == balancer.OriginDown.String() {
			c.Detail = of.Pool.Judged(i, of.Judge).Reason
		}
		s.Origins = append(s.Origins, c)
	}
}

// viewOrigin fills in how every place sees an origin, and what the one that judges has to say.
func (s *Step) viewOrigin(of *balancer.Step, row *seats) {
	if !of.Pool.Monitored() {
		s.Health = "unmonitored"
		return
	}
	s.Health = healthWord(of.Status)
	for _, place := range row.places {
		v := of.Pool.Verdict(row.at, place)
		s.Places = append(s.Places, View{Place: placeWord(place), Health: healthWord(v.Status)})
	}
	if of.Status == health.Down {
		s.Detail = of.Pool.Judged(row.at, of.Judge).Reason
	}
}

func healthWord(s health.Status) string {
	return [...]string{health.Unknown: "unknown", health.Up: "up", health.Down: "down"}[s]
}
