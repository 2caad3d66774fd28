package e2e

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/weirlb/weir/bench/load"
	"github.com/weirlb/weir/bench/origin"
)

// TestStaleConnections has origins close their connections unannounced, just when the next request may be on its way:
// no safe request fails (behaviour R4).
func TestStaleConnections(t *testing.T) {
	var origins []*origin.Origin
	for _, name := range []string{"one", "two"} {
		origins = append(origins, startOrigin(t, name, closingSoon(name)))
	}
	w := serve(t, one(origins...), with{})
	report, err := load.Run(t.Context(), load.Options{
		Addr: w.proxy, Host: host, Rate: sized(500.0, 1000, 2000), For: sized(2*time.Second, 4*time.Second, 50*time.Second), Conns: 4,
		TagField: origin.NameField, Request: func(int64) load.Request { return load.Request{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.quiet("pool", origins...)
	w.stop()
	log := readLog(t, w.accessLog)
	redialed := countOf(log, func(e *entry) bool { return e.Redialed })
	t.Logf("redialed %d times\n%v", redialed, report)
	if report.Answered != report.Due || report.Status[http.StatusOK] != report.Due {
		t.Errorf("%d of %d requests were answered, %v", report.Answered, report.Due, report.Status)
	}
	for _, e := range log {
		if e.Status != http.StatusOK {
			t.Errorf("%+v", e)
		}
	}
	if redialed == 0 {
		t.Error("no connection was found closed: the story was not told")
	}
}

// closingSoon answers and closes the connection within two milliseconds, without having said so.
func closingSoon(name string) origin.Handler {
	hello := origin.Answer(http.StatusOK, origin.F(origin.NameField, name), name+"\n")
	return origin.Always(func(x *origin.Exchange) error {
		if err := hello(x); err != nil {
			return err
		}
		if err := x.Sleep(rand.N(2 * time.Millisecond)); err != nil { //nolint:gosec // any time will do
			return err
		}
		return origin.ErrClose
	})
}
