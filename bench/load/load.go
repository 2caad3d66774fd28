package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a run.
type Options struct {
	Addr string      // host:port to connect to
	TLS  *tls.Config // nil: plain; ServerName defaults to Host
	Host string      // Host field of every request; "" means Addr

	// Dial opens a connection; nil means plain TCP to Addr.
	Dial func(ctx context.Context, addr string) (net.Conn, error)

	Rate  float64       // requests per second, above 0
	For   time.Duration // how long requests fall due, above 0
	Conns int           // connections at most; 0 means 64
	// Timeout bounds one request from its sending to the last byte, and the time the last requests get after For;
	// 0 means 10 s.
	Timeout time.Duration

	// Request makes request i, counted from 0; nil means GET / for all. It is called by several goroutines at once.
	Request func(i int64) Request
	// TagField names the answer field that tells who answered, such as "Origin-Name"; "" means the body's first line.
	TagField string
	// Check judges a complete answer; an error makes it a failure with cause CauseCheck. Called by several goroutines.
	Check func(*Result) error
	// OnResult sees every result as it comes. The result is its to keep. Called by several goroutines.
	OnResult func(*Result)
}

// Request is one request to send.
type Request struct {
	Method string // "" means GET
	Target string // "" means /
	Fields [][2]string
	Body   []byte // with Content-Length, unless empty and the method is one without content
}

// bounds of what a run and a result hold in memory.
const (
	bodyPrefix = 4 << 10
	maxTags    = 1024
	maxErrors  = 10
)

// Result is what became of one request.
type Result struct {
	Index     int64
	Due       time.Duration // since the run's start
	Latency   time.Duration // from due to the last byte or the failure
	Status    int           // 0 without an answer; a truncated answer has its status and a Cause
	Tag       string
	Header    http.Header
	Trailer   http.Header
	Body      []byte // the first 4 KiB
	BodyBytes int64
	Reused    bool // sent on a connection that had carried a request before
	Cause     Cause
	Err       error // nil exactly when Cause is ""
}

// Report sums a run up, finished or under way.
type Report struct {
	Elapsed                       time.Duration
	Due, Sent, Unsent             int64
	Answered, Failed, Interrupted int64 // Answered: complete answers of any status
	Status                        map[int]int64
	Tags                          map[string]int64 // of Answered; beyond 1024 different ones the rest counts as "*"
	Causes                        map[Cause]int64
	Errors                        []string // the first ten failures in words
	Dials, Reconnects             int64    // connections opened; of those, in place of one that was closed while idle
	Bytes                         int64    // of bodies
	Late                          int64    // requests that found every connection busy when they fell due
	Latency                       Histogram
	Lag                           Histogram // of requests that found a connection: how late the generator sent them
}

// Run starts a run and waits for its end. The error is about the options only; failures of requests are in the report.
func Run(ctx context.Context, opts Options) (*Report, error) {
	r, err := Start(ctx, opts)
	if err != nil {
		return nil, err
	}
	return r.Wait(), nil
}

// Running is a run under way.
type Running struct {
	opts  Options
	count int64 // requests in all
	start time.Time
	end   time.Time // nothing is sent later
	next  atomic.Int64
	wg    sync.WaitGroup

	mu       sync.Mutex // guards what follows
	report   Report
	finished bool
}

// Start begins a run that ends by itself, or earlier with ctx.
func Start(ctx context.Context, opts Options) (*Running, error) {
	if opts.Conns == 0 {
		opts.Conns = 64
	}
	if opts.Timeout == 0 {
		opts.Timeout = 10 * time.Second
	}
	if opts.Host == "" {
		opts.Host = opts.Addr
	}
	if opts.Dial == nil {
		opts.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		}
	}
	if opts.Request == nil {
		opts.Request = func(int64) Request { return Request{} }
	}
	if err := opts.check(); err != nil {
		return nil, fmt.Errorf("start a load run: %w", err)
	}
	now := time.Now()
	r := &Running{
		opts: opts, count: max(1, int64(opts.Rate*opts.For.Seconds())),
		start: now, end: now.Add(opts.For + opts.Timeout),
	}
	r.report.Status, r.report.Tags, r.report.Causes = map[int]int64{}, map[string]int64{}, map[Cause]int64{}
	for range min(int64(opts.Conns), r.count) {
		r.wg.Go(func() { r.work(ctx) })
	}
	return r, nil
}

func (o *Options) check() error {
	switch {
	case o.Addr == "":
		return errors.New("no address; give Addr as host:port")
	case !(o.Rate > 0):
		return fmt.Errorf("a rate of %v; give requests per second above 0", o.Rate)
	case o.For <= 0:
		return fmt.Errorf("a duration of %v; give one above 0", o.For)
	case o.Conns < 0 || o.Timeout < 0:
		return fmt.Errorf("%d connections and a timeout of %v; give none below 0", o.Conns, o.Timeout)
	}
	return nil
}

// Wait returns the report when every goroutine of the run has ended.
func (r *Running) Wait() *Report {
	r.wg.Wait()
	r.mu.Lock()
	if !r.finished {
		r.finished = true
		r.report.Elapsed = time.Since(r.start)
	}
	r.mu.Unlock()
	return r.Report()
}

// Report reads the counters at any time. While the run goes on, requests under way are sent and neither answered nor
// failed.
func (r *Running) Report() *Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.report
	if !r.finished {
		c.Elapsed = time.Since(r.start)
	}
	c.Due = max(c.Sent, min(r.count, r.dueBy(c.Elapsed)))
	c.Unsent = c.Due - c.Sent
	c.Status, c.Tags, c.Causes = maps.Clone(c.Status), maps.Clone(c.Tags), maps.Clone(c.Causes)
	c.Errors = append([]string(nil), c.Errors...)
	c.Latency, c.Lag = c.Latency.clone(), c.Lag.clone()
	return &c
}

// due is when request i is to be sent, since the start.
func (r *Running) due(i int64) time.Duration {
	return time.Duration(float64(i) / r.opts.Rate * float64(time.Second))
}

// dueBy is how many requests are due by then; the first one is due at 0.
func (r *Running) dueBy(elapsed time.Duration) int64 {
	return int64(elapsed.Seconds()*r.opts.Rate) + 1
}

// work is one connection's loop: take the next request, wait until it is due, send it.
func (r *Running) work(ctx context.Context) {
	c := &client{opts: &r.opts}
	defer c.close()
	ready := r.start
	for {
		i := r.next.Add(1) - 1
		if i >= r.count {
			return
		}
		due := r.start.Add(r.due(i))
		if !waitUntil(ctx, due) || !time.Now().Before(r.end) {
			return
		}
		r.sending(due, ready)
		result := c.do(ctx, i)
		result.Index, result.Due, result.Latency = i, due.Sub(r.start), time.Since(due)
		r.judge(result)
		r.finish(ctx, c, result)
		ready = time.Now()
	}
}

// waitUntil says false when ctx ended first.
func waitUntil(ctx context.Context, due time.Time) bool {
	left := time.Until(due)
	if left <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (r *Running) sending(due, ready time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Sent++
	if ready.After(due) {
		r.report.Late++
		return
	}
	r.report.Lag.Record(time.Since(due))
}

// judge completes a result: who answered, and whether the caller is content.
func (r *Running) judge(result *Result) {
	result.Tag = result.Header.Get(r.opts.TagField)
	if r.opts.TagField == "" {
		result.Tag = firstLine(result.Body)
	}
	if result.Err == nil && r.opts.Check != nil {
		if err := r.opts.Check(result); err != nil {
			result.Cause, result.Err = CauseCheck, err
		}
	}
}

func (r *Running) finish(ctx context.Context, c *client, result *Result) {
	interrupted := result.Err != nil && ctx.Err() != nil
	r.tally(c, result, interrupted)
	if r.opts.OnResult != nil && !interrupted {
		r.opts.OnResult(result)
	}
}

func (r *Running) tally(c *client, result *Result, interrupted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	report := &r.report
	report.Dials, report.Reconnects = report.Dials+c.dials, report.Reconnects+c.reconnects
	c.dials, c.reconnects = 0, 0
	report.Bytes += result.BodyBytes
	if interrupted {
		report.Interrupted++
		return
	}
	report.Latency.Record(result.Latency)
	if result.Status != 0 {
		report.Status[result.Status]++
	}
	if result.Err != nil {
		report.Failed++
		report.Causes[result.Cause]++
		if len(report.Errors) < maxErrors {
			report.Errors = append(report.Errors, fmt.Sprintf("request %d at %v: %s: %v", result.Index, result.Due, result.Cause, result.Err))
		}
		return
	}
	report.Answered++
	tag := result.Tag
	if _, known := report.Tags[tag]; !known && len(report.Tags) >= maxTags {
		tag = "*"
	}
	report.Tags[tag]++
}

// String is a report for a terminal, a few lines long.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d due in %v: %d answered, %d failed, %d interrupted, %d unsent, %d found every connection busy\n",
		r.Due, r.Elapsed.Round(time.Millisecond), r.Answered, r.Failed, r.Interrupted, r.Unsent, r.Late)
	fmt.Fprintf(&b, "latency  %s\nlag      %s\n", quantiles(&r.Latency), quantiles(&r.Lag))
	fmt.Fprintf(&b, "status   %v\ntags     %v\ncauses   %v\n", r.Status, r.Tags, r.Causes)
	fmt.Fprintf(&b, "%d dials, %d of them for a connection closed while idle; %d body bytes\n", r.Dials, r.Reconnects, r.Bytes)
	for _, e := range r.Errors {
		b.WriteString(e + "\n")
	}
	return b.String()
}

func quantiles(h *Histogram) string {
	at := func(q float64) time.Duration { return h.Quantile(q).Round(time.Microsecond) }
	return fmt.Sprintf("p50 %v  p99 %v  p99.9 %v  max %v", at(0.5), at(0.99), at(0.999), at(1))
}

func firstLine(body []byte) string {
	for i, b := range body {
		if b == '\r' || b == '\n' {
			return string(body[:i])
		}
	}
	return string(body)
}
