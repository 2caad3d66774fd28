package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirlb/weir/bench/load"
	"github.com/weirlb/weir/bench/origin"
)

// TestSoak sends requests at a constant rate while the configuration is reloaded in every way there is and origins are
// killed and restarted, one at a time. Every failure must be one that the retry rules cannot help (behaviour R3, R4,
// E14), nothing unsafe is executed twice, and afterwards the accounts agree: what was sent, what was logged, what was
// counted, and nothing is left outstanding.
func TestSoak(t *testing.T) {
	s := newSoak(t)
	idle := s.weir.scrape()
	rate := sized(300.0, 500, 1500)
	duration := sized(3*time.Second, 12*time.Second, 30*time.Second)
	running, err := load.Start(t.Context(), load.Options{
		Addr: s.weir.proxy, Host: host, Rate: rate, For: duration, Conns: 64,
		TagField: origin.NameField, Request: request, OnResult: s.note,
	})
	if err != nil {
		t.Fatal(err)
	}
	var trouble sync.WaitGroup
	trouble.Go(func() { s.killInTurn(duration, sized(1, 4, 10)) })
	s.reloadInTurn(duration, sized(5, 15, 50))
	trouble.Wait()
	report := running.Wait()
	t.Logf("%v requests/s for %v\n%v", rate, duration, report)

	s.weir.quiet("pool", s.origins...)
	counted := s.weir.scrape()
	s.weir.stop()
	log := readLog(t, s.weir.accessLog)

	if report.Unsent != 0 || report.Interrupted != 0 {
		t.Errorf("%d unsent, %d interrupted requests: the machine does not carry this rate", report.Unsent, report.Interrupted)
	}
	for _, name := range []string{"go_goroutines", "process_open_fds"} {
		const probes = 30 // at most so many are under way, each with a few goroutines and a connection
		if was, is := idle[name], counted[name]; is > was+probes {
			t.Errorf("%s is %v at the end and was %v at the beginning", name, is, was)
		}
	}
	s.judge(log)
	s.executions()
	s.agree(report.Sent, log, counted)
	if good, bad := counted[`weir_config_reloads_total{result="good"}`], counted[`weir_config_reloads_total{result="bad"}`]; bad != 0 {
		t.Errorf("%v reloads went well and %v did not", good, bad)
	}
}

// soak is the state of the story.
type soak struct {
	t       *testing.T
	weir    *weir
	origins []*origin.Origin // the last one comes and goes with reloads

	mu      sync.Mutex
	results map[string]*load.Result // by path
	outages []outage
}

// outage is how long an origin was dead.
type outage struct {
	origin   string
	from, to time.Time
}

func newSoak(t *testing.T) *soak {
	s := &soak{t: t, results: map[string]*load.Result{}}
	for i := range 4 {
		s.origins = append(s.origins, startOrigin(t, fmt.Sprintf("o-%d", i), kinds(fmt.Sprintf("o-%d", i))))
	}
	pool := monitored(poolOf("pool"))
	pool["origin_steering"] = object{"policy": "least_outstanding_requests"}
	world := &world{
		pools: []object{pool}, monitors: []object{quickMonitor()}, balancers: []object{balancerOf("pool", "pool")},
		// Shorter than by default, so that the end of idle connections is seen soon.
		local: object{"timeouts": object{"origin_idle": "1s"}},
	}
	s.vary(world, 0)
	s.weir = serve(t, world, with{})
	return s
}

// vary makes the n-th configuration: weights change, the last origin comes and goes.
func (s *soak) vary(world *world, n int) {
	var entries []object
	for i, o := range s.origins[:3+n%2] {
		e := entryOf(o)
		e["weight"] = []float64{1, 0.5, 0.25}[(n+i)%3]
		entries = append(entries, e)
	}
	world.pools[0]["origins"] = entries
	world.pools[0]["description"] = fmt.Sprintf("configuration %d", n)
}

// big is the body of a long answer.
const big = 256 << 10

// kinds answers each kind of request that the soak sends: short, long, after a while.
func kinds(name string) origin.Handler {
	named := origin.F(origin.NameField, name)
	short := origin.AfterBody(origin.Answer(http.StatusOK, named, name+"\n"))
	long, late := origin.Bytes(named, big), origin.Delay(25*time.Millisecond, short)
	return func(r *origin.Request) origin.Action {
		switch {
		case strings.HasPrefix(r.Path, "/long/"):
			return long
		case strings.HasPrefix(r.Path, "/late/"):
			return late
		}
		return short
	}
}

// request is the i-th of the mix. Its path says who it is in every account.
func request(i int64) load.Request {
	path := fmt.Sprintf("/short/%d", i)
	r := load.Request{Fields: [][2]string{{origin.IDField, path}}}
	switch i % 10 {
	case 0, 1, 2:
		r.Method, r.Body = http.MethodPost, make([]byte, 100+i%5000)
	case 3:
		r.Method = http.MethodHead
	case 4:
		path = fmt.Sprintf("/long/%d", i)
	case 5, 6:
		path = fmt.Sprintf("/late/%d", i)
	case 7:
		r.Method, r.Body = http.MethodPost, []byte("late")
		path = fmt.Sprintf("/late/%d", i)
	}
	r.Target, r.Fields[0][1] = path, path
	return r
}

func (s *soak) note(r *load.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results[request(r.Index).Target] = r
}

// killInTurn kills one origin after the other, n times in all; each is back before the next one goes.
func (s *soak) killInTurn(during time.Duration, n int) {
	turn := during / time.Duration(n)
	timer := time.NewTicker(turn / 2)
	defer timer.Stop()
	for i := range n {
		o := s.origins[i%3]
		<-timer.C
		from := time.Now()
		o.Kill()
		<-timer.C
		if err := o.Restart(); err != nil {
			s.t.Error(err)
		}
		s.mu.Lock()
		s.outages = append(s.outages, outage{o.Name(), from, time.Now()})
		s.mu.Unlock()
	}
}

// reloadInTurn reloads n times, in the three ways in turn, each with another configuration.
func (s *soak) reloadInTurn(during time.Duration, n int) {
	w := s.weir
	ways := []func(){w.reloadByFile, w.reloadBySignal, w.reloadByRequest}
	timer := time.NewTicker(during / time.Duration(n+1))
	defer timer.Stop()
	for i := range n {
		<-timer.C
		s.vary(w.world, i+1)
		ways[i%len(ways)]()
	}
}

// judge holds every request to the rules: it was answered, or it was allowed to fail.
func (s *soak) judge(log []entry) {
	entries := map[string]*entry{}
	for i := range log {
		e := &log[i]
		if entries[e.Path] != nil {
			s.t.Errorf("%s is in the access log twice", e.Path)
		}
		entries[e.Path] = e
	}
	excuses := map[string]int{}
	for path, r := range s.results {
		e := entries[path]
		switch {
		case e == nil:
			s.t.Errorf("%s is not in the access log; the client saw %d, %v", path, r.Status, r.Err)
		case r.Err == nil && r.Status == http.StatusOK:
			s.whole(path, r)
		default:
			why := excuse(e, s.outages)
			if excuses[why]++; why == "" && excuses[why] <= 10 {
				s.t.Errorf("%s must not fail: the client saw %d, %v; weir logged %+v", path, r.Status, r.Err, *e)
			}
		}
	}
	s.t.Logf("failures by what allows them: %v; retried %d, redialed %d", excuses,
		countOf(log, func(e *entry) bool { return e.Retried != "" }), countOf(log, func(e *entry) bool { return e.Redialed }))
}

// agree holds three accounts against each other: sent, logged, counted. What was counted for an origin leaves with it,
// so only those that stay can be compared.
func (s *soak) agree(sent int64, log []entry, counted metrics) {
	if int64(len(log)) != sent {
		s.t.Errorf("%d requests sent and %d logged, want as many", sent, len(log))
	}
	for _, o := range s.origins[:3] {
		logged := countOf(log, func(e *entry) bool { return e.Origin == o.Name() })
		total := 0.0
		for series, value := range counted.family("weir_requests_total") {
			if strings.Contains(series, fmt.Sprintf("origin=%q", o.Name())) {
				total += value
			}
		}
		if int(total) != logged || logged == 0 {
			s.t.Errorf("%s: %d requests logged and %v counted, want as many and some", o.Name(), logged, total)
		}
	}
}

func countOf(log []entry, ok func(*entry) bool) (n int) {
	for i := range log {
		if ok(&log[i]) {
			n++
		}
	}
	return n
}

// whole holds a complete answer to what the origin sends.
func (s *soak) whole(path string, r *load.Result) {
	want := int64(len("o-0\n"))
	switch {
	case strings.HasPrefix(path, "/long/"):
		want = big
	case request(r.Index).Method == http.MethodHead:
		want = 0
	}
	if r.BodyBytes != want {
		s.t.Errorf("%s: an answer of %d bytes, want %d", path, r.BodyBytes, want)
	}
}

// aftermath is how long a death is felt: what the origin's kernel had taken fails when it is next looked at.
const aftermath = time.Second

// logPrecision is how far a time in the access log, in milliseconds, may be from the truth.
const logPrecision = 2 * time.Millisecond

// excuse names what allows a request to fail; "" when nothing does. A request may fail at an origin that was killed
// just then, and there only if its answer had begun (behaviour E14), if it is unsafe and was sent (R3), or if it was
// sent on a connection's first use, which R4 does not cover.
func excuse(e *entry, outages []outage) string {
	killed := false
	for _, o := range outages {
		began, ended := e.TS, e.end()
		killed = killed || o.origin == e.Origin && !ended.Before(o.from.Add(-logPrecision)) && began.Before(o.to.Add(aftermath))
	}
	fresh := e.ConnectMS > 0 || e.Redialed
	safe := e.Method == http.MethodGet || e.Method == http.MethodHead
	switch {
	case !killed:
	case e.ErrorClass == "answer_cut":
		return "its answer had begun"
	case e.ErrorClass != "origin_closed":
	case e.FirstByteMS > 0:
		return "its answer had begun"
	case !safe:
		return "unsafe and sent"
	case fresh:
		return "sent on a connection's first use"
	}
	return ""
}

// executions: what was answered was executed, and what is unsafe at most once.
func (s *soak) executions() {
	times := map[string]int{}
	for _, o := range s.origins {
		for id, n := range o.ExecutedIDs() {
			times[id] += n
		}
	}
	twice := 0
	for path, r := range s.results {
		n, unsafe := times[path], request(r.Index).Method == http.MethodPost
		if n > 1 {
			twice++
		}
		if unsafe && n > 1 || r.Status == http.StatusOK && r.Err == nil && n == 0 {
			s.t.Errorf("%s was executed %d times; unsafe: %v; the client saw %d, %v", path, n, unsafe, r.Status, r.Err)
		}
	}
	s.t.Logf("%d requests answered or failed, %d of them safe and executed more than once", len(s.results), twice)
}

// TestExcuse shows that the judge of the soak would see a breach.
func TestExcuse(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(1_000_000).Add(time.Duration(ms) * time.Millisecond) }
	outages := []outage{{"o-0", at(1000), at(2000)}}
	base := entry{TS: at(900), DurationMS: 150, Method: http.MethodGet, Origin: "o-0", ErrorClass: "origin_closed"}
	for _, c := range []struct {
		name   string
		change func(*entry)
		want   string
	}{
		{"a safe request on a kept connection", func(*entry) {}, ""},
		{"on a new connection", func(e *entry) { e.ConnectMS = 0.1 }, "sent on a connection's first use"},
		{"on a redialed connection", func(e *entry) { e.Redialed = true }, "sent on a connection's first use"},
		{"a POST", func(e *entry) { e.Method = http.MethodPost }, "unsafe and sent"},
		{"a broken answer", func(e *entry) { e.ErrorClass = "answer_cut" }, "its answer had begun"},
		{"a broken head", func(e *entry) { e.FirstByteMS = 1 }, "its answer had begun"},
		{"a POST that was refused", func(e *entry) { e.Method, e.ErrorClass = http.MethodPost, "connect_refused" }, ""},
		{"at another origin", func(e *entry) { e.Method, e.Origin = http.MethodPost, "o-1" }, ""},
		{"before the kill", func(e *entry) { e.Method, e.DurationMS = http.MethodPost, 10 }, ""},
		{"long after it", func(e *entry) { e.Method, e.TS = http.MethodPost, at(3100) }, ""},
	} {
		e := base
		c.change(&e)
		if got := excuse(&e, outages); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
