package notify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

// answers makes a receiver answer by a script, one word per request, the last one for ever: a status, "status wait" with
// a Retry-After, or hang.
func answers(script ...string) func(int, http.ResponseWriter, *http.Request) {
	return func(n int, w http.ResponseWriter, r *http.Request) {
		word, wait, _ := strings.Cut(script[min(n, len(script))-1], " ")
		if word == "hang" {
			<-r.Context().Done()
			return
		}
		if wait != "" {
			w.Header().Set("Retry-After", wait)
		}
		var status int
		_, _ = fmt.Sscan(word, &status)
		w.WriteHeader(status)
	}
}

// When attempts come, in seconds since the news, and how the alert ends (behaviour W6).
func TestAttempts(t *testing.T) {
	for _, c := range []struct {
		script  []string
		seconds string
		last    string
	}{
		{[]string{"200"}, "0", "hook1 delivered after 1"},
		{[]string{"204"}, "0", "hook1 delivered after 1"},
		{[]string{"500", "200"}, "0 1", "hook1 delivered after 2"},
		{[]string{"503", "502", "504", "500", "200"}, "0 1 3 7 15", "hook1 delivered after 5"},
		{[]string{"500"}, "0 1 3 7 15", "hook1 given up after 5: the answer was 500 Internal Server Error"},
		{[]string{"429", "200"}, "0 1", "hook1 delivered after 2"},
		{[]string{"429 7", "200"}, "0 7", "hook1 delivered after 2"},
		{[]string{"503 7", "200"}, "0 7", "hook1 delivered after 2"},
		{[]string{"429 0", "200"}, "0 1", "hook1 delivered after 2"},
		{[]string{"429 3600", "200"}, "0 60", "hook1 delivered after 2"},
		{[]string{"429 99999999999", "200"}, "0 60", "hook1 delivered after 2"},
		{[]string{"429 soon", "200"}, "0 1", "hook1 delivered after 2"},
		{[]string{"500", "500", "429 1", "200"}, "0 1 3 7", "hook1 delivered after 4"},
		{[]string{"400"}, "0", "hook1 given up after 1: the answer was 400 Bad Request"},
		{[]string{"404 7"}, "0", "hook1 given up after 1: the answer was 404 Not Found"},
		{[]string{"500", "410"}, "0 1", "hook1 given up after 2: the answer was 410 Gone"},
		{[]string{"600"}, "0 1 3 7 15", "hook1 given up after 5: the answer was 600"},
		{[]string{"301"}, "0", "hook1 given up after 1: the answer was 301 Moved Permanently, and redirects are not followed; configure the URL it leads to"},
		{[]string{"hang", "200"}, "0 11", "hook1 delivered after 2"},
		{[]string{"hang"}, "0 11 23 37 55", "hook1 given up after 5: no answer within 10s"},
	} {
		r := receiver{answer: answers(c.script...)}
		var start time.Time
		virtual(t, &r, func(t *testing.T, n *Notifier, l *ledger) {
			start = time.Now()
			n.Apply(hooked([]config.Pool{pool("eu", nil)}, hookURL), Secrets{})
			n.Notify(origin("eu", "a", false))
			time.Sleep(10 * time.Minute)
			if lines := l.read(); len(lines) == 0 || lines[len(lines)-1] != c.last {
				t.Errorf("%v: %q, want %q at last", c.script, lines, c.last)
			}
		})
		var at []string
		for _, a := range r.arrivals() {
			at = append(at, fmt.Sprintf("%.0f", a.at.Sub(start).Seconds()))
		}
		if got := strings.Join(at, " "); got != c.seconds {
			t.Errorf("%v: attempts at %s, want %s", c.script, got, c.seconds)
		}
	}
}

// Retries are told as they happen, with the pause that follows.
func TestReports(t *testing.T) {
	r := receiver{answer: answers("500", "429 5", "200")}
	virtual(t, &r, func(t *testing.T, n *Notifier, l *ledger) {
		n.Apply(hooked([]config.Pool{pool("eu", nil)}, hookURL), Secrets{})
		n.Notify(origin("eu", "a", false))
		time.Sleep(time.Minute)
		same(t, "reports", l.read(), []string{
			"hook1 failed after 1, again in 1s: the answer was 500 Internal Server Error",
			"hook1 failed after 2, again in 5s: the answer was 429 Too Many Requests",
			"hook1 delivered after 3",
		})
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 4, 9, 21, 2, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"120":                           2 * time.Minute,
		" 5 ":                           5 * time.Second,
		"-5":                            0,
		"1.5":                           0,
		"Wed, 04 Mar 2026 09:21:32 GMT": 30 * time.Second,
		"Wed, 04 Mar 2026 09:20:32 GMT": 0,
		"99999999999":                   mostPause,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("Retry-After %q: %v, want %v", value, got, want)
		}
	}
}

// A webhook gets its alerts in order, whatever becomes of each, and another does not wait for it (behaviour W6).
func TestOrder(t *testing.T) {
	busy := func(n int, w http.ResponseWriter, r *http.Request) {
		if r.Host == "slow.test" && n%3 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
	r := receiver{answer: busy}
	const alerts = 20
	virtual(t, &r, func(t *testing.T, n *Notifier, _ *ledger) {
		n.Apply(hooked([]config.Pool{pool("eu", nil)}, "http://slow.test/", "http://quick.test/"), Secrets{})
		for i := range alerts {
			n.Notify(origin("eu", "a", i%2 == 1))
		}
		synctest.Wait()
		if quick := count(&r, "quick.test"); quick != alerts {
			t.Errorf("%d alerts came to the quick webhook at once, want %d", quick, alerts)
		}
		time.Sleep(time.Hour)
	})
	texts, arrivals := r.texts(), r.arrivals()
	for _, host := range []string{"slow.test", "quick.test"} {
		last, changes := "", 0
		for i := range texts {
			if arrivals[i].host == host && texts[i] != last {
				last = texts[i]
				changes++
			}
		}
		if changes != alerts {
			t.Errorf("%s saw %d changes, want %d: ups and downs came out of turn", host, changes, alerts)
		}
	}
}

func count(r *receiver, host string) (n int) {
	for _, a := range r.arrivals() {
		if a.host == host {
			n++
		}
	}
	return n
}

// A webhook that takes nothing costs a queue's memory and no time; the oldest alerts are dropped, and told (behaviour W6).
func TestOverflow(t *testing.T) {
	r := receiver{answer: answers("hang", "200")}
	const more = 7
	virtual(t, &r, func(t *testing.T, n *Notifier, l *ledger) {
		p := pool("eu", nil)
		p.Origins = nil
		for i := range 1 + queueLength + more {
			p.Origins = append(p.Origins, config.Origin{Name: fmt.Sprint("o", i), Enabled: true})
		}
		n.Apply(hooked([]config.Pool{p}, hookURL), Secrets{})
		n.Notify(origin("eu", "o0", false))
		synctest.Wait() // o0 is under way
		start := time.Now()
		for i := range queueLength + more {
			n.Notify(origin("eu", fmt.Sprint("o", i+1), false))
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("Notify waited %v", waited)
		}
		var want []string
		for range more {
			want = append(want, "hook1 dropped after 0: too many alerts were waiting, and it was the oldest")
		}
		same(t, "reports", l.read(), want)
		time.Sleep(time.Minute)
		texts := r.texts()
		if len(texts) != 2+queueLength {
			t.Fatalf("%d requests, want %d", len(texts), 2+queueLength)
		}
		same(t, "after the first", []string{texts[0], texts[1], texts[2]}, []string{
			text("o0"), text("o0"), text(fmt.Sprint("o", more+1)),
		})
	})
}

func text(name string) string {
	return "Origin " + name + " of pool eu is unhealthy, seen from WEU: TCP Timeout."
}

// A webhook that is removed gets nothing more; one that stays keeps what waits, and takes on its new secret and name at
// once, in the middle of retries (behaviour W6, W7).
func TestApplyWhileAlertsWait(t *testing.T) {
	r := receiver{answer: func(n int, w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Cf-Webhook-Auth") != "second" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}}
	pools := []config.Pool{pool("eu", nil)}
	virtual(t, &r, func(t *testing.T, n *Notifier, l *ledger) {
		const stays, goes = "http://stays.test/", "http://goes.test/"
		n.Apply(hooked(pools, stays, goes), Secrets{map[string]string{stays: "first"}})
		n.Notify(origin("eu", "a", false))
		n.Notify(origin("eu", "b", false))
		time.Sleep(500 * time.Millisecond)
		now := hooked(pools, stays)
		now.Weir.Notifications[0].Name = "renamed"
		n.Apply(now, Secrets{map[string]string{stays: "second"}})
		time.Sleep(time.Minute)
		lines := l.read()
		var of [2][]string
		for _, line := range lines {
			i := 0
			if strings.HasPrefix(line, "hook2") {
				i = 1
			}
			of[i] = append(of[i], line)
		}
		same(t, "the one that stays", of[0], []string{
			"hook1 failed after 1, again in 1s: the answer was 500 Internal Server Error",
			"renamed delivered after 2", "renamed delivered after 1",
		})
		same(t, "the one that goes", of[1], []string{
			"hook2 failed after 1, again in 1s: the answer was 500 Internal Server Error",
			"hook2 given up after 1: the webhook was removed from the configuration",
			"hook2 dropped after 0: the webhook was removed from the configuration",
		})
	})
	if n := count(&r, "goes.test"); n != 1 {
		t.Errorf("%d requests to the webhook that was removed, want the first only", n)
	}
}

// Close delivers what waits, for as long as it may (behaviour W6).
func TestClose(t *testing.T) {
	for _, c := range []struct {
		what   string
		script []string
		within time.Duration
		took   time.Duration
		want   []string
	}{
		{"at once", []string{"200"}, 3 * time.Second, 0, []string{"hook1 delivered after 1", "hook1 delivered after 1"}},
		{"with a retry", []string{"500", "200"}, 3 * time.Second, time.Second, []string{
			"hook1 failed after 1, again in 1s: the answer was 500 Internal Server Error",
			"hook1 delivered after 2", "hook1 delivered after 1",
		}},
		{"cut short in a pause", []string{"500"}, 2 * time.Second, 2 * time.Second, []string{
			"hook1 failed after 1, again in 1s: the answer was 500 Internal Server Error",
			"hook1 failed after 2, again in 2s: the answer was 500 Internal Server Error",
			"hook1 given up after 2: weir stopped before it was delivered",
			"hook1 dropped after 0: weir stopped before it was delivered",
		}},
		{"cut short in an attempt", []string{"hang"}, 2 * time.Second, 2 * time.Second, []string{
			"hook1 given up after 1: weir stopped before it was delivered",
			"hook1 dropped after 0: weir stopped before it was delivered",
		}},
	} {
		r := receiver{answer: answers(c.script...)}
		virtual(t, &r, func(t *testing.T, n *Notifier, l *ledger) {
			n.Apply(hooked([]config.Pool{pool("eu", nil)}, hookURL), Secrets{})
			n.Notify(origin("eu", "a", false))
			n.Notify(origin("eu", "b", false))
			synctest.Wait()
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), c.within)
			defer cancel()
			n.Close(ctx)
			if took := time.Since(start); took != c.took {
				t.Errorf("%s: took %v, want %v", c.what, took, c.took)
			}
			same(t, c.what, l.read(), c.want)
			n.Close(ctx) // and again, which does nothing
			n.Apply(hooked([]config.Pool{pool("eu", nil)}, "http://late.test/"), Secrets{})
			n.Notify(origin("eu", "a", true))
		})
		if n := count(&r, "late.test"); n != 0 {
			t.Errorf("%s: %d requests after Close", c.what, n)
		}
	}
}

// No callback has to be there.
func TestNobodyListens(t *testing.T) {
	r := receiver{answer: answers("500", "400", "200")}
	virtual(t, &r, func(t *testing.T, n *Notifier, _ *ledger) {
		n.opt.OnDelivered, n.opt.OnRetry, n.opt.OnFailed, n.opt.OnDropped = nil, nil, nil, nil
		n.Apply(hooked([]config.Pool{pool("eu", nil)}, hookURL), Secrets{})
		n.Notify(origin("eu", "a", false))
		n.Notify(origin("eu", "b", false))
		time.Sleep(time.Minute)
	})
	if got := len(r.arrivals()); got != 3 {
		t.Errorf("%d requests, want 3", got)
	}
}

// A URL listed twice, which Load refuses, is one webhook, and goes when it is removed.
func TestOneWebhookPerURL(t *testing.T) {
	var r receiver
	virtual(t, &r, func(t *testing.T, n *Notifier, _ *ledger) {
		pools := []config.Pool{pool("eu", nil)}
		n.Apply(hooked(pools, hookURL, hookURL), Secrets{})
		n.Notify(state("eu", health.PoolHealthy, health.PoolCritical))
		synctest.Wait()
		n.Apply(hooked(pools), Secrets{})
		n.Notify(state("eu", health.PoolCritical, health.PoolHealthy))
		synctest.Wait()
	})
	if got := len(r.arrivals()); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

// Failures of the network are tried again, and no report holds the URL's path, where hooks have their secrets.
func TestNetworkErrors(t *testing.T) {
	var r receiver
	virtual(t, &r, func(t *testing.T, n *Notifier, l *ledger) {
		dial := n.opt.Transport.(*http.Transport).DialContext
		refused := 0
		n.opt.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if refused++; refused <= 2 {
				return nil, errors.New("dial tcp: connection refused")
			}
			return dial(ctx, network, address)
		}
		c := hooked([]config.Pool{pool("eu", nil)}, "http://someone:P4SS@hooks.test/T0K3N?k=S3CR3T")
		c.Weir.Notifications[0].Name = ""
		n.Apply(c, Secrets{})
		n.Notify(origin("eu", "a", false))
		time.Sleep(time.Minute)
		same(t, "reports", l.read(), []string{
			"http://hooks.test failed after 1, again in 1s: dial tcp: connection refused",
			"http://hooks.test failed after 2, again in 2s: dial tcp: connection refused",
			"http://hooks.test delivered after 3",
		})
	})
	if a := r.arrivals(); len(a) != 1 || a[0].header.Get("Authorization") != "Basic c29tZW9uZTpQNFNT" {
		t.Errorf("%+v, want one request with the URL's user and password", a)
	}
}

// A URL that no request can be made of is given up without being shown.
func TestUnusableURL(t *testing.T) {
	var r receiver
	virtual(t, &r, func(t *testing.T, n *Notifier, l *ledger) {
		c := hooked([]config.Pool{pool("eu", nil)}, "http://hooks.test/%zzT0K3N")
		c.Weir.Notifications[0].Name = ""
		n.Apply(c, Secrets{})
		n.Notify(origin("eu", "a", false))
		synctest.Wait()
		same(t, "reports", l.read(), []string{"an unnamed webhook given up after 1: the webhook's URL cannot be used"})
	})
}

// Everything at once, for the race detector: every alert at every webhook has exactly one end.
func TestConcurrency(t *testing.T) {
	r := receiver{answer: func(n int, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader([]int{200, 500, 429, 404}[n%4])
	}}
	virtual(t, &r, func(t *testing.T, n *Notifier, l *ledger) {
		const urls, each = 3, 50
		list := []string{"http://a.test/", "http://b.test/", "http://c.test/"}
		pools := []config.Pool{pool("eu", nil), pool("us", nil)}
		n.Apply(hooked(pools, list...), Secrets{})
		var wg sync.WaitGroup
		for _, name := range []string{"eu", "us"} {
			wg.Go(func() {
				for i := range each {
					n.Notify(origin(name, "a", i%2 == 1))
				}
			})
		}
		wg.Go(func() {
			for range each {
				n.Apply(hooked(pools, list...), Secrets{})
			}
		})
		wg.Wait()
		n.Close(t.Context())
		ends := 0
		for _, line := range l.read() {
			if !strings.Contains(line, ", again in ") {
				ends++
			}
		}
		if want := urls * 2 * each; ends != want {
			t.Errorf("%d alerts came to an end, want %d", ends, want)
		}
	})
}
