package notify

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// queueLength is how many alerts may wait for one webhook. Beside a queue, one alert may be under way.
const queueLength = 1024

// Why an alert was not delivered, though its webhook may be in good health.
var (
	ErrOverflow = errors.New("too many alerts were waiting, and it was the oldest")
	ErrRemoved  = errors.New("the webhook was removed from the configuration")
	ErrClosed   = errors.New("weir stopped before it was delivered")
)

// target is where a webhook's alerts go.
type target struct {
	label  string // for people
	policy string // the name in the envelope
	url    string // not for people
	secret string // likewise; "" for none
}

// hook is one webhook: a queue, and the goroutine that empties it.
type hook struct {
	n    *Notifier
	ctx  context.Context // its cause says why the hook ended
	stop context.CancelCauseFunc
	wake chan struct{} // the queue or closing has changed; one is kept

	mu      sync.Mutex // may be taken under the notifier's
	to      target
	queue   []*Alert // oldest first
	closing bool     // nothing is added any more; when the queue is empty, the goroutine ends
}

func (n *Notifier) newHook(to target) *hook {
	h := &hook{n: n, to: to, wake: make(chan struct{}, 1)}
	h.ctx, h.stop = context.WithCancelCause(context.Background())
	n.running.Go(h.run)
	return h
}

// add queues an alert and returns the one that had to make room for it, nil for none.
func (h *hook) add(a *Alert) (dropped *Alert) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.queue) == queueLength {
		dropped = h.queue[0]
		h.queue = slices.Delete(h.queue, 0, 1)
	}
	h.queue = append(h.queue, a)
	h.poke()
	return dropped
}

// aim changes where alerts go, also that which is under way when it is tried again.
func (h *hook) aim(to target) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.to = to
}

func (h *hook) target() target {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.to
}

// finish lets the goroutine end when the queue is empty.
func (h *hook) finish() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closing = true
	h.poke()
}

func (h *hook) poke() {
	select {
	case h.wake <- struct{}{}:
	default: // it is awake, or will be
	}
}

// run is the goroutine.
func (h *hook) run() {
	for a := h.next(); a != nil; a = h.next() {
		h.deliver(a)
	}
	h.stop(ErrClosed) // frees the context
	for _, a := range h.abandon() {
		h.n.tell(h.n.opt.OnDropped, Report{Webhook: h.target().label, Alert: a, Err: context.Cause(h.ctx)})
	}
}

// next waits for an alert, and returns nil when there will be none.
func (h *hook) next() *Alert {
	for h.ctx.Err() == nil {
		a, closing := h.take()
		if a != nil || closing {
			return a
		}
		select {
		case <-h.wake:
		case <-h.ctx.Done():
		}
	}
	return nil
}

func (h *hook) take() (a *Alert, closing bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.queue) == 0 {
		return nil, h.closing
	}
	a = h.queue[0]
	h.queue = slices.Delete(h.queue, 0, 1)
	return a, false
}

func (h *hook) abandon() []*Alert {
	h.mu.Lock()
	defer h.mu.Unlock()
	left := h.queue
	h.queue = nil
	return left
}

// deliver tries until the alert is delivered or given up.
func (h *hook) deliver(a *Alert) {
	for tried := 1; ; tried++ {
		to := h.target()
		end := post(h.ctx, h.n.opt.Transport, &to, a.body(to.policy, h.n.opt.AccountID))
		r := Report{Webhook: to.label, Alert: a, Attempts: tried, Status: end.status, Err: end.err}
		switch {
		case end.err == nil:
			h.n.tell(h.n.opt.OnDelivered, r)
			return
		case h.ctx.Err() != nil:
			r.Err = context.Cause(h.ctx)
			h.n.tell(h.n.opt.OnFailed, r)
			return
		case !end.again || tried == tries:
			h.n.tell(h.n.opt.OnFailed, r)
			return
		}
		r.Pause = pause(tried, end.wait)
		h.n.tell(h.n.opt.OnRetry, r)
		if !h.sleep(r.Pause) {
			r.Err, r.Pause = context.Cause(h.ctx), 0
			h.n.tell(h.n.opt.OnFailed, r)
			return
		}
	}
}

// sleep reports whether it was let to sleep.
func (h *hook) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-h.ctx.Done():
		return false
	}
}
