package e2e

import (
	"fmt"
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

// TestUnsafeRequestsAreSentOnce has an origin take every third POST, act on it, and close the connection instead of
// answering. Nobody can know that it did: the client is told of the failure, and the request is not sent again
// (behaviour R3).
func TestUnsafeRequestsAreSentOnce(t *testing.T) {
	t.Parallel()
	hello := origin.AfterBody(origin.Answer(http.StatusOK, origin.F(origin.NameField, "one"), "one\n"))
	vanish := origin.AfterBody(origin.Close())
	o := startOrigin(t, "one", func(r *origin.Request) origin.Action {
		if r.Number%3 == 0 {
			return vanish
		}
		return hello
	})
	w := serve(t, one(o), with{})
	report, err := load.Run(t.Context(), load.Options{
		Addr: w.proxy, Host: host, Rate: 500, For: 2 * time.Second, Conns: 4, TagField: origin.NameField,
		Request: func(i int64) load.Request {
			id := fmt.Sprint(i)
			return load.Request{Method: http.MethodPost, Target: "/" + id, Fields: [][2]string{{origin.IDField, id}}, Body: []byte(id)}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.quiet("pool", o)
	w.stop()
	executed := o.ExecutedIDs()
	for id, n := range executed {
		if n != 1 {
			t.Errorf("POST %s was executed %d times", id, n)
		}
	}
	if lost := report.Due / 3; report.Status[520] != lost || report.Status[http.StatusOK] != report.Due-lost || int64(len(executed)) != report.Due {
		t.Errorf("%d executed, %v; want each of %d executed, and %d answered 520", len(executed), report.Status, report.Due, lost)
	}
	kept := countOf(readLog(t, w.accessLog), func(e *entry) bool { return e.Status == 520 && e.ConnectMS == 0 })
	if kept == 0 {
		t.Error("no request was lost on a kept connection: the story was not told")
	}
}
