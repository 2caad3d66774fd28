package balancer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

// The reference decides as docs/behaviour.md reads, from configuration and beliefs, request by request: nothing is
// compiled, shared or remembered but the sessions themselves. It answers who may be chosen and why; which of these it is
// belongs to the policies, whose shares are tested elsewhere. Shedding is 0 or 100 %.
type reference struct {
	config   *config.Config
	beliefs  map[string]*belief // by pool id
	rtts     map[string]time.Duration
	resolves map[string]bool
	sessions map[string]*remembered // by header, by what they are known by
}

// belief is what is believed of one pool: a letter for each origin, everywhere and at some places.
type belief struct {
	source string // whose verdict counts before the global one: "", local, regional
	global string
	places map[string]string
}

type remembered struct {
	pool   string
	origin int
	until  time.Time
}

// asked is one request, as the reference sees it.
type asked struct {
	path   string
	user   string // x-user, "" for none
	post   bool
	place  config.Place
	now    time.Time
	cookie string // what __cflb is: "", "expired", "forged", or "pool/origin"
}

// answer is what the reference allows.
type answer struct {
	kind     Kind
	reason   Reason
	status   int
	from     []string // "pool/origin"
	fallback bool

	// what a second attempt goes by
	eff      *effective
	open     []string // pools still in question
	pinned   bool
	standing string // origin the session stands at
	key      string // of a session by header
}

// effective is a load balancer with the changes that pool sets and rules make for one request.
type effective struct {
	pools                 []string
	pops, places, regions map[string][]string // by data centre, country, region
	fallback, policy      string
	weights               map[string]config.Weight
	rest                  config.Weight
	across                bool
	affinity, failover    string
	ttl, drain            time.Duration
	headers               []string
	all                   bool
	implied               bool
}

func (m *reference) pool(id string) *config.Pool {
	for i := range m.config.Pools {
		if m.config.Pools[i].ID == id {
			return &m.config.Pools[i]
		}
	}
	return nil
}

// letter is the verdict on an origin that counts at a place.
func (m *reference) letter(p *config.Pool, i int, place *config.Place) byte {
	b := m.beliefs[p.ID]
	code := map[string]string{"local": place.PoP, "regional": place.Region}[b.source]
	if own, ok := b.places[code]; ok && code != "" && own[i] != '?' {
		return own[i]
	}
	return b.global[i]
}

func (m *reference) reachable(o *config.Origin) bool {
	return !strings.HasSuffix(o.Address, ".test") || m.resolves[o.Address]
}

// eligible are the origins that may be asked, weight or not.
func (m *reference) eligible(p *config.Pool, place *config.Place) (list []int) {
	for i := range p.Origins {
		if o := &p.Origins[i]; o.Enabled && m.reachable(o) && (p.Monitor == "" || m.letter(p, i, place) == 'U') {
			list = append(list, i)
		}
	}
	return list
}

// split takes "pool/origin" apart.
func split(name string) (pool string, origin int) {
	pool, digit, _ := strings.Cut(name, "/")
	return pool, int(digit[0] - '0')
}

func heavy(p *config.Pool, list []int) (some []int) {
	for _, i := range list {
		if p.Origins[i].Weight > 0 {
			some = append(some, i)
		}
	}
	return some
}

// critical: fewer healthy origins than minimum_origins, none judged yet included.
func (m *reference) critical(p *config.Pool, place *config.Place) bool {
	healthy := 0
	for i := range p.Origins {
		if p.Origins[i].Enabled && m.letter(p, i, place) == 'U' {
			healthy++
		}
	}
	return p.Monitor != "" && healthy < p.MinimumOrigins
}

func (m *reference) serves(id string, place *config.Place) bool {
	p := m.pool(id)
	return p.Enabled && !m.critical(p, place) && len(heavy(p, m.eligible(p, place))) > 0
}

// last are the origins to ask in the fallback pool.
func (m *reference) last(p *config.Pool, place *config.Place) []int {
	list := m.eligible(p, place)
	if len(list) == 0 {
		for i := range p.Origins {
			if o := &p.Origins[i]; o.Enabled && m.reachable(o) {
				list = append(list, i)
			}
		}
	}
	return list
}

func names2(id string, list []int) (all []string) {
	for _, i := range list {
		all = append(all, fmt.Sprintf("%s/%d", id, i))
	}
	return all
}

// holds evaluates the conditions that the generator writes.
func holds(condition string, q *asked) bool {
	switch condition {
	case "":
		return true
	case `http.request.method eq "POST"`:
		return q.post
	case `cf.load_balancer.region eq "WEU"`:
		return q.place.Region == "WEU"
	case `any(http.request.headers["x-user"][*] eq "1")`:
		return q.user == "1"
	}
	part := strings.TrimSuffix(strings.TrimPrefix(condition, `http.request.uri.path contains "`), `"`)
	return strings.Contains(q.path, part)
}

var conditions = []string{
	"", `http.request.method eq "POST"`, `cf.load_balancer.region eq "WEU"`, `any(http.request.headers["x-user"][*] eq "1")`,
	`http.request.uri.path contains "a"`, `http.request.uri.path contains "b"`,
}

// effective walks pool sets and rules. A response ends it.
func (m *reference) effective(q *asked) (*effective, *config.FixedResponse, Reason) {
	l := &m.config.LoadBalancers[0]
	e := &effective{
		pools: l.DefaultPools, pops: l.PopPools, places: l.CountryPools, regions: l.RegionPools, fallback: l.FallbackPool,
		policy: l.SteeringPolicy, implied: l.SteeringImplied, weights: l.RandomSteering.PoolWeights, rest: l.RandomSteering.DefaultWeight,
		across: l.AdaptiveRouting.FailoverAcrossPools, affinity: l.SessionAffinity, ttl: l.SessionAffinityTTL,
		failover: l.SessionAffinityAttributes.ZeroDowntimeFailover, drain: l.SessionAffinityAttributes.DrainDuration,
		headers: l.SessionAffinityAttributes.Headers, all: l.SessionAffinityAttributes.RequireAllHeaders,
	}
	for i := range l.PoolSets {
		s := &l.PoolSets[i]
		topology := s.Match.Topology
		if s.Disabled ||
			len(topology.PoPs) > 0 && !slices.Contains(topology.PoPs, q.place.PoP) ||
			len(topology.Countries) > 0 && !slices.Contains(topology.Countries, q.place.Country) ||
			len(topology.Regions) > 0 && !slices.Contains(topology.Regions, q.place.Region) {
			continue
		}
		if s.FixedResponse != nil {
			return nil, s.FixedResponse, PoolSetResponse
		}
		e.pools, e.pops, e.places, e.regions = s.Overrides.Pools, nil, nil, nil
		e.policy, e.implied, e.weights, e.rest = "off", false, s.Overrides.PoolWeights, 100
		if s.Overrides.SteeringPolicy != "" {
			e.policy = s.Overrides.SteeringPolicy
		}
		if s.Overrides.PoolDefaultWeight != nil {
			e.rest = *s.Overrides.PoolDefaultWeight
		}
		if s.Overrides.FallbackPool != "" {
			e.fallback = s.Overrides.FallbackPool
		}
		break
	}
	list := slices.Clone(l.Rules)
	slices.SortStableFunc(list, func(a, b config.Rule) int { return a.Priority - b.Priority })
	for _, r := range list {
		if r.Disabled || !holds(r.Condition, q) {
			continue
		}
		if r.FixedResponse != nil {
			return nil, r.FixedResponse, RuleResponse
		}
		e.lay(&r.Overrides)
		if r.Terminates {
			break
		}
	}
	if e.implied {
		e.policy = "off"
		if len(e.pops) > 0 || len(e.places) > 0 || len(e.regions) > 0 {
			e.policy = "geo"
		}
	}
	return e, nil, Yes
}

// lay puts on top what the generator gives.
func (e *effective) lay(o *config.Overrides) {
	if o.DefaultPools != nil {
		e.pools = o.DefaultPools
	}
	if o.RegionPools != nil {
		e.regions = o.RegionPools
	}
	if o.Pools != nil {
		e.pools, e.pops, e.places, e.regions = o.Pools, nil, nil, nil
	}
	if o.FallbackPool != "" {
		e.fallback = o.FallbackPool
	}
	if o.SteeringPolicy != "" {
		e.policy, e.implied = o.SteeringPolicy, false
	}
	if o.PoolWeights != nil {
		e.weights = o.PoolWeights
	}
	if o.AdaptiveRouting != nil {
		e.across = *o.AdaptiveRouting.FailoverAcrossPools
	}
	if o.SessionAffinity != "" && o.SessionAffinity != e.affinity {
		e.affinity, e.ttl = o.SessionAffinity, map[string]time.Duration{"cookie": 82800 * time.Second, "header": 1800 * time.Second}[o.SessionAffinity]
	}
	if o.SessionAffinityAttributes != nil && o.SessionAffinityAttributes.ZeroDowntimeFailover != "" {
		e.failover = o.SessionAffinityAttributes.ZeroDowntimeFailover
	}
}

func (e *effective) list(place *config.Place) []string {
	if e.policy == "geo" {
		if list, ok := e.pops[place.PoP]; ok {
			return list
		}
		if list, ok := e.places[place.Country]; ok {
			return list
		}
		if list, ok := e.regions[place.Region]; ok {
			return list
		}
	}
	return e.pools
}

func (e *effective) weigh(id string) int {
	if w, ok := e.weights[id]; ok {
		return int(w)
	}
	return int(e.rest)
}

// next are the pools that may be asked next, of those in question: one, or several where weights decide.
func (m *reference) next(e *effective, open []string, place *config.Place) []string {
	if len(open) == 0 {
		return nil
	}
	switch e.policy {
	case "random", "least_outstanding_requests", "least_connections":
		if !slices.ContainsFunc(e.list(place), func(id string) bool { return e.weigh(id) > 0 }) {
			return open[:1]
		}
		var some []string
		for _, id := range open {
			if e.weigh(id) > 0 {
				some = append(some, id)
			}
		}
		return some
	case "dynamic_latency":
		return least(open, func(id string) float64 { return m.rtt(id, place) })
	case "proximity":
		return least(open, func(id string) float64 { return m.far(id, place) })
	default:
		return open[:1]
	}
}

func least(open []string, of func(id string) float64) []string {
	best := open[0]
	for _, id := range open {
		if of(id) < of(best) {
			best = id
		}
	}
	return []string{best}
}

func (m *reference) rtt(id string, place *config.Place) float64 {
	p := m.pool(id)
	own := place.PoP
	if len(p.CheckRegions) > 0 {
		own = place.Region
	}
	for _, name := range []string{own, ""} {
		if rtt, ok := m.rtts[id+" "+name]; ok {
			return rtt.Seconds()
		}
	}
	return math.Inf(1)
}

func (m *reference) far(id string, place *config.Place) float64 {
	p := m.pool(id)
	if p.Latitude == nil || place.Latitude == 0 {
		return math.Inf(1)
	}
	const degree = math.Pi / 180
	a, b := place.Latitude*degree, *p.Latitude*degree
	h := math.Pow(math.Sin((b-a)/2), 2) + math.Cos(a)*math.Cos(b)*math.Pow(math.Sin((*p.Longitude-place.Longitude)*degree/2), 2)
	return math.Round(2 * 6371e3 * math.Asin(math.Sqrt(h)))
}

func sheds(p *config.Pool, session bool) bool {
	if p.LoadShedding == nil {
		return false
	}
	if session {
		return p.LoadShedding.SessionPercent == 100
	}
	return p.LoadShedding.DefaultPercent == 100
}

func without(list []string, id string) (rest []string) {
	for _, s := range list {
		if s != id {
			rest = append(rest, s)
		}
	}
	return rest
}

// decide is a first attempt.
func (m *reference) decide(q *asked) answer {
	if !m.config.LoadBalancers[0].Enabled {
		return answer{reason: LoadBalancerDisabled, status: 530}
	}
	e, response, why := m.effective(q)
	if response != nil {
		return answer{kind: FixedReply, reason: why, status: response.StatusCode}
	}
	a := answer{kind: ToOrigin, eff: e}
	for _, id := range e.list(&q.place) {
		if m.serves(id, &q.place) && !slices.Contains(a.open, id) {
			a.open = append(a.open, id)
		}
	}
	if m.session(q, e, &a) {
		a.reason, a.pinned, a.from = Pinned, true, []string{a.standing}
		return a
	}
	// Every way the draws can fall: pools that shed everything are passed over, whichever are drawn first.
	open := a.open
	for {
		var shedding, taking []string
		for _, id := range m.next(e, open, &q.place) {
			if sheds(m.pool(id), false) {
				shedding = append(shedding, id)
			} else {
				taking = append(taking, id)
			}
		}
		if len(taking) > 0 {
			a.reason = Steered
			for _, id := range taking {
				p := m.pool(id)
				a.from = append(a.from, names2(id, heavy(p, m.eligible(p, &q.place)))...)
			}
			return a
		}
		if len(shedding) == 0 {
			return m.resort(q, a)
		}
		for _, id := range shedding {
			open = without(open, id)
		}
	}
}

func (m *reference) resort(q *asked, a answer) answer {
	p := m.pool(a.eff.fallback)
	switch {
	case p == nil:
		return answer{reason: FallbackMissing, status: 530}
	case !p.Enabled:
		return answer{reason: FallbackDisabled, status: 530}
	}
	list := m.last(p, &q.place)
	if some := heavy(p, list); len(some) > 0 {
		list = some
	}
	if len(list) == 0 {
		return answer{reason: NothingLeft, status: 530, fallback: true}
	}
	a.reason, a.fallback, a.from = LastResort, true, names2(p.ID, list)
	return a
}

// session finds out whether a session stands, and takes the pool that sheds it out of question.
func (m *reference) session(q *asked, e *effective, a *answer) bool {
	var at remembered
	switch e.affinity {
	case "cookie", "ip_cookie":
		if !strings.Contains(q.cookie, "/") {
			return false
		}
		at.pool, at.origin = split(q.cookie)
	case "header":
		if q.user == "" {
			return false
		}
		a.key = strings.Join(e.headers, " ") + " " + q.user
		r := m.sessions[a.key]
		if r == nil || !r.until.After(q.now) {
			return false
		}
		at = *r
	default:
		return false
	}
	mine := slices.Concat([]string{e.fallback}, e.pools)
	for _, lists := range []map[string][]string{e.pops, e.places, e.regions} {
		for _, list := range lists {
			mine = append(mine, list...)
		}
	}
	p := m.pool(at.pool)
	if !slices.Contains(mine, at.pool) || p == nil || at.origin >= len(p.Origins) || !p.Enabled || m.critical(p, &q.place) || !m.keeps(p, at.origin, e, q) {
		return false
	}
	if sheds(p, true) {
		a.open = without(a.open, p.ID)
		return false
	}
	a.standing = fmt.Sprintf("%s/%d", p.ID, at.origin)
	return true
}

// keeps reports whether an origin keeps its sessions.
func (m *reference) keeps(p *config.Pool, i int, e *effective, q *asked) bool {
	o := &p.Origins[i]
	letter := m.letter(p, i, &q.place)
	if p.Monitor == "" {
		letter = 'U'
	}
	if !o.Enabled {
		drains := !o.DisabledAt.IsZero() && q.now.Before(o.DisabledAt.Add(e.drain))
		return drains && letter != 'D' && m.reachable(o)
	}
	return letter == 'U' && m.reachable(o)
}

// again is a second attempt, after one at tried failed; none when it is not allowed.
func (m *reference) again(q *asked, first answer, tried string, f Failure) (a answer, allowed bool) {
	e := first.eff
	retried := slices.Contains([]Class{ConnectRefused, ConnectTimeout, Unreachable, TLSHandshake, Certificate}, f.Class)
	if !retried || f.Sent && !f.Replayable || first.pinned && e.failover != "temporary" && e.failover != "sticky" {
		return answer{}, false
	}
	a = first
	a.kind, a.reason = ToOrigin, Retried
	id, _, _ := strings.Cut(tried, "/")
	p := m.pool(id)
	list := heavy(p, m.eligible(p, &q.place))
	if first.fallback {
		list = m.last(p, &q.place)
	}
	rest := without(names2(id, list), tried)
	if first.fallback {
		var some []string
		for _, name := range rest {
			if slices.Contains(names2(id, heavy(p, list)), name) {
				some = append(some, name)
			}
		}
		if len(some) > 0 {
			rest = some
		}
	}
	if len(rest) > 0 {
		a.from = rest
		return a, true
	}
	a.reason = RetriedAcross
	if e.across && !first.fallback {
		if open := without(first.open, id); len(open) > 0 {
			next := m.pool(open[0])
			a.from = names2(next.ID, heavy(next, m.eligible(next, &q.place)))
			return a, true
		}
		if e.fallback != id {
			if last := m.resort(q, a); last.kind == ToOrigin {
				last.reason = RetriedAcross
				return last, true
			}
		}
	}
	return answer{reason: NoOtherOrigin, status: f.Class.Status()}, true
}

// keep is what becomes of the session after an answer from an origin, which the exchange must do too.
func (m *reference) keep(q *asked, a *answer, chosen string) SessionAction {
	e := a.eff
	switch e.affinity {
	case "cookie", "ip_cookie":
	case "header":
		if a.key == "" {
			return SessionNone
		}
	default:
		return SessionNone
	}
	action := SessionSet
	if a.pinned && (chosen == a.standing || e.failover != "sticky" || e.affinity == "header") {
		action, chosen = SessionKept, a.standing
	}
	if e.affinity == "header" {
		r := &remembered{until: q.now.Add(e.ttl)}
		r.pool, r.origin = split(chosen)
		m.sessions[a.key] = r
	}
	return action
}

// generator makes random worlds. What is said in one of n cases is one(n).
type generator struct{ *rand.Rand }

func (g generator) one(n int) bool { return g.IntN(n) == 0 }

func pick[T any](g generator, list ...T) T { return list[g.IntN(len(list))] }

const poolIDs = "ABCDE"

func (g generator) ids() []string {
	all := strings.Split(poolIDs, "")
	g.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:g.IntN(len(all)+1)]
}

func (g generator) lists(codes ...string) map[string][]string {
	lists := map[string][]string{}
	for _, code := range codes {
		if g.one(3) {
			lists[code] = g.ids()
		}
	}
	return lists
}

var places = []config.Place{fra, sjc, sea, {PoP: "AMS", Region: "WEU", Country: "NL", Latitude: 52.31, Longitude: 4.76}, {PoP: "ZZZ"}}

var letters3 = []string{"U", "U", "U", "D", "?"}

func (g generator) word(n int) string {
	var b strings.Builder
	for range n {
		b.WriteString(pick(g, letters3...))
	}
	return b.String()
}

func (g generator) weights() map[string]config.Weight {
	if g.one(2) {
		return nil
	}
	weights := map[string]config.Weight{}
	for _, id := range poolIDs {
		if g.one(2) {
			weights[string(id)] = pick[config.Weight](g, 0, 0, 50, 100)
		}
	}
	return weights
}

func (g generator) pool(id string) config.Pool {
	p := policy(pool(id, g.IntN(5)), pick(g, policies...))
	p.Enabled = !g.one(6)
	p.MinimumOrigins = pick(g, 0, 1, 1, 1, 2, 3)
	if g.one(5) {
		p = unmonitored(p)
	}
	if g.one(3) {
		p.LoadShedding = &config.LoadShedding{DefaultPercent: pick(g, 0., 100), DefaultPolicy: pick(g, "random", "hash"), SessionPercent: pick(g, 0., 0, 100)}
	}
	if g.one(2) {
		p.CheckRegions = []string{"WEU", "WNAM"}
	}
	if !g.one(3) {
		lat, lon := float64(g.IntN(160)-80), float64(g.IntN(340)-170)
		p.Latitude, p.Longitude = &lat, &lon
	}
	for i := range p.Origins {
		o := &p.Origins[i]
		o.Weight = pick[config.Weight](g, 0, 1, 50, 100, 100)
		if o.Enabled = !g.one(6); !o.Enabled && !g.one(4) {
			o.DisabledAt.Time = at(-float64(g.IntN(100)))
		}
		if g.one(8) {
			o.Address = pick(g, "one.test", "two.test")
		}
	}
	return p
}

var allPolicies = []string{"off", "geo", "random", "dynamic_latency", "proximity", "least_outstanding_requests", "least_connections"}

func (g generator) balancer() config.LoadBalancer {
	l := affine(lb(pick(g, "", "A", "B", "E", "E"), g.ids()...), pick(g, "none", "cookie", "cookie", "ip_cookie", "header"), 1800)
	l.Enabled = !g.one(40)
	l.SteeringPolicy = pick(g, allPolicies...)
	l.PopPools, l.CountryPools, l.RegionPools = g.lists("FRA", "SJC"), g.lists("US", "NL"), g.lists("WNAM", "WEU")
	if g.one(6) {
		l.SteeringImplied = true
	}
	l.RandomSteering = config.RandomSteering{DefaultWeight: pick[config.Weight](g, 0, 100, 100), PoolWeights: g.weights()}
	l.AdaptiveRouting.FailoverAcrossPools = g.one(2)
	a := &l.SessionAffinityAttributes
	a.ZeroDowntimeFailover, a.DrainDuration = pick(g, "none", "temporary", "sticky"), time.Duration(g.IntN(3)*1000)*time.Second
	a.Headers = []string{"x-user"}
	for range g.IntN(4) {
		l.Rules = append(l.Rules, g.rule())
	}
	for range g.IntN(3) {
		l.PoolSets = append(l.PoolSets, g.poolSet())
	}
	return l
}

func (g generator) rule() config.Rule {
	r := config.Rule{Condition: pick(g, conditions...), Priority: g.IntN(3), Disabled: g.one(6), Terminates: g.one(5)}
	if g.one(8) {
		r.FixedResponse, r.Terminates = &config.FixedResponse{StatusCode: 200 + g.IntN(300)}, true
		return r
	}
	o := &r.Overrides
	switch g.IntN(9) {
	case 0:
		o.DefaultPools = g.ids()
	case 1:
		o.RegionPools = g.lists("WEU", "WNAM")
	case 2:
		o.Pools, o.PoolWeights = append(g.ids(), "C"), g.weights()
	case 3:
		o.FallbackPool = pick(g, "A", "B", "E")
	case 4:
		o.SteeringPolicy = pick(g, allPolicies...)
	case 5:
		across := g.one(2)
		o.AdaptiveRouting = &config.AdaptiveRoutingOverride{FailoverAcrossPools: &across}
	case 6:
		o.SessionAffinity = pick(g, "none", "cookie", "header")
	case 7:
		o.SessionAffinityAttributes = &config.SessionAffinityOverride{ZeroDowntimeFailover: pick(g, "none", "temporary", "sticky")}
	}
	return r
}

func (g generator) poolSet() config.PoolSet {
	s := config.PoolSet{Disabled: g.one(6)}
	if g.one(4) {
		s.Match.Topology.PoPs = []string{"FRA", "SJC"}
	}
	if g.one(3) {
		s.Match.Topology.Countries = []string{"US", "NL"}
	}
	if s.Match.Topology.Regions = []string{"WNAM"}; g.one(2) {
		s.Match.Topology.Regions = nil
	}
	if g.one(8) {
		s.FixedResponse = &config.FixedResponse{StatusCode: 503}
		return s
	}
	s.Overrides = config.PoolSetOverrides{Pools: append(g.ids(), "D"), PoolWeights: g.weights(), SteeringPolicy: pick(g, append(allPolicies, "", "")...)}
	if g.one(2) {
		s.Overrides.FallbackPool = pick(g, "A", "B")
	}
	if g.one(3) {
		s.Overrides.PoolDefaultWeight = weight(pick[config.Weight](g, 0, 30))
	}
	return s
}

func (g generator) belief(p *config.Pool) *belief {
	b := &belief{source: pick(g, "", "local", "regional"), global: g.word(len(p.Origins)), places: map[string]string{}}
	for _, code := range map[string][]string{"local": {"FRA", "AMS", "SJC"}, "regional": {"WEU", "WNAM"}}[b.source] {
		if !g.one(3) {
			b.places[code] = g.word(len(p.Origins))
		}
	}
	return b
}

func (b *belief) picture(p *config.Pool) *health.PoolHealth {
	h := picture(p, b.global)
	if h.Sources = []string{health.SourceGlobal}; b.source != "" {
		h.Sources = []string{b.source, health.SourceGlobal}
	}
	h.Local = b.source == "local"
	for i := range h.Origins {
		h.Origins[i].Places = map[string]health.Verdict{}
		for code, word := range b.places {
			h.Origins[i].Places[code] = health.Verdict{Status: status(word[i])}
		}
	}
	return h
}

// TestAgainstTheReference compares decisions, reasons and sessions in random worlds through random histories: 10⁵
// decisions, 10⁶ with WEIR_LONG=1.
func TestAgainstTheReference(t *testing.T) {
	most := 100_000
	switch {
	case os.Getenv("WEIR_LONG") != "":
		most = 1_000_000
	case testing.Short():
		most = 10_000
	}
	seen := map[Reason]int{}
	for seed, decisions := uint64(1), 0; decisions < most; seed++ {
		g := generator{rand.New(rand.NewPCG(seed, 7))}
		decisions += history(t, g, seed, seen)
		if t.Failed() {
			return
		}
	}
	for _, why := range []Reason{
		Steered, Pinned, Retried, LastResort, RetriedAcross, RuleResponse, PoolSetResponse, LoadBalancerDisabled, FallbackMissing,
		FallbackDisabled, NothingLeft, NoOtherOrigin,
	} {
		if seen[why] < most/5000 {
			t.Errorf("only %d decisions were %v: the worlds are not random enough", seen[why], why)
		}
	}
	t.Logf("%v", seen)
}

// history lives through one world, and returns how many decisions that took.
func history(t *testing.T, g generator, seed uint64, seen map[Reason]int) int {
	c := &config.Config{LoadBalancers: []config.LoadBalancer{g.balancer()}, Monitors: []config.Monitor{{ID: "m", Type: "tcp"}}}
	c.Weir.Location = fra
	for _, id := range poolIDs {
		c.Pools = append(c.Pools, g.pool(string(id)))
	}
	m := &reference{config: c, beliefs: map[string]*belief{}, rtts: map[string]time.Duration{}, resolves: map[string]bool{}, sessions: map[string]*remembered{}}
	w := &world{t: t, config: c, table: health.NewTable(), registry: NewRegistry(1), names: names{}, sessions: NewSessions(NewSealer([]byte("key")), 1000)}
	for i := range c.Pools {
		p := &c.Pools[i]
		m.beliefs[p.ID] = g.belief(p)
		w.table.Set(m.beliefs[p.ID].picture(p))
		for _, place := range []string{"", "FRA", "WEU"} {
			if g.one(2) {
				m.rtts[p.ID+" "+place] = time.Duration(1+g.IntN(5)) * time.Millisecond
				if place != "" && (place == "WEU") != (len(p.CheckRegions) > 0) {
					delete(m.rtts, p.ID+" "+place)
					continue
				}
				w.table.RTT(p.ID, place).Store(m.rtts[p.ID+" "+place])
			}
		}
	}
	w.snapshot = Build(nil, w.inputs(), Changed{Config: true})
	decisions := 0
	now := 0.
	for range 60 {
		now += float64(g.IntN(60))
		if g.one(4) {
			w.change(g, m)
		}
		decisions += w.compare(g, m, now, fmt.Sprintf("world %d, %v s", seed, now), seen)
		if t.Failed() {
			return decisions
		}
	}
	return decisions
}

// change has something happen to health or names.
func (w *world) change(g generator, m *reference) {
	if g.one(4) {
		name := pick(g, "one.test", "two.test")
		if m.resolves[name] = !m.resolves[name]; m.resolves[name] {
			w.names[name] = []netip.Addr{netip.MustParseAddr("192.0.2.99")}
		} else {
			delete(w.names, name)
		}
		w.refresh(strings.Split(poolIDs, "")...)
		return
	}
	var ids []string
	for range 1 + g.IntN(2) {
		p := &m.config.Pools[g.IntN(len(m.config.Pools))]
		m.beliefs[p.ID] = g.belief(p)
		w.table.Set(m.beliefs[p.ID].picture(p))
		ids = append(ids, p.ID)
	}
	w.refresh(ids...)
}

// compare sends one request both ways, and a second attempt if one is allowed.
func (w *world) compare(g generator, m *reference, now float64, when string, seen map[Reason]int) int {
	q := &asked{path: pick(g, "/", "/a", "/b", "/ab"), user: pick(g, "", "1", "2"), post: g.one(2), place: pick(g, places...), now: at(now)}
	r := client(g.Uint64N(50), g.Uint64())
	r.Path, r.Method, r.Place, r.Now = []byte(q.path), []byte("GET"), &q.place, q.now
	if q.post {
		r.Method = []byte("POST")
	}
	f := fields{}
	if q.user != "" {
		f["x-user"] = []string{q.user}
	}
	w.cookie(g, q, f)
	r.Fields = f
	trail := Trail{Steps: &Steps{}}
	if g.one(2) {
		trail.Steps = nil // it must make no difference
	}
	want, d := m.decide(q), w.snapshot.Direct(r, &trail)
	fail := func(what string) {
		w.t.Errorf("%s: %+v\n%s: got %v %s (%v, status %d, fallback %v, session %v)\nwant %v %v of %v (status %d, fallback %v)\n%+v",
			when, *q, what, d.Kind, where(d), d.Reason, d.Status, d.Fallback, d.Session.Action,
			want.kind, want.reason, want.from, want.status, want.fallback, m.config.LoadBalancers[0])
		if trail.Steps != nil {
			w.t.Log(told(trail.Steps))
		}
	}
	seen[d.Reason]++
	if !want.allows(d) {
		fail("the first attempt")
		return 1
	}
	if d.Kind != ToOrigin {
		return 1
	}
	for _, p := range trail.Shed() { // which of those that shed everything were asked is for the draws
		if !sheds(p.Pool.Config, p.Reason == PoolShedSession) {
			fail("it was shed by " + p.Pool.Config.ID)
		}
		want.open = without(want.open, p.Pool.Config.ID)
	}
	tried, made := place(d), 1
	if g.one(2) {
		failure := Failure{Class: Class(1 + g.IntN(9)), Sent: g.one(3), Replayable: g.one(2)}
		second, allowed := m.again(q, want, tried, failure)
		if got := trail.Failed(failure); got != allowed {
			fail(fmt.Sprintf("after %v, another attempt allowed %v", failure, got))
			return 1
		}
		if !allowed {
			return 1
		}
		want, d, made = second, w.snapshot.Direct(r, &trail), 2
		seen[d.Reason]++
		if !want.allows(d) || d.Kind == ToOrigin && d.Attempt != 2 {
			fail("the second attempt, after " + tried)
			return 2
		}
		if d.Kind != ToOrigin {
			return 2
		}
	}
	if action := m.keep(q, &want, place(d)); action != d.Session.Action {
		fail(fmt.Sprintf("the session: want %v", action))
	}
	if set := d.Session.AppendSetCookie(nil); len(set) > 0 {
		value := set[len(CookieName)+1:][:39]
		if origin, why := w.sessions.sealer.Open(value, "lb", q.now); why != Yes || origin != d.Origin.Live.ID {
			fail("the cookie names another origin")
		}
	}
	d.Session.Remember()
	return made
}

// cookie makes up a session cookie, perhaps.
func (w *world) cookie(g generator, q *asked, f fields) {
	p := w.snapshot.pools[g.IntN(len(w.snapshot.pools))]
	var value []byte
	switch what, n := g.IntN(8), len(p.Origins); {
	case what < 2:
		return
	case what == 2:
		q.cookie, value = "forged", []byte("forged")
	case n == 0:
		return
	case what == 3:
		q.cookie, value = "expired", w.sessions.sealer.AppendValue(nil, "lb", p.Origins[0].Live.ID, q.now)
	default:
		i := g.IntN(n)
		q.cookie = fmt.Sprintf("%s/%d", p.Config.ID, i)
		value = w.sessions.sealer.AppendValue(nil, "lb", p.Origins[i].Live.ID, q.now.Add(time.Minute))
	}
	f["cookie"] = []string{CookieName + "=" + string(value)}
}

// place is the chosen origin as the reference names it.
func place(d Decision) string {
	i := slices.IndexFunc(d.Pool.Origins, func(o PoolOrigin) bool { return o.Live == d.Origin.Live })
	return fmt.Sprintf("%s/%d", d.Pool.Config.ID, i)
}

func (a *answer) allows(d Decision) bool {
	if d.Kind != a.kind || d.Reason != a.reason {
		return false
	}
	if d.Kind != ToOrigin {
		return d.Status == a.status
	}
	return d.Fallback == a.fallback && slices.Contains(a.from, place(d))
}
