package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/coder/websocket"

	"github.com/weirlb/weir/bench/origin"
)

// TestWebSocketsOutliveReloads talks through tunnels while the configuration changes under them, up to one that knows
// their origin no longer (behaviour A7, O1, P13).
func TestWebSocketsOutliveReloads(t *testing.T) {
	t.Parallel()
	old, next := startOrigin(t, "old", nil), startOrigin(t, "new", nil)
	world := one(old)
	w := serve(t, world, with{})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()

	const tunnels = 20
	var talks [tunnels]*websocket.Conn
	for i := range talks {
		talks[i] = w.talk(ctx)
		defer talks[i].CloseNow() //nolint:errcheck,gocritic // there are twenty, and after Close there is nothing to tell
	}
	exchange := func(when string) {
		for i, talk := range talks {
			if err := echoes(ctx, talk, 1, 125, 126, 1<<16-1, 1<<16, 300_000+i); err != nil {
				t.Fatalf("%s: websocket %d: %v", when, i, err)
			}
		}
	}
	exchange("at first")
	if m := w.scrape(); m.of("weir_origin_requests_in_flight", "pool", "old") != tunnels {
		t.Errorf("%v requests in flight, want one for each of %d websockets",
			m.of("weir_origin_requests_in_flight", "pool", "old"), tunnels)
	}

	for i, reload := range []func(){w.reloadByFile, w.reloadBySignal, w.reloadByRequest} {
		world.pools[0]["description"] = fmt.Sprintf("configuration %d", i+1)
		reload()
		exchange("after a reload")
	}
	world.pools[0]["origins"] = []object{entryOf(next)}
	w.reloadByRequest()
	exchange("after the origin has left the configuration")
	if a, err := w.get("/"); err != nil || a.header.Get(origin.NameField) != "new" {
		t.Errorf("a new request: %v, %d %q, want an answer of new", err, a.status, a.body)
	}

	for _, talk := range talks {
		if err := talk.Close(websocket.StatusNormalClosure, "bye"); err != nil {
			t.Errorf("closing: %v", err)
		}
	}
	if err := old.Await(ctx, func(s origin.Stats) bool { return s.ConnectionsOpen == 0 }); err != nil {
		t.Errorf("the origin still has %+v", old.Stats())
	}
	w.quiet("pool", next)
	w.stop()
	upgraded := 0
	for _, e := range readLog(t, w.accessLog) {
		if e.Status == http.StatusSwitchingProtocols && e.ErrorClass == "ok" {
			upgraded++
		}
	}
	if upgraded != tunnels {
		t.Errorf("%d tunnels in the access log, want %d", upgraded, tunnels)
	}
}

func (w *weir) talk(ctx context.Context) *websocket.Conn {
	w.t.Helper()
	talk, _, err := websocket.Dial(ctx, "ws://"+w.proxy+"/ws", &websocket.DialOptions{HTTPClient: once, Host: host})
	if err != nil {
		w.t.Fatal(err)
	}
	talk.SetReadLimit(1 << 20)
	return talk
}

// echoes sends messages of these sizes and wants each back.
func echoes(ctx context.Context, talk *websocket.Conn, sizes ...int) error {
	for _, size := range sizes {
		message := bytes.Repeat([]byte{byte(size)}, size)
		// The echo begins before the message has ended: a message larger than all buffers needs both ways at once.
		sent := make(chan error, 1)
		go func() { sent <- talk.Write(ctx, websocket.MessageBinary, message) }()
		_, back, err := talk.Read(ctx)
		if err != nil {
			return fmt.Errorf("%d bytes: %w", size, err)
		}
		if err := <-sent; err != nil {
			return fmt.Errorf("%d bytes: %w", size, err)
		}
		if !bytes.Equal(back, message) {
			return fmt.Errorf("%d bytes came back as %d others", size, len(back))
		}
	}
	return nil
}
