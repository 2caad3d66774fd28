package health

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/weirlb/weir/config"
)

// Scale is how many vantage points probe from each region.
type Scale uint8

const (
	ScaleOne  Scale = iota // one per region
	ScaleFull              // three per region, as at Cloudflare
)

// ParseScale reads a --probe-scale: "1" (or nothing) or "full".
func ParseScale(s string) (Scale, error) {
	switch s {
	case "", "1":
		return ScaleOne, nil
	case "full":
		return ScaleFull, nil
	}
	return ScaleOne, fmt.Errorf("probe scale %q is not known: use 1 or full", s)
}

// Options is what an Engine works with. Every field may be left out. Callbacks run one at a time, in the order of what
// they report, and must return soon; they may call the Engine, but not Close.
type Options struct {
	Scale    Scale
	Seed     uint64                // of the dice that stage lost probes
	OnChange func(poolID string)   // the Status of some verdict in the pool's picture changed, or the pool came or went
	OnEvent  func(Event)           // a change of a global verdict or of a pool's state
	OnProbe  func(ProbeResult)     // every attempt
	Probe    Prober                // in place of the probers for the monitor's type
	Resolver *net.Resolver         // nil: the system's
	Roots    func() *x509.CertPool // whom https probes trust, asked at every handshake; nil: the system's
}

// ProbeResult is one attempt, told to Options.OnProbe.
type ProbeResult struct {
	Time    time.Time // when it ended
	Monitor string    // id
	PoolID  string
	Pool    string // name
	Origin  string // name
	Region  string // region code, or data centre
	Result  Result
	Outcome Outcome
	Late    time.Duration // how long after it was due it began
}

// Engine probes every enabled origin of every enabled monitored pool and keeps a Table of what it believes. Its methods
// may be called from anywhere at any time.
//
// One goroutine schedules; every running attempt has its own. Nothing limits how many run at once but the number of
// checks itself, since the rounds of one check never overlap: an origin that swallows packets holds one goroutine and
// one descriptor of its own for each vantage point, and delays nobody.
type Engine struct {
	opt   Options
	net   network
	table *Table

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup
	poke   chan struct{} // something may be due earlier than the scheduler thinks

	mu         sync.Mutex // guards what follows; never held during a probe or a callback
	schedule   Schedule
	applied    bool
	order      []*pool // as configured
	pools      map[string]*pool
	points     map[pointKey]*point
	running    map[*Check]*point // the point of every check in the schedule
	behind     map[*pool]bool    // pools that have changed since their last picture
	events     ring
	outbox     []func() // callbacks that are due
	delivering bool
}

// NewEngine returns an engine that probes nothing until Apply. Close it.
func NewEngine(o Options) *Engine {
	e := &Engine{
		opt:     o,
		net:     network{resolver: o.Resolver, roots: o.Roots},
		table:   NewTable(),
		poke:    make(chan struct{}, 1),
		pools:   map[string]*pool{},
		points:  map[pointKey]*point{},
		running: map[*Check]*point{},
		behind:  map[*pool]bool{},
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.wg.Go(e.loop)
	return e
}

// Close stops every probe and waits for it. The Table stays as it is. Only the first call does anything.
func (e *Engine) Close() {
	e.cancel()
	e.wg.Wait()
}

// Table is what the engine believes. The engine alone writes to it.
func (e *Engine) Table() *Table { return e.table }

// Ready reports whether every check has a result, and which have none: "pool/origin from REGION", and by which monitor
// where there are several, in the order of the configuration.
func (e *Engine) Ready() (ready bool, waitingFor []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.applied {
		return false, []string{"a configuration"}
	}
	for _, p := range e.order {
		for _, o := range p.origins {
			for _, m := range o.members {
				waitingFor = append(waitingFor, o.waitsFor(m, p.cfg.Name)...)
			}
		}
	}
	return len(waitingFor) == 0, waitingFor
}

// waitsFor lists the places from which one of o's monitors has no result yet.
func (o *origin) waitsFor(m *member, pool string) []string {
	var list []string
	for _, pl := range m.places {
		if !pl.waits() {
			continue
		}
		what := pool + "/" + o.cfg.Name + " from " + pl.name
		if len(o.members) > 1 {
			what += " by monitor " + m.monitor
		}
		list = append(list, what)
	}
	return list
}

// waits reports whether some point of the place is probed and has no result yet.
func (pl *place) waits() bool {
	for _, pt := range pl.points {
		if pt.check != nil && pt.counter.status == Unknown {
			return true
		}
	}
	return false
}

// Events returns the last 1,024 events, newest first.
func (e *Engine) Events() []Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.events.newestFirst()
}

// Apply makes the engine probe what cfg asks for. What is believed is kept for every (monitor, origin identity, vantage
// point) that cfg still has; a check whose monitor or origin changed what it probes begins anew, with the state it had.
// When Apply returns, the Table shows cfg's pools. cfg must not change afterwards.
func (e *Engine) Apply(cfg *config.Config) {
	e.mu.Lock()
	if e.ctx.Err() == nil {
		e.reconcile(time.Now(), cfg)
	}
	e.mu.Unlock()
	e.deliver()
	e.nudge()
}

// reconcile needs e.mu.
func (e *Engine) reconcile(now time.Time, cfg *config.Config) {
	pl := planned{now: now, known: e.points, kept: make(map[pointKey]*point, len(e.points))}
	old := e.pools
	e.applied, e.order, e.pools = true, nil, make(map[string]*pool, len(cfg.Pools))
	clear(e.behind)
	for i := range cfg.Pools {
		id := cfg.Pools[i].ID
		p := pl.plan(cfg, &cfg.Pools[i], old[id], e.opt.Scale, func(place string) *RTT { return e.table.RTT(id, place) })
		e.order = append(e.order, p)
		e.pools[p.cfg.ID] = p
	}
	e.points = pl.kept
	for key, pt := range pl.known {
		if pl.kept[key] != pt && pt.check != nil {
			pl.stop = append(pl.stop, pt)
		}
	}
	e.stop(pl.stop)
	for _, pt := range pl.start {
		e.schedule.Add(now, pt.check)
		e.running[pt.check] = pt
	}
	for _, p := range e.order {
		e.announce(now, old[p.cfg.ID], p)
		old[p.cfg.ID].untell(p)
		p.tell()
		e.publish(now, p)
	}
	for id := range old {
		if e.pools[id] == nil {
			e.table.Delete(id)
			e.changed(id)
		}
	}
}

// stop takes checks out of the schedule and ends their running attempts. It needs e.mu.
func (e *Engine) stop(points []*point) {
	for _, pt := range points {
		e.schedule.Remove(pt.check)
		delete(e.running, pt.check)
		if pt.cancel != nil {
			pt.cancel()
		}
	}
}

// announce reports what a new configuration did to a pool's verdicts by itself. It needs e.mu.
func (e *Engine) announce(now time.Time, old, p *pool) {
	if old == nil || !old.cfg.Enabled || !p.cfg.Enabled {
		return // pools come, go, and are switched on and off without a change of health
	}
	const why = "the configuration changed"
	state := old.state
	before := remembered(old, p)
	for _, o := range p.origins {
		if was := before[o.key]; was != nil && o.live && was.live && was.global.Status != o.global.Status {
			e.report(now, p, state, o, Event{Reason: o.global.Reason, Detail: why})
			state = p.state
		}
	}
	if state != p.state {
		e.report(now, p, state, nil, Event{Detail: why})
	}
}

// loop starts checks when they are due and draws the pictures that had to wait.
func (e *Engine) loop() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-e.poke:
		case <-timer.C:
		}
		now := time.Now()
		next, ok := e.step(now)
		e.deliver()
		if ok {
			timer.Reset(next.Sub(now))
		} else {
			timer.Stop()
		}
	}
}

// nudge makes the scheduler look again.
func (e *Engine) nudge() {
	select {
	case e.poke <- struct{}{}:
	default: // it is about to look anyway
	}
}

// step does everything that is due and says when it wants to be called again.
func (e *Engine) step(now time.Time) (next time.Time, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		due, c, waiting := e.schedule.Next()
		if !waiting || due.After(now) {
			next, ok = due, waiting
			break
		}
		e.start(c)
	}
	for p := range e.behind {
		due := p.published.Add(p.pace())
		switch {
		case !due.After(now):
			e.publish(now, p)
		case !ok || due.Before(next):
			next, ok = due, true
		}
	}
	return next, ok
}

// start sends an attempt on its way. It needs e.mu.
func (e *Engine) start(c *Check) {
	pt := e.running[c]
	e.schedule.Start(c)
	probe := e.opt.Probe
	if probe == nil {
		probe = e.net.prober(pt.settings.target.Monitor.Type)
	}
	pt.attempts++
	a := attempt{settings: pt.settings, probe: probe, dice: mix(e.opt.Seed, nameBits(c.Name)+pt.attempts)}
	ctx, cancel := context.WithCancel(e.ctx)
	pt.cancel = cancel
	e.wg.Go(func() {
		defer cancel()
		started := time.Now()
		r := a.run(ctx, c.Timeout)
		ended := time.Now()
		if r.RTT == 0 {
			r.RTT = ended.Sub(started)
		}
		e.observe(c, r, started, ended)
	})
}

// attempt is one try of one probe, with everything it needs.
type attempt struct {
	settings settings
	probe    Prober
	dice     uint64
}

// run makes the attempt. A prober that panics has failed, and nothing else has.
func (a attempt) run(ctx context.Context, timeout time.Duration) (r Result) {
	defer func() {
		if fault := recover(); fault != nil {
			r = Result{Reason: OtherFailure, Detail: fmt.Sprintf("the prober panicked: %v\n%s", fault, debug.Stack())}
		}
	}()
	if a.settings.broken != "" {
		return misconfigured(a.settings.broken)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return a.settings.stage.run(ctx, a.probe, a.settings.target, a.dice)
}

// observe takes in what came of an attempt.
func (e *Engine) observe(c *Check, r Result, started, ended time.Time) {
	e.mu.Lock()
	if pt := e.running[c]; pt != nil && e.ctx.Err() == nil {
		late := started.Sub(c.Due())
		outcome := e.schedule.Observe(ended, c, Attempt{Started: started, Timeout: r.Timeout, NoVerdict: r.NoVerdict})
		e.probed(pt, r, outcome, late, ended)
		if outcome == Counts {
			e.believe(ended, pt, r)
		}
	}
	e.mu.Unlock()
	e.deliver()
	e.nudge()
}

// believe carries a counted result up from its point. It needs e.mu.
func (e *Engine) believe(now time.Time, pt *point, r Result) {
	p, o, m := pt.pool, pt.origin, pt.member
	pt.observe(now, r)
	pt.place.rejoin(now)
	said := m.global.Status
	m.rejoin(now)
	if m.role == watcher {
		if m.global.Status != said {
			e.notice(now, pt)
		}
		return
	}
	was := o.global.Status
	o.rejoin(now)
	if o.global.Status != was {
		state := p.state
		p.moved(was, o.global.Status)
		e.report(now, p, state, o, Event{
			Reason: o.global.Reason, Detail: o.global.Detail, Region: pt.place.name, Monitor: m.monitor,
		})
	}
	p.measure(o)
	p.tell()
	if p.published.Add(p.pace()).After(now) {
		e.behind[p] = true
		return
	}
	e.publish(now, p)
}

// report keeps and sends an event: ev, with the pool and the origin filled in. was is the pool's state before; o is nil
// when only the pool changed. It needs e.mu.
func (e *Engine) report(now time.Time, p *pool, was PoolState, o *origin, ev Event) {
	ev.Time, ev.Pool, ev.Origins = now, p.event(was), []EventOrigin{}
	if o != nil {
		ev.Origins = append(ev.Origins, o.event(&o.global, true))
	}
	e.send(ev)
}

// notice tells what a monitor that only watches has come to say of an origin. It needs e.mu.
func (e *Engine) notice(now time.Time, pt *point) {
	said := &pt.member.global
	e.send(Event{
		Time: now, Pool: pt.pool.event(pt.pool.state), Origins: []EventOrigin{pt.origin.event(said, false)},
		Reason: said.Reason, Detail: said.Detail, Region: pt.place.name,
		Monitor: pt.member.monitor, MonitoringOnly: true,
	})
}

// event is the pool of an event, after its state was was.
func (p *pool) event(was PoolState) EventPool {
	return EventPool{
		ID: p.cfg.ID, Name: p.cfg.Name, MinimumOrigins: p.cfg.MinimumOrigins,
		Healthy: p.state == PoolHealthy || p.state == PoolDegraded,
		Changed: p.state != was, State: p.state, Was: was,
	}
}

// event is the origin of an event, by a verdict.
func (o *origin) event(v *Verdict, changed bool) EventOrigin {
	return EventOrigin{
		Name: o.cfg.Name, Address: o.cfg.Address, IP: o.ip(), Enabled: o.cfg.Enabled,
		Healthy: v.Status == Up, Changed: changed, FailureReason: v.Reason,
	}
}

// send keeps an event and tells it. It needs e.mu.
func (e *Engine) send(ev Event) {
	ev = e.events.add(ev)
	if e.opt.OnEvent != nil {
		e.outbox = append(e.outbox, func() { e.opt.OnEvent(ev) })
	}
}

// publish draws a pool anew. It needs e.mu.
func (e *Engine) publish(now time.Time, p *pool) {
	delete(e.behind, p)
	p.published = now
	before, after := e.table.Pool(p.cfg.ID), p.picture()
	e.table.Set(after)
	if !sameStatuses(before, after) {
		e.changed(p.cfg.ID)
	}
}

// changed needs e.mu.
func (e *Engine) changed(poolID string) {
	if e.opt.OnChange != nil {
		e.outbox = append(e.outbox, func() { e.opt.OnChange(poolID) })
	}
}

// probed needs e.mu.
func (e *Engine) probed(pt *point, r Result, outcome Outcome, late time.Duration, ended time.Time) {
	if e.opt.OnProbe == nil {
		return
	}
	told := ProbeResult{
		Time: ended, Monitor: pt.member.monitor, PoolID: pt.pool.cfg.ID, Pool: pt.pool.cfg.Name, Origin: pt.origin.cfg.Name,
		Region: pt.place.name, Result: r, Outcome: outcome, Late: late,
	}
	e.outbox = append(e.outbox, func() { e.opt.OnProbe(told) })
}

// deliver runs the callbacks that are due, in order and one at a time. Whoever finds somebody else at it leaves its own
// to that one, so that a callback may call the Engine.
func (e *Engine) deliver() {
	e.mu.Lock()
	if e.delivering {
		e.mu.Unlock()
		return
	}
	e.delivering = true
	for len(e.outbox) > 0 {
		batch := e.outbox
		e.outbox = nil
		e.mu.Unlock()
		for _, call := range batch {
			call()
		}
		e.mu.Lock()
	}
	e.delivering = false
	e.mu.Unlock()
}
