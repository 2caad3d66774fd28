package admin

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Webhooks have all of their series from the start, also two of one name, and none when they are gone.
func TestDeliveriesCollect(t *testing.T) {
	d := NewDeliveries()
	d.Delivered("ops") // nobody has said that there is such a webhook
	d.Keep([]string{"ops", "chat", "ops"})
	want := map[string]float64{}
	for _, webhook := range []string{"ops", "chat"} {
		for _, result := range deliveryResults {
			want["notifications_total{result="+result+",webhook="+webhook+"}"] = 0
		}
	}
	check := func(when string) {
		t.Helper()
		if diff := cmp.Diff(want, series(t, d)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", when, diff)
		}
	}
	check("at first")
	d.Delivered("ops")
	d.Delivered("ops")
	d.Retried("chat")
	d.Failed("chat")
	d.Dropped("chat")
	want["notifications_total{result=delivered,webhook=ops}"] = 2
	for _, result := range []string{"retried", "failed", "dropped"} {
		want["notifications_total{result="+result+",webhook=chat}"] = 1
	}
	check("afterwards")
	d.Keep([]string{"ops"})
	d.Failed("chat") // what was left of it
	maps.DeleteFunc(want, func(name string, _ float64) bool { return name[len(name)-5:] == "chat}" })
	check("without the second")
}
