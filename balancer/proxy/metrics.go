package proxy

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/balancer/proxy/wire"
	"github.com/weirlb/weir/config"
)

// Metrics counts exchanges, by the names that the configuration gives to load balancers, pools and origins and by
// nothing that a request brings. Its series leave with their object:
//
//	serve ─► Observe ─► series of (load balancer, pool, origin) ─► one row of counters per writer ◄── Collect
//	                             ▲
//	reload ─► Keep ──────────────┘ forgets what the configuration has no longer
//
// Observe takes no lock and does not allocate, except for the first exchange of a kind after a reload.
type Metrics struct {
	rows   uint64
	server atomic.Pointer[Server]

	generation atomic.Pointer[generation]
	rare       rareCounts
	sessions   []sessionRow

	mu    sync.Mutex // guards the maps; not taken by Observe in the steady state
	ways  map[wayKey]*way
	pools map[string]*poolSeries // by name
}

// generation is what can be found by the objects of one configuration, without a lock. A reload begins a new one, so
// that nothing of the configuration before is held.
type generation struct {
	revision  uint64
	perOrigin bool
	nowhere   *way     // of requests without a load balancer
	balancers sync.Map // *config.LoadBalancer → *balancerWays
	pools     sync.Map // *config.Pool → *poolSeries, of the pools that shed
}

type balancerWays struct {
	none   atomic.Pointer[way] // of requests that no origin got
	origin sync.Map            // *config.Origin → *way
}

// wayKey are the labels of a way: names, each once in a configuration. "" where nothing is concerned.
type wayKey struct{ lb, pool, origin string }

// way is where exchanges went: through a load balancer to a pool's origin.
type way struct {
	rows   []wayRow
	pool   *poolSeries // nil without one
	policy string
}

// wayRow is what one writer counts, on cache lines of its own.
type wayRow struct {
	codes   [codeClasses]atomic.Uint64
	reasons [len(chosen)]atomic.Uint64
	_       [(128 - 8*(codeClasses+len(chosen))%128) % 128]byte
}

// The classes of status codes; an exchange without an answer has class "none".
const codeClasses = 6

var codeClassNames = [codeClasses]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

// chosen are the reasons why an origin is chosen, by position in wayRow.reasons.
var chosen = [...]balancer.Reason{
	balancer.Steered, balancer.Pinned, balancer.Retried, balancer.LastResort, balancer.RetriedAcross,
}

// poolSeries is what is counted per pool.
type poolSeries struct {
	duration, firstByte []histogramRow
	classes             []poolRow
	shedPolicy          string // of default_percent; "" while nothing was shed
	sessionPolicy       string
}

type poolRow struct {
	cut, gone, upgraded, shed, shedSessions atomic.Uint64

	_ [88]byte
}

// buckets are the bounds of the histograms: 1 ms to 60 s.
var buckets = [...]time.Duration{
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute,
}

type histogramRow struct {
	counts [len(buckets) + 1]atomic.Uint64 // the last one is beyond every bound
	sum    atomic.Uint64                   // nanoseconds
	_      [(128 - 8*(len(buckets)+2)%128) % 128]byte
}

// sessionRow counts what became of sessions, one writer's share.
type sessionRow struct {
	results [sessionResults]atomic.Uint64
	_       [(128 - 8*sessionResults%128) % 128]byte
}

// rareCounts are of what is not an ordinary exchange; one row is enough for them.
type rareCounts struct {
	retries   [256]atomic.Uint64 // by balancer.Class
	errors    [256]atomic.Uint64 // by balancer.Class
	refused   [256]atomic.Uint64 // by balancer.Reason
	fixed     [256]atomic.Uint64 // by balancer.Reason
	fallback  [256]atomic.Uint64 // by balancer.Reason
	redials   atomic.Uint64
	malformed map[string]*atomic.Uint64 // by cause; made once
}

// NewMetrics counts in as many rows as there are writers: Options.Rows.
func NewMetrics(rows int) *Metrics {
	if rows < 1 {
		panic("BUG: metrics need at least one row of counters, not " + strconv.Itoa(rows))
	}
	m := &Metrics{
		rows: uint64(rows), ways: map[wayKey]*way{}, pools: map[string]*poolSeries{}, sessions: make([]sessionRow, rows),
	}
	m.rare.malformed = map[string]*atomic.Uint64{}
	for _, c := range wire.Causes() {
		m.rare.malformed[c.String()] = new(atomic.Uint64)
	}
	m.generation.Store(&generation{perOrigin: true, nowhere: m.way(wayKey{}, "")})
	return m
}

// Watch adds a server's own gauges and counters: its clients, overloads and panics.
func (m *Metrics) Watch(s *Server) { m.server.Store(s) }

// Keep is told of every new configuration, after the first snapshot of it became the current one. What it names no
// longer is forgotten. Without perOrigin the label origin is left empty.
func (m *Metrics) Keep(s *balancer.Snapshot, perOrigin bool) {
	pools, balancers, origins := namesOf(s)
	m.mu.Lock()
	defer m.mu.Unlock()
	for key := range m.ways {
		gone := key.lb != "" && !balancers[key.lb] || key.pool != "" && !pools[key.pool] ||
			key.origin != "" && (!perOrigin || !origins[[2]string{key.pool, key.origin}]) ||
			key.origin == "" && key.pool != "" && perOrigin
		if gone {
			delete(m.ways, key)
		}
	}
	for name := range m.pools {
		if !pools[name] {
			delete(m.pools, name)
		}
	}
	m.generation.Store(&generation{revision: s.Revision, perOrigin: perOrigin, nowhere: m.ways[wayKey{}]})
}

func namesOf(s *balancer.Snapshot) (pools, balancers map[string]bool, origins map[[2]string]bool) {
	pools, balancers, origins = map[string]bool{}, map[string]bool{}, map[[2]string]bool{}
	for _, p := range s.Pools() {
		pools[p.Config.Name] = true
		for i := range p.Config.Origins {
			origins[[2]string{p.Config.Name, p.Config.Origins[i].Name}] = true
		}
	}
	for _, lb := range s.LoadBalancers() {
		balancers[lb.Config.Name] = true
	}
	return pools, balancers, origins
}

// Observe is for Options.Observe.
func (m *Metrics) Observe(o *Outcome) {
	row := uint64(o.Row) % m.rows
	m.observeRare(o)
	for i := range o.Shed {
		m.observeShed(o, &o.Shed[i], row)
	}
	if o.Session != NoSession {
		m.sessions[row].results[o.Session].Add(1)
	}
	w := m.find(o)
	if w == nil {
		return // of an object that a reload has taken away since
	}
	r := &w.rows[row]
	r.codes[codeClass(o.Status)].Add(1)
	if o.Decision.Kind == balancer.ToOrigin {
		if i := slices.Index(chosen[:], o.Decision.Reason); i >= 0 {
			r.reasons[i].Add(1)
		}
	}
	if w.pool != nil {
		w.pool.observe(o, row)
	}
}

func (p *poolSeries) observe(o *Outcome, row uint64) {
	if o.Wait > 0 {
		p.firstByte[row].observe(o.Wait)
	}
	if o.Upgraded { // how long a tunnel lives says nothing of how fast anything is
		p.classes[row].upgraded.Add(1)
	} else {
		p.duration[row].observe(o.Duration)
	}
	if o.Class == balancer.AnswerCut {
		p.classes[row].cut.Add(1)
	}
	if o.Class == balancer.ClientGone {
		p.classes[row].gone.Add(1)
	}
}

func (m *Metrics) observeRare(o *Outcome) {
	d := &o.Decision
	if o.Class != balancer.OK {
		m.rare.errors[o.Class].Add(1)
	}
	if o.Retried != balancer.OK {
		m.rare.retries[o.Retried].Add(1)
	}
	if o.Redialed {
		m.rare.redials.Add(1)
	}
	if d.Kind == balancer.Refused && decided(d) {
		m.rare.refused[d.Reason].Add(1)
	}
	if d.Kind == balancer.FixedReply {
		m.rare.fixed[d.Reason].Add(1)
	}
	if d.Fallback {
		m.rare.fallback[d.Reason].Add(1)
	}
	if o.Cause != "" {
		if n := m.rare.malformed[o.Cause]; n != nil {
			n.Add(1)
		}
	}
}

func (m *Metrics) observeShed(o *Outcome, s *balancer.ShedPool, row uint64) {
	found, _ := m.generation.Load().pools.Load(s.Pool.Config)
	p, ok := found.(*poolSeries)
	if !ok {
		if p = m.enterShedding(o, s.Pool.Config); p == nil {
			return // a reload has taken it away since
		}
	}
	r := &p.classes[row]
	if s.Reason == balancer.PoolShedSession {
		r.shedSessions.Add(1)
	} else {
		r.shed.Add(1)
	}
}

// enterShedding makes a pool that sheds findable; nil for one that a reload has left behind.
func (m *Metrics) enterShedding(o *Outcome, c *config.Pool) *poolSeries {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.generation.Load()
	if o.Revision < g.revision {
		return m.pools[c.Name]
	}
	p := m.pool(c.Name)
	p.shedPolicy, p.sessionPolicy = c.LoadShedding.DefaultPolicy, c.LoadShedding.SessionPolicy
	g.pools.Store(c, p)
	return p
}

func (h *histogramRow) observe(d time.Duration) {
	i := 0
	for i < len(buckets) && d > buckets[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(uint64(max(d, 0)))
}

func codeClass(status int) int {
	if status < 100 || status > 599 {
		return 0
	}
	return status / 100
}

// find returns where an exchange is counted; nil for one that a reload has left behind.
func (m *Metrics) find(o *Outcome) *way {
	g, d := m.generation.Load(), &o.Decision
	if d.LB == nil {
		return g.nowhere
	}
	entry, ok := g.balancers.Load(d.LB.Config)
	if !ok {
		return m.enter(o)
	}
	ways := entry.(*balancerWays)
	if d.Origin == nil {
		if w := ways.none.Load(); w != nil {
			return w
		}
		return m.enter(o)
	}
	if w, ok := ways.origin.Load(d.Origin.Config); ok {
		return w.(*way)
	}
	return m.enter(o)
}

// enter makes an exchange's way findable. One that began before the last reload is counted where that left a series,
// and makes none: its objects may be gone.
func (m *Metrics) enter(o *Outcome) *way {
	d := &o.Decision
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.generation.Load()
	key, policy := keyOf(d, g.perOrigin)
	if o.Revision < g.revision {
		return m.ways[key]
	}
	w := m.way(key, policy)
	entry, _ := g.balancers.LoadOrStore(d.LB.Config, &balancerWays{})
	ways := entry.(*balancerWays)
	if d.Origin == nil {
		ways.none.Store(w)
	} else {
		ways.origin.Store(d.Origin.Config, w)
	}
	return w
}

func keyOf(d *balancer.Decision, perOrigin bool) (key wayKey, policy string) {
	key.lb = d.LB.Config.Name
	if d.Pool != nil {
		key.pool, policy = d.Pool.Config.Name, d.Pool.Config.OriginSteering.Policy
	}
	if d.Origin != nil && perOrigin {
		key.origin = d.Origin.Config.Name
	}
	return key, policy
}

// way returns the series of a key, making them if there are none. It needs mu.
func (m *Metrics) way(key wayKey, policy string) *way {
	w := m.ways[key]
	if w == nil {
		w = &way{rows: make([]wayRow, m.rows)}
		if key.pool != "" {
			w.pool = m.pool(key.pool)
		}
		m.ways[key] = w
	}
	w.policy = policy
	return w
}

// pool needs mu.
func (m *Metrics) pool(name string) *poolSeries {
	p := m.pools[name]
	if p == nil {
		p = &poolSeries{
			duration: make([]histogramRow, m.rows), firstByte: make([]histogramRow, m.rows), classes: make([]poolRow, m.rows),
		}
		m.pools[name] = p
	}
	return p
}

// What is collected.
var (
	requestsDesc  = describe("requests_total", "Exchanges by the class of the status sent; none: nothing was sent.", "lb", "pool", "origin", "code_class")
	decisionsDesc = describe("decisions_total", "Exchanges by the last decision for an origin.", "pool", "origin", "policy", "reason")
	durationDesc  = describe("request_duration_seconds", "From the request's head to the answer's last byte; tunnels are left out.", "pool")
	firstByteDesc = describe("upstream_first_byte_seconds", "From asking for a connection to the first byte of the origin's answer, of the last attempt.", "pool")
	cutDesc       = describe("answers_cut_total", "Answers that broke off after they had begun.", "pool")
	goneDesc      = describe("client_gone_total", "Exchanges whose client went away before their end.", "pool")
	upgradedDesc  = describe("tunnels_total", "Exchanges that became tunnels and have ended.", "pool")
	errorsDesc    = describe("errors_total", "Exchanges that did not end well, by error class.", "class")
	retriesDesc   = describe("retries_total", "Second attempts, by how the first one failed.", "reason")
	redialsDesc   = describe("redials_total", "Kept connections that turned out to be closed, and were dialled anew.")
	refusedDesc   = describe("refused_total", "Requests that no origin was chosen for, by the reason.", "reason")
	fixedDesc     = describe("fixed_responses_total", "Requests answered with a fixed response, by what says so.", "reason")
	affinityDesc  = describe("affinity_total", "Exchanges with a session, by what became of it.", "outcome")
	fallbackDesc  = describe("fallback_total", "Requests that came down to the fallback pool, by what was decided there.", "reason")
	shedDesc      = describe("shed_total", "Times that a pool's load shedding turned a request away.", "pool", "policy", "kind")
	malformedDesc = describe("malformed_total", "Malformed messages, by cause.", "cause")
	overloadDesc  = describe("overload_connections_total", "Connections answered with 503 because the client table was full.")
	panicsDesc    = describe("panics_total", "Requests ended by a fault of weir's own.")
	clientsDesc   = describe("clients_open", "Client connections.")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("weir_"+name, help, labels, nil)
}

// Describe is for prometheus.Collector.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		requestsDesc, decisionsDesc, durationDesc, firstByteDesc, cutDesc, goneDesc, upgradedDesc, errorsDesc, retriesDesc,
		redialsDesc, refusedDesc, fixedDesc, affinityDesc, fallbackDesc, shedDesc, malformedDesc, overloadDesc, panicsDesc, clientsDesc,
	} {
		to <- d
	}
}

// Collect is for prometheus.Collector.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	decisions := map[decisionKey]uint64{}
	for key, w := range m.ways {
		w.collect(to, key, decisions)
	}
	for key, n := range decisions {
		counter(to, decisionsDesc, n, key.pool, key.origin, key.policy, key.reason)
	}
	for name, p := range m.pools {
		p.collect(to, name)
	}
	m.collectRare(to)
	if s := m.server.Load(); s != nil {
		counter(to, overloadDesc, s.Overloads.Load())
		counter(to, panicsDesc, s.Panics.Load())
		to <- prometheus.MustNewConstMetric(clientsDesc, prometheus.GaugeValue, float64(s.Clients()))
	}
}

type decisionKey struct{ pool, origin, policy, reason string }

// collect sends a way's requests and adds up its decisions: several load balancers may share an origin.
func (w *way) collect(to chan<- prometheus.Metric, key wayKey, decisions map[decisionKey]uint64) {
	var codes [codeClasses]uint64
	var reasons [len(chosen)]uint64
	for i := range w.rows {
		for c := range codes {
			codes[c] += w.rows[i].codes[c].Load()
		}
		for r := range reasons {
			reasons[r] += w.rows[i].reasons[r].Load()
		}
	}
	for c, n := range codes {
		if n > 0 {
			counter(to, requestsDesc, n, key.lb, key.pool, key.origin, codeClassNames[c])
		}
	}
	for r, n := range reasons {
		if n > 0 {
			decisions[decisionKey{key.pool, key.origin, w.policy, chosen[r].String()}] += n
		}
	}
}

func (p *poolSeries) collect(to chan<- prometheus.Metric, name string) {
	histogram(to, durationDesc, p.duration, name)
	histogram(to, firstByteDesc, p.firstByte, name)
	var cut, gone, upgraded, shed, shedSessions uint64
	for i := range p.classes {
		cut += p.classes[i].cut.Load()
		gone += p.classes[i].gone.Load()
		upgraded += p.classes[i].upgraded.Load()
		shed += p.classes[i].shed.Load()
		shedSessions += p.classes[i].shedSessions.Load()
	}
	if p.shedPolicy != "" {
		counter(to, shedDesc, shed, name, p.shedPolicy, "default")
		counter(to, shedDesc, shedSessions, name, p.sessionPolicy, "session")
	}
	counter(to, cutDesc, cut, name)
	counter(to, goneDesc, gone, name)
	counter(to, upgradedDesc, upgraded, name)
}

func histogram(to chan<- prometheus.Metric, desc *prometheus.Desc, rows []histogramRow, labels ...string) {
	upTo := make(map[float64]uint64, len(buckets))
	var count, sum uint64
	for b := range len(buckets) + 1 {
		for i := range rows {
			count += rows[i].counts[b].Load()
		}
		if b < len(buckets) {
			upTo[buckets[b].Seconds()] = count
		}
	}
	for i := range rows {
		sum += rows[i].sum.Load()
	}
	to <- prometheus.MustNewConstHistogram(desc, count, float64(sum)/float64(time.Second), upTo, labels...)
}

// collectRare sends closed sets. A member that never occurred has no series, but for those with a name of their own.
func (m *Metrics) collectRare(to chan<- prometheus.Metric) {
	for _, c := range balancer.Classes() {
		counterIf(to, errorsDesc, &m.rare.errors[c.Class], c.Token)
		counterIf(to, retriesDesc, &m.rare.retries[c.Class], c.Token)
	}
	for _, r := range balancer.Reasons() {
		counterIf(to, refusedDesc, &m.rare.refused[r.Reason], r.Token)
		counterIf(to, fixedDesc, &m.rare.fixed[r.Reason], r.Token)
		counterIf(to, fallbackDesc, &m.rare.fallback[r.Reason], r.Token)
	}
	for cause, n := range m.rare.malformed {
		counterIf(to, malformedDesc, n, cause)
	}
	counter(to, redialsDesc, m.rare.redials.Load())
	for r := NoSession + 1; r < sessionResults; r++ {
		n := uint64(0)
		for i := range m.sessions {
			n += m.sessions[i].results[r].Load()
		}
		if n > 0 {
			counter(to, affinityDesc, n, r.String())
		}
	}
}

func counterIf(to chan<- prometheus.Metric, desc *prometheus.Desc, n *atomic.Uint64, label string) {
	if v := n.Load(); v > 0 {
		counter(to, desc, v, label)
	}
}

func counter(to chan<- prometheus.Metric, desc *prometheus.Desc, n uint64, labels ...string) {
	to <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), labels...)
}

var _ prometheus.Collector = (*Metrics)(nil)
