package health

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/weirlb/weir/config"
)

// liveConfig is a pool of origins at real addresses, probed every second.
func liveConfig(at ...netip.AddrPort) *config.Config {
	m := httpMonitor()
	m.Interval, m.Timeout, m.Retries = time.Second, 10*time.Second, 0
	p := poolOf("p", len(at))
	for i, a := range at {
		p.Origins[i].Address, p.Origins[i].Port = a.Addr().String(), int(a.Port())
	}
	return configOf(m, p)
}

// On real sockets: origins that hang, in the handshake and after it, hold up neither the first verdict of a good one
// nor its later ones; and Close does not wait for them.
func TestEngineOnRealSockets(t *testing.T) {
	hole, _ := fullBacklog(t)
	mute := startOrigin(t, "127.0.0.1", nil, silence)
	var healthy atomic.Bool
	healthy.Store(true)
	good := startOrigin(t, "127.0.0.1", nil, func(conn net.Conn) {
		if healthy.Load() {
			answer(fine)(conn)
			return
		}
		answer("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")(conn)
	})
	events := make(chan Event, 10)
	e := NewEngine(Options{OnEvent: func(ev Event) { events <- ev }})
	defer e.Close()
	e.Apply(liveConfig(hole, mute, good))

	next := func(wantHealthy bool, reason string) {
		t.Helper()
		select {
		case ev := <-events:
			o := ev.Origins[0]
			if o.Name != "c" || o.Healthy != wantHealthy || ev.Reason != reason || o.IP != "127.0.0.1" || ev.Region != "FRA" {
				t.Errorf("%+v", ev)
			}
		case <-time.After(8 * time.Second): // well before the others' ten seconds
			t.Fatalf("no event: the good origin waits for the others")
		}
	}
	next(true, NoFailures)
	healthy.Store(false)
	next(false, CodeMismatch)
	healthy.Store(true)
	next(true, NoFailures)
	if ready, waiting := e.Ready(); ready || strings.Join(waiting, ", ") != "p/a from FRA, p/b from FRA" {
		t.Errorf("ready %t, waiting for %v", ready, waiting)
	}
	begun := time.Now()
	e.Close()
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("Close took %v", took)
	}
	e.Close() // again, and Apply after it: nothing happens
	e.Apply(liveConfig(good))
}

// A group of several protocols on real sockets: http must pass, and of the rest no more than half of all may fail.
func TestGroupOnRealSockets(t *testing.T) {
	web := startOrigin(t, "127.0.0.1", nil, answer(fine))
	post := startOrigin(t, "127.0.0.1", nil, mail(nil, "220 hi\r\n", "250 ok\r\n", "221 bye\r\n"))
	shut, _ := closedPort(t)
	p := poolOf("p", 1)
	p.Origins[0].Address, p.Monitor, p.MonitorGroup = "127.0.0.1", "", "g"
	cfg := configOf(config.Monitor{}, p)
	cfg.Monitors = nil
	g := config.MonitorGroup{ID: "g"}
	for _, m := range []struct {
		kind string
		port uint16
	}{{"http", web.Port()}, {"smtp", post.Port()}, {"tcp", shut.Port()}, {"smtp", shut.Port()}} {
		one := httpMonitor()
		one.ID = fmt.Sprint(m.kind, m.port)
		one.Type, one.Port = m.kind, int(m.port)
		cfg.Monitors = append(cfg.Monitors, one)
		g.Members = append(g.Members, config.GroupMember{MonitorID: one.ID, Enabled: true, MustBeHealthy: m.kind == "http"})
	}
	cfg.MonitorGroups = []config.MonitorGroup{g}
	events := make(chan Event, 10)
	spoke := make(chan string, 1000)
	e := NewEngine(Options{
		OnEvent: func(ev Event) { events <- ev },
		OnProbe: func(r ProbeResult) { spoke <- r.Monitor },
	})
	defer e.Close()
	next := func(what string, want bool) {
		t.Helper()
		select {
		case ev := <-events:
			if ev.Origins[0].Healthy != want {
				t.Errorf("M4: %s: %+v", what, ev)
			}
		case <-time.After(8 * time.Second):
			t.Fatalf("%s: no event", what)
		}
	}
	e.Apply(cfg)
	for silent := len(g.Members); silent > 0; silent-- {
		<-spoke
	}
	next("two of four fail", true)
	fewer := *cfg
	fewer.MonitorGroups = []config.MonitorGroup{{ID: "g", Members: append(g.Members[:1:1], g.Members[2:]...)}}
	e.Apply(&fewer)
	next("two of three fail", false)
}

// cpu is the processor time of this process.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkProbe is the cost of one http probe, the origin's half of it included since it runs in this process. 10,000
// origins every 60 s are 167 probes a second: cpu-ns/op × 167 / 10⁹ is the share of one core, printed in percent. The
// budget is 10 %.
func BenchmarkProbe(b *testing.B) {
	target := targetAt(startOrigin(b, "127.0.0.1", nil, answer(fine)), httpMonitor())
	n := &network{}
	begun := cpu(b)
	b.ReportAllocs()
	for b.Loop() {
		if r := probe(b, n, target); !r.Passed() {
			b.Fatal(r)
		}
	}
	report(b, cpu(b)-begun, b.N)
}

// BenchmarkEngine10k is the same through the engine: one pool of 10,000 origins, from Apply until all of them have a
// result: scheduling, goroutines, verdicts, events and pictures included.
func BenchmarkEngine10k(b *testing.B) {
	const origins = 10_000
	ln := startOrigin(b, "0.0.0.0", nil, answer(fine))
	p := poolOf("p", origins)
	for i := range p.Origins {
		p.Origins[i].Name = fmt.Sprint("o", i)
		p.Origins[i].Address = netip.AddrFrom4([4]byte{127, 1, byte(i / 250), byte(i % 250)}).String()
		p.Origins[i].Port = int(ln.Port())
	}
	cfg := configOf(httpMonitor(), p)
	begun := cpu(b)
	for b.Loop() {
		up := make(chan struct{}, origins)
		e := NewEngine(Options{OnEvent: func(Event) { up <- struct{}{} }})
		e.Apply(cfg)
		for range origins {
			<-up
		}
		e.Close()
	}
	report(b, cpu(b)-begun, b.N*origins)
}

func report(b *testing.B, spent time.Duration, probes int) {
	each := float64(spent) / float64(probes)
	b.ReportMetric(each, "cpu-ns/probe")
	b.ReportMetric(each*10_000/60/1e9*100, "%core-at-10k/min")
}
