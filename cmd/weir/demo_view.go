package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/weirlb/weir/balancer/admin"
	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

// demoView is what the admin listener of the running weir tells: the demo looks through the window that is there for
// everybody, and shows nothing that curl would not.
type demoView struct {
	pools  []admin.PoolView
	events []health.Event // newest first
}

// pool is the one of a name; a zero one when there is none, as before the first look.
func (v *demoView) pool(name string) admin.PoolView {
	for _, p := range v.pools {
		if p.Name == name {
			return p
		}
	}
	return admin.PoolView{}
}

// origin is the one of a name, with its pool; the names of origins differ in the examples.
func (v *demoView) origin(name string) admin.OriginView {
	for _, p := range v.pools {
		for _, o := range p.Origins {
			if o.Name == name {
				return o
			}
		}
	}
	return admin.OriginView{}
}

// demoWindow asks the admin listener.
type demoWindow struct {
	url    string
	client *http.Client
}

func newDemoWindow(url string) *demoWindow {
	return &demoWindow{url: url, client: &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{}}}
}

func (w *demoWindow) close() { w.client.CloseIdleConnections() }

// ready waits until every origin was probed from everywhere.
func (w *demoWindow) ready(ctx context.Context) error {
	for {
		var r admin.Ready
		if err := w.get(ctx, "/readyz", &r); err != nil {
			return err
		}
		if r.Ready {
			return nil
		}
		if !pause(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// look asks for everything that the demo shows.
func (w *demoWindow) look(ctx context.Context) (*demoView, error) {
	v := &demoView{}
	// Events first: whatever they tell of, the pools show.
	return v, errors.Join(w.get(ctx, "/events", &v.events), w.get(ctx, "/pools", &v.pools))
}

func (w *demoWindow) get(ctx context.Context, path string, to any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+path, http.NoBody)
	if err != nil {
		panic("BUG: a request of the demo: " + err.Error())
	}
	res, err := w.client.Do(req)
	if err != nil {
		return fmt.Errorf("asking the admin listener: %w", err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(to); err != nil {
		return fmt.Errorf("reading %s of the admin listener: %w", path, err)
	}
	return nil
}

// demoEvent is a line of what happened, at a time since the demo began.
type demoEvent struct {
	at   time.Duration
	mood demoMood
	text string
}

// demoMood says how a line is to be taken.
type demoMood uint8

const (
	demoPlainly demoMood = iota
	demoGood
	demoBad
	demoStaged // done by the script
)

// lines tells an event of health in the words of the demo. v is a view that already shows what came of it.
func (v *demoView) lines(e *health.Event, cfg *config.Config) (lines []demoEvent) {
	for _, o := range e.Origins {
		line := demoEvent{mood: demoGood, text: fmt.Sprintf("%s is up again%s", o.Name, seenFrom(e))}
		if !o.Healthy {
			line = demoEvent{mood: demoBad, text: fmt.Sprintf("%s is down: %s%s", o.Name, o.FailureReason, seenFrom(e))}
		}
		lines = append(lines, line)
	}
	if e.Pool.Changed {
		lines = append(lines, v.poolLine(e, cfg))
	}
	return lines
}

// seenFrom names the region whose probe tipped the verdict.
func seenFrom(e *health.Event) string {
	if e.Region == "" {
		return ""
	}
	return " (" + e.Region + " made the majority)"
}

// poolLine goes by the event and by the origins. The state that /pools shows is that of the snapshot, which follows a
// moment later.
func (v *demoView) poolLine(e *health.Event, cfg *config.Config) demoEvent {
	p := v.pool(e.Pool.Name)
	healthy, enabled := countHealthy(&p)
	switch {
	case !e.Pool.Healthy:
		return demoEvent{mood: demoBad, text: fmt.Sprintf("pool %s critical: %s → %s", p.Name, tallyOf(&p), v.instead(p.ID, cfg))}
	case healthy == enabled:
		return demoEvent{mood: demoGood, text: fmt.Sprintf("pool %s recovered: %s", p.Name, tallyOf(&p))}
	}
	return demoEvent{mood: demoPlainly, text: fmt.Sprintf("pool %s degraded: %s", p.Name, tallyOf(&p))}
}

// tallyOf is what a pool's state follows from.
func tallyOf(p *admin.PoolView) string {
	healthy, enabled := countHealthy(p)
	return fmt.Sprintf("%d of %d healthy, needs %d", healthy, enabled, p.MinimumOrigins)
}

func countHealthy(p *admin.PoolView) (healthy, enabled int) {
	for _, o := range p.Origins {
		if !o.Enabled {
			continue
		}
		enabled++
		if o.Health.Status == "up" {
			healthy++
		}
	}
	return healthy, enabled
}

// instead names the pool that takes over from one that does not serve: the next one in the order of the load balancer
// that has it first.
func (v *demoView) instead(id string, cfg *config.Config) string {
	best, at := "nobody", -1
	for i := range cfg.LoadBalancers {
		lb := &cfg.LoadBalancers[i]
		for k, pool := range lb.DefaultPools {
			if pool == id && (at < 0 || k < at) {
				best, at = v.next(lb, k+1), k
			}
		}
	}
	return best
}

// next is the first pool from position k on that serves, or the fallback pool.
func (v *demoView) next(lb *config.LoadBalancer, k int) string {
	for _, id := range lb.DefaultPools[k:] {
		for _, p := range v.pools {
			if p.ID == id && p.Serves {
				return p.Name
			}
		}
	}
	for _, p := range v.pools {
		if p.ID == lb.FallbackPool {
			return p.Name
		}
	}
	return "nobody"
}
