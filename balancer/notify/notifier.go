package notify

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

// holdFor is how long a pool has to stay unhealthy, after a start or a reload, to be told so. It is as long as readiness
// waits for the first probes, and as the default monitor takes to find an origin silent (behaviour W2, H22).
const holdFor = 15 * time.Second

// mostName is the longest description of a monitor, in bytes, that stands for its id in a sentence.
const mostName = 100

// Options are what a Notifier works with. The zero value notifies and tells nobody of it.
type Options struct {
	AccountID   string // account_id and account_tag in what is sent
	AccountName string // account_name; "": weir

	// The callbacks are made from the goroutine of a webhook; OnDropped also from that of Notify and of Apply. They must
	// not wait, nor call the Notifier. nil: not told.
	OnDelivered func(Report) // the webhook has taken an alert
	OnRetry     func(Report) // an attempt failed, and another follows after Pause
	OnFailed    func(Report) // an alert was tried and is given up
	OnDropped   func(Report) // an alert was never tried and never will be

	Transport http.RoundTripper // nil: one that verifies certificates by the system's roots
}

// Report is what became of one alert at one webhook.
type Report struct {
	Webhook  string        // its name, else the scheme and host of its URL
	Alert    *Alert        // shared: not to be changed
	Attempts int           // so far
	Status   int           // of the last answer; 0 when there was none
	Pause    time.Duration // before the next attempt; 0 when none follows
	Err      error         // nil when delivered; names no secret
}

// Notifier turns changes of health into alerts and has them delivered. Its methods may be called from anywhere.
type Notifier struct {
	opt     Options
	running sync.WaitGroup // the hooks' goroutines, and the timers of held

	mu     sync.Mutex
	config *config.Config                  // empty before the first
	names  map[string]*config.LoadBalancer // by pool id
	hooks  []*hook                         // in the order of the configuration
	ill    news
	held   map[string]*time.Timer // by pool id: news that is to last before it is told
	closed bool
}

// New returns a Notifier that knows no webhooks. Close it.
func New(o Options) *Notifier {
	o.AccountName = cmp.Or(o.AccountName, "weir")
	if o.Transport == nil {
		o.Transport = newTransport()
	}
	return &Notifier{opt: o, config: &config.Config{}, ill: news{}, held: map[string]*time.Timer{}}
}

// Apply puts a configuration in force: its webhooks with their secrets, and its pools' filters. Pools that it enables or
// disables are told of, but not by the first one (behaviour W4). A webhook that stays, by its URL, keeps what waits for
// it. The configuration must not change afterwards.
func (n *Notifier) Apply(c *config.Config, s Secrets) {
	names := namesOf(c)
	n.mu.Lock()
	var dropped []Report
	if !n.closed {
		before := n.config
		n.config, n.names = c, names
		n.replaceHooks(c.Weir.Notifications, s)
		n.ill.keep(c)
		for id := range n.held {
			if p := c.PoolByID(id); p == nil || !p.Enabled {
				n.release(id)
			}
		}
		dropped = n.tellEnablement(before)
	}
	n.mu.Unlock()
	n.tellAll(n.opt.OnDropped, dropped)
}

// replaceHooks needs n.mu.
func (n *Notifier) replaceHooks(list []config.Webhook, s Secrets) {
	known := make(map[string]*hook, len(n.hooks))
	for _, h := range n.hooks {
		known[h.target().url] = h
	}
	n.hooks = nil
	wanted := make(map[string]bool, len(list))
	for i := range list {
		to := target{
			label: labelOf(&list[i]), policy: cmp.Or(list[i].Name, "weir"),
			url: list[i].URL, secret: s.byURL[list[i].URL],
		}
		if wanted[to.url] {
			continue // a configuration that was loaded has every URL once
		}
		wanted[to.url] = true
		h := known[to.url]
		if h == nil {
			h = n.newHook(to)
		}
		h.aim(to)
		n.hooks = append(n.hooks, h)
	}
	for url, h := range known {
		if !wanted[url] {
			h.stop(ErrRemoved)
		}
	}
}

// tellEnablement compares the configuration with the one before. It needs n.mu.
func (n *Notifier) tellEnablement(old *config.Config) (dropped []Report) {
	for i := range n.config.Pools {
		p := &n.config.Pools[i]
		was := old.PoolByID(p.ID)
		if was == nil || was.Enabled == p.Enabled || muted(p.NotificationFilter, fromPool) {
			continue
		}
		dropped = append(dropped, n.queue(&Alert{
			Type: EnablementAlert, Time: time.Now(), Text: enablementText(p),
			Data: EnablementData{PoolData: n.poolData(p), Enabled: p.Enabled},
		})...)
	}
	return dropped
}

// Notify takes in a change of health. It does not wait. Events of pools that the configuration does not have are passed
// over: they are late, and the pool is gone.
func (n *Notifier) Notify(e health.Event) {
	n.mu.Lock()
	dropped := n.take(&e)
	n.mu.Unlock()
	n.tellAll(n.opt.OnDropped, dropped)
}

// take needs n.mu.
func (n *Notifier) take(e *health.Event) (dropped []Report) {
	p := n.config.PoolByID(e.Pool.ID)
	if p == nil || n.closed {
		return nil
	}
	for i := range e.Origins {
		dropped = append(dropped, n.takeOrigin(e, p, &e.Origins[i])...)
	}
	if e.Pool.Changed {
		dropped = append(dropped, n.takePool(e, p)...)
	}
	return dropped
}

// takeOrigin needs n.mu.
func (n *Notifier) takeOrigin(e *health.Event, p *config.Pool, o *health.EventOrigin) (dropped []Report) {
	if !judged(o) || !o.Changed && !e.MonitoringOnly {
		return nil
	}
	s, text := subject{pool: p.ID, origin: o.Name}, originText(e, o)
	if e.MonitoringOnly {
		s.monitor, text = e.Monitor, watchText(e, o, n.monitorName(e.Monitor))
	}
	return n.tellHealth(p, s, o.Healthy, e.Time, text)
}

// takePool needs n.mu.
func (n *Notifier) takePool(e *health.Event, p *config.Pool) (dropped []Report) {
	n.release(p.ID)
	if e.Pool.State == health.PoolUnknown {
		return nil // nothing is known of it any more: that is no news
	}
	if premature(e) {
		n.hold(e, p.ID)
		return nil
	}
	return n.tellHealth(p, subject{pool: p.ID}, e.Pool.Healthy, e.Time, poolText(&e.Pool))
}

// hold tells later that a pool is unhealthy, unless something else becomes of it before. It needs n.mu.
func (n *Notifier) hold(e *health.Event, pool string) {
	n.running.Add(1) // until the timer has acted, or was stopped in time
	var timer *time.Timer
	timer = time.AfterFunc(holdFor, func() {
		defer n.running.Done()
		n.mu.Lock()
		var dropped []Report
		if p := n.config.PoolByID(pool); p != nil && n.held[pool] == timer {
			delete(n.held, pool)
			dropped = n.tellHealth(p, subject{pool: pool}, false, time.Now(), poolText(&e.Pool))
		}
		n.mu.Unlock()
		n.tellAll(n.opt.OnDropped, dropped)
	})
	n.held[pool] = timer
}

// release forgets what is held of a pool. It needs n.mu.
func (n *Notifier) release(pool string) {
	timer := n.held[pool]
	delete(n.held, pool)
	if timer != nil && timer.Stop() {
		n.running.Done()
	}
}

// tellHealth queues an alert if it is news and the pool's filter lets it pass. It needs n.mu.
func (n *Notifier) tellHealth(p *config.Pool, s subject, healthy bool, at time.Time, text string) (dropped []Report) {
	incident, changed := n.ill.learn(s, healthy, at)
	from, state := fromOrigin, stateStart
	if s.origin == "" {
		from = fromPool
	}
	if healthy {
		state = stateEnd
	}
	if !changed || !passes(p.NotificationFilter, from, healthy) {
		return nil
	}
	return n.queue(&Alert{
		Type: HealthAlert, Time: at, Text: text, State: state, Incident: incident,
		Data: HealthData{
			PoolData: n.poolData(p), OriginName: s.origin,
			NewHealth: healthWord(healthy), EventSource: string(from),
		},
	})
}

// queue gives an alert to every webhook. It needs n.mu, so that all get all in one order.
func (n *Notifier) queue(a *Alert) (dropped []Report) {
	for _, h := range n.hooks {
		if oldest := h.add(a); oldest != nil {
			dropped = append(dropped, Report{Webhook: h.target().label, Alert: oldest, Err: ErrOverflow})
		}
	}
	return dropped
}

// poolData needs n.mu.
func (n *Notifier) poolData(p *config.Pool) PoolData {
	d := PoolData{AccountName: n.opt.AccountName, AccountTag: n.opt.AccountID, PoolID: p.ID, PoolName: p.Name}
	if b := n.names[p.ID]; b != nil {
		d.LoadBalancerID, d.LoadBalancerName = b.ID, b.Name
	}
	return d
}

// monitorName is what people call a monitor. It needs n.mu.
func (n *Notifier) monitorName(id string) string {
	if m := n.config.MonitorByID(id); m != nil && m.Description != "" && len(m.Description) <= mostName && !strings.ContainsRune(m.Description, '\n') {
		return m.Description
	}
	return id
}

func (n *Notifier) tell(callback func(Report), r Report) {
	if callback != nil {
		callback(r)
	}
}

func (n *Notifier) tellAll(callback func(Report), list []Report) {
	for _, r := range list {
		n.tell(callback, r)
	}
}

// Close takes in nothing more, and returns when everything that waits is delivered or given up, at the latest when ctx
// ends: what is left then is cut short and told. Nothing of the Notifier runs afterwards.
func (n *Notifier) Close(ctx context.Context) {
	n.mu.Lock()
	n.closed = true
	for id := range n.held {
		n.release(id)
	}
	hooks := n.hooks
	n.mu.Unlock()
	for _, h := range hooks {
		h.finish()
	}
	cut := context.AfterFunc(ctx, func() {
		for _, h := range hooks {
			h.stop(ErrClosed)
		}
	})
	defer cut()
	n.running.Wait()
	if t, ok := n.opt.Transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
