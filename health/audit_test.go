package health

import (
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirlb/weir/config"
)

// Behaviour H10: every row of its table, from probes to the verdict.
func TestRegionsThroughTheEngine(t *testing.T) {
	for _, tt := range []struct {
		regions []string
		passes  []int // of three probes, by region
		places  string
		want    string
	}{
		{[]string{"WNAM", "ENAM", "WEU"}, []int{3, 1, 2}, "UDU", "U"},
		{[]string{"WNAM", "ENAM"}, []int{3, 1}, "UD", "D"},
		{[]string{"WEU"}, []int{2}, "U", "U"},
		{[]string{"ALL_REGIONS"}, []int{3, 3, 3, 3, 3, 3, 0, 0, 0, 0, 0, 0, 0}, "UUUUUUDDDDDDD", "D"},
		{[]string{"ALL_REGIONS"}, []int{3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 0, 0, 0}, "UUUUUUUDDDDDD", "U"},
	} {
		inLab(t, Options{Scale: ScaleFull}, func(l *lab) {
			p := poolOf("p", 1)
			p.CheckRegions = tt.regions
			cfg := configOf(httpMonitor(), p)
			cfg.Weir.Regions = map[string]config.Region{}
			codes := tt.regions
			if len(tt.passes) == 13 {
				codes = regionCodes
			}
			for i, code := range codes {
				source := "127.0.0." + strconv.Itoa(10+i)
				cfg.Weir.Regions[code] = config.Region{Source: source}
				l.answer("10.0.0.1 from "+source, script(strings.Repeat("U", tt.passes[i])+strings.Repeat("D", 3-tt.passes[i])))
			}
			l.Apply(cfg)
			l.after(time.Second)
			var places strings.Builder
			for _, code := range codes {
				places.WriteString(l.from("p", code))
			}
			l.want("H10: regions", places.String(), tt.places)
			l.want("H10: "+strings.Join(tt.regions, " "), l.global("p"), tt.want)
			if len(l.probes) != 3*len(codes) {
				t.Errorf("H10: %d probes from %d regions", len(l.probes), len(codes))
			}
		})
	}
}

// Behaviour H4: the window is 10,240 bytes, and no other number.
func TestBodyWindowIsTenKilobytes(t *testing.T) {
	m := httpMonitor()
	m.ExpectedBody = "alive"
	for before, want := range map[int]string{10240 - 5: NoFailures, 10240 - 4: BodyMismatch} {
		body := strings.Repeat(".", before) + "ALIVE"
		at := startOrigin(t, "127.0.0.1", nil, func(conn net.Conn) {
			readHead(conn)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body)
			silence(conn)
		})
		if r := probe(t, &network{}, targetAt(at, m)); r.Reason != want {
			t.Errorf("behind %d bytes: %s: %s, want %s", before, r.Reason, r.Detail, want)
		}
	}
}

// Behaviour H7, H8: what the engine asks of a probe: each origin's own Host before the monitor's, and its port.
func TestTargetsOfTheEngine(t *testing.T) {
	var mu sync.Mutex
	got := map[string]string{} // by address: the configured hosts and the port
	record := func(ctx context.Context, target Target) Result {
		mu.Lock()
		defer mu.Unlock()
		monitor := ""
		for _, f := range target.Monitor.Header {
			monitor += f.Name + " " + strings.Join(f.Values, ",")
		}
		got[target.Address] = target.Host + "|" + monitor + "|" + strconv.Itoa(target.Port)
		return pass(ctx)
	}
	inLab(t, Options{Probe: record}, func(l *lab) {
		m := httpMonitor()
		m.Header = []config.HeaderField{{Name: "Host", Values: []string{"www.example.com"}}}
		p := poolOf("p", 2)
		p.Origins[0].Host = "lb-app-a.example.com"
		p.Origins[1].Port = 8080
		l.Apply(configOf(m, p))
		l.after(time.Second)
	})
	for address, want := range map[string]string{
		"10.0.0.1": "lb-app-a.example.com|Host www.example.com|80",
		"10.0.0.2": "|Host www.example.com|8080",
	} {
		if got[address] != want {
			t.Errorf("%s: %s, want %s", address, got[address], want)
		}
	}
}

// Behaviour H1: a wrong answer is one attempt and down at once; silence is three and down after fifteen seconds.
func TestAttemptsThroughTheEngine(t *testing.T) {
	for _, tt := range []struct {
		name     string
		answer   func(context.Context) Result
		attempts int
		soon     string // after a second
	}{
		{"an immediate 503", fail, 1, "D"},
		{"a black hole", blackHole, 3, "?"},
	} {
		inLab(t, Options{}, func(l *lab) {
			m := httpMonitor() // timeout 5 s, 2 retries
			m.Interval = time.Hour
			l.answer("10.0.0.1", tt.answer)
			l.Apply(configOf(m, poolOf("p", 1)))
			l.after(time.Second)
			l.want("H1: "+tt.name, l.global("p"), tt.soon)
			l.after(15 * time.Second)
			l.want("H1: "+tt.name+", in the end", l.global("p"), "D")
			if len(l.probes) != tt.attempts {
				t.Errorf("H1: %s: attempts %v, want %d", tt.name, l.probes, tt.attempts)
			}
		})
	}
}

// Behaviour M4: who must be healthy votes too: one of two others down is up. Behaviour P7: a group without voters judges
// nobody, whatever its members find.
func TestGroupsThroughTheEngine(t *testing.T) {
	for _, tt := range []struct {
		why     string
		members []config.GroupMember
		down    []string
		want    string
	}{
		{"one of two, of which one must", []config.GroupMember{
			{MonitorID: "m1", Enabled: true, MustBeHealthy: true}, {MonitorID: "m2", Enabled: true},
		}, []string{"m2"}, "U"},
		{"the one that must", []config.GroupMember{
			{MonitorID: "m1", Enabled: true, MustBeHealthy: true}, {MonitorID: "m2", Enabled: true},
		}, []string{"m1"}, "D"},
		{"one that must, and only watches", []config.GroupMember{
			{MonitorID: "m1", Enabled: true, MustBeHealthy: true, MonitoringOnly: true}, {MonitorID: "m2", Enabled: true},
		}, []string{"m1"}, "U"},
		{"nobody votes", []config.GroupMember{{MonitorID: "m1", Enabled: true, MonitoringOnly: true}}, []string{"m1"}, "?"},
	} {
		inGroupLab(t, func(l *lab, verdicts map[string]string) {
			for _, id := range tt.down {
				verdicts[id] = "D"
			}
			l.Apply(groupConfig(config.MonitorGroup{ID: "g", Members: tt.members}, poolOf("p", 1)))
			l.after(time.Second)
			l.want("M4: "+tt.why, l.global("p"), tt.want)
			if monitored := l.Table().Pool("p").Monitored; monitored == (tt.want == "?") {
				t.Errorf("P7: %s: monitored %t", tt.why, monitored)
			}
		})
	}
}
