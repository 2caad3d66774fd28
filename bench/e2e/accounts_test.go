package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weirlb/weir/bench/origin"
)

// metrics are the series of one scrape, by name with labels as they are written.
type metrics map[string]float64

// scrape reads /metrics.
func (w *weir) scrape() metrics {
	w.t.Helper()
	status, body := w.ask(http.MethodGet, "/metrics")
	if status != http.StatusOK {
		w.t.Fatalf("/metrics answers %d", status)
	}
	m := metrics{}
	for line := range strings.Lines(string(body)) {
		line = strings.TrimSpace(line)
		space := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || space < 0 {
			continue
		}
		value, err := strconv.ParseFloat(line[space+1:], 64)
		if err != nil {
			w.t.Fatalf("/metrics: %v in %q", err, line)
		}
		m[line[:space]] = value
	}
	return m
}

// family is all series of a name.
func (m metrics) family(name string) metrics {
	found := metrics{}
	for series, value := range m {
		if series == name || strings.HasPrefix(series, name+"{") {
			found[series] = value
		}
	}
	return found
}

func (m metrics) sum(name string) float64 {
	var sum float64
	for _, value := range m.family(name) {
		sum += value
	}
	return sum
}

// of is the value of an origin's series.
func (m metrics) of(name, pool, origin string) float64 {
	return m[fmt.Sprintf("%s{origin=%q,pool=%q}", name, origin, pool)]
}

// entry is a line of the access log: what the stories ask of it.
type entry struct {
	TS          time.Time `json:"ts"`
	Method      string    `json:"method"`
	Path        string    `json:"path"`
	Status      int       `json:"status"`
	DurationMS  float64   `json:"duration_ms"`
	ConnectMS   float64   `json:"connect_ms"`
	FirstByteMS float64   `json:"first_byte_ms"`
	Origin      string    `json:"origin"`
	Tries       int       `json:"tries"`
	Retried     string    `json:"retried"`
	Redialed    bool      `json:"redialed"`
	ErrorClass  string    `json:"error_class"`
	Cause       string    `json:"cause"`
}

// end is when the last byte moved.
func (e *entry) end() time.Time {
	return e.TS.Add(time.Duration(e.DurationMS * float64(time.Millisecond)))
}

// readLog reads the access log of a program that has ended.
func readLog(t testing.TB, path string) []entry {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var entries []entry
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("access log, line %d: %v in %s", len(entries)+1, err, lines.Bytes())
		}
		entries = append(entries, e)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return entries
}

// quiet waits until nothing is outstanding, and until every origin's connections are those that the origin counts too,
// all of them idle; then until those are gone as well.
func (w *weir) quiet(pool string, origins ...*origin.Origin) {
	w.t.Helper()
	eventually(w.t, patience, "no client is connected and no request outstanding", func() bool {
		m := w.scrape()
		return m["weir_clients_open"] == 0 && m.sum("weir_origin_requests_in_flight") == 0
	})
	eventually(w.t, patience, "open connections to origins are the idle ones", func() bool {
		m := w.scrape()
		return !slices.ContainsFunc(origins, func(o *origin.Origin) bool {
			s := o.Stats()
			return int64(m.of("weir_origin_connections_open", pool, o.Name())) != s.ConnectionsOpen || s.ConnectionsOpen != s.ConnectionsIdle
		})
	})
	eventually(w.t, patience, "idle connections to origins are closed", func() bool {
		return w.scrape().sum("weir_origin_connections_open") == 0
	})
	m := w.scrape()
	for series, value := range m.family("weir_origin_requests_in_flight") {
		if value != 0 { // a sum can be 0 by accident
			w.t.Errorf("%s is %v when all is quiet", series, value)
		}
	}
	for _, name := range []string{"weir_panics_total", "weir_access_log_dropped_total"} {
		if m[name] != 0 {
			w.t.Errorf("%s is %v", name, m[name])
		}
	}
}
