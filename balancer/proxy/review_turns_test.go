package proxy

import (
	"sync/atomic"
	"testing"
	"time"
)

// A request that sets a deadline while the watcher looks does not make it look again, if its next turn comes soon
// enough: under load there is always one, and the watcher would never rest.
func TestLateDeadlinesDoNotWakeTheWatcher(t *testing.T) {
	watch := newWatcher()
	defer watch.close()
	var turns atomic.Int64
	looked := make(chan struct{}, 1)
	watch.hook(func(int64) int64 {
		turns.Add(1)
		watch.due(after(int64(time.Minute))) // what a request does meanwhile
		select {
		case looked <- struct{}{}:
		default:
		}
		return never
	})
	watch.poke()
	<-looked
	time.Sleep(20 * time.Millisecond) // in which it must not look again
	if n := turns.Load(); n > 2 {     // its first look may have come with the hook already there
		t.Fatalf("the watcher looked %d times, want one", n)
	}
	soon := mono() + int64(20*time.Millisecond)
	watch.hook(func(int64) int64 { return soon })
	watch.poke()
	<-looked
	select {
	case <-looked: // at the time asked for
	case <-time.After(patience):
		t.Error("the watcher did not look again when it was asked to")
	}
}
