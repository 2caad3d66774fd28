package proxy

import (
	"sync"
	"sync/atomic"
	"time"
)

// epoch is the zero of mono.
var epoch = time.Now()

// mono is the clock of deadlines: nanoseconds since the process began, never stepping.
func mono() int64 { return int64(time.Since(epoch)) }

// watchTurn is the longest the watcher sleeps while a connection is open: how late a client's going away is noticed.
const watchTurn = time.Second

const never = int64(1<<63 - 1)

// watcher ends waits whose deadline has passed and notices clients that went away, for all streams of one engine. It
// is one goroutine that sleeps until the earliest deadline: a request sets its deadlines by storing a number, where
// net.Conn.SetDeadline would cost more than a microsecond each.
type watcher struct {
	mu      sync.Mutex
	streams []*netStream
	over    bool // every stream was cut, and so are new ones
	hooks   []func(now int64) (next int64)
	next    atomic.Int64 // when it wakes up, at the latest
	wake    chan struct{}
	stop    chan struct{}
	done    chan struct{}
}

func newWatcher() *watcher {
	w := &watcher{wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	w.next.Store(never)
	go w.run()
	return w
}

// hook has f called at every turn; it answers when it next wants to be.
func (w *watcher) hook(f func(now int64) (next int64)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hooks = append(w.hooks, f)
}

func (w *watcher) add(s *netStream) {
	w.mu.Lock()
	s.index = len(w.streams)
	w.streams = append(w.streams, s)
	if w.over {
		s.cut()
	}
	first := len(w.streams) == 1
	w.mu.Unlock()
	if first {
		w.poke()
	}
}

func (w *watcher) remove(s *netStream) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := w.streams[len(w.streams)-1]
	last.index = s.index
	w.streams[s.index] = last
	w.streams[len(w.streams)-1] = nil
	w.streams = w.streams[:len(w.streams)-1]
}

// cut ends all connections beneath those who use them; these will close the streams.
func (w *watcher) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	for _, s := range w.streams {
		s.cut()
	}
}

// due asks to be awake at the given time.
func (w *watcher) due(at int64) {
	if at != 0 && at < w.next.Load() {
		w.poke()
	}
}

func (w *watcher) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watcher) run() {
	defer close(w.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		next := w.turn(mono())
		timer.Reset(time.Duration(next - mono()))
		select {
		case <-timer.C:
		case <-w.wake:
		case <-w.stop:
			return
		}
	}
}

// turn looks at every stream once and answers when to look again. Until it has, next is the latest that this can be, so
// that an early deadline set behind its back pokes it, and the many late ones do not.
func (w *watcher) turn(now int64) (next int64) {
	w.next.Store(now + int64(watchTurn))
	next, hooks := w.lookAtAll(now)
	for _, f := range hooks {
		next = min(next, f(now))
	}
	w.next.Store(next)
	return next
}

// lookAtAll answers when a stream is next due, and the hooks, which close streams and so must run without the lock.
func (w *watcher) lookAtAll(now int64) (next int64, hooks []func(now int64) (next int64)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	next = never
	if len(w.streams) > 0 {
		next = now + int64(watchTurn)
	}
	for _, s := range w.streams {
		next = min(next, s.look(now))
	}
	return next, w.hooks
}

func (w *watcher) close() {
	close(w.stop)
	<-w.done
}
