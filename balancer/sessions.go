package balancer

import (
	"sync"
	"time"
)

// Sessions is what session affinity needs beside snapshots, and outlives them: the key of cookies, and the sessions by
// header, which clients do not carry themselves.
type Sessions struct {
	sealer *Sealer
	shards []shard
}

// sessionShards keep requests of different sessions from waiting for each other.
const sessionShards = 64

// DefaultSessions is how many sessions by header are kept where nothing else is asked for: about 70 MB when all are there.
const DefaultSessions = 1 << 20

// NewSessions returns the sessions of one instance. At most capacity sessions by header are kept, rounded up to one per
// shard; each costs about 70 bytes, and nothing before it exists. When all places are taken, the session that was idle
// longest goes.
func NewSessions(sealer *Sealer, capacity int) *Sessions {
	s := &Sessions{sealer: sealer, shards: make([]shard, sessionShards)}
	for i := range s.shards {
		s.shards[i].most = max(1, (capacity+sessionShards-1)/sessionShards)
		s.shards[i].index = map[uint64]int32{}
		s.shards[i].newest, s.shards[i].oldest = none, none
	}
	return s
}

// shard holds some of the sessions by header, in a list from the one used last to the one idle longest.
type shard struct {
	mu             sync.Mutex // guards what follows
	most           int
	index          map[uint64]int32 // by key
	seats          []seat           // memory is never given back: at the most it is needed again
	newest, oldest int32
}

// seat is one session by header.
type seat struct {
	key, origin  uint64
	until        int64 // Unix nanoseconds
	newer, older int32
}

// find returns the origin of a session that is alive. It changes nothing: explaining a request does not prolong its
// session.
func (s *Sessions) find(key uint64, now time.Time) (origin uint64, why Reason) {
	h := &s.shards[key%sessionShards]
	h.mu.Lock()
	defer h.mu.Unlock()
	i, ok := h.index[key]
	switch {
	case !ok:
		return 0, SessionAbsent
	case h.seats[i].until <= now.UnixNano():
		return 0, SessionExpired
	default:
		return h.seats[i].origin, Yes
	}
}

// keep begins or prolongs a session. now is in Unix nanoseconds.
func (s *Sessions) keep(key, origin uint64, now int64, ttl time.Duration) {
	h := &s.shards[key%sessionShards]
	h.mu.Lock()
	defer h.mu.Unlock()
	h.expire(now)
	i, ok := h.index[key]
	if ok {
		h.unlink(i)
	} else {
		i = h.take(key)
	}
	h.seats[i].origin, h.seats[i].until = origin, now+int64(ttl)
	h.link(i)
}

// Len is how many sessions by header are there, those included that nobody has noticed to be over.
func (s *Sessions) Len() int {
	n := 0
	for i := range s.shards {
		s.shards[i].mu.Lock()
		n += len(s.shards[i].index)
		s.shards[i].mu.Unlock()
	}
	return n
}

// expire forgets a few of those idle longest whose time is over, so that a table of sessions that end shrinks as fast as
// new ones come. It needs mu.
func (h *shard) expire(now int64) {
	for range 2 {
		if h.oldest == none || h.seats[h.oldest].until > now {
			return
		}
		h.forget(h.oldest)
	}
}

// take finds a seat for a new session: a free one, or that of the session idle longest. It needs mu.
func (h *shard) take(key uint64) int32 {
	if len(h.index) == h.most {
		h.forget(h.oldest)
	}
	i := int32(len(h.index)) // at most the capacity
	if int(i) == len(h.seats) {
		h.seats = append(h.seats, seat{})
	}
	h.seats[i] = seat{key: key, newer: none, older: none}
	h.index[key] = i
	return i
}

// forget ends a session. The last seat moves into its place, so that those taken stay side by side. It needs mu.
func (h *shard) forget(i int32) {
	h.unlink(i)
	delete(h.index, h.seats[i].key)
	last := int32(len(h.index)) // at most the capacity
	if i == last {
		return
	}
	h.seats[i] = h.seats[last]
	h.index[h.seats[i].key] = i
	h.point(h.seats[i].newer, h.seats[i].older, i, i)
}

// link makes i the session used last. It needs mu.
func (h *shard) link(i int32) {
	h.seats[i].newer, h.seats[i].older = none, h.newest
	h.point(none, h.newest, i, i)
}

// unlink takes i out of the list. It needs mu.
func (h *shard) unlink(i int32) {
	h.point(h.seats[i].newer, h.seats[i].older, h.seats[i].older, h.seats[i].newer)
}

// point makes the neighbours of a place in the list point to it: newer's older one is o, older's newer one is n; where
// there is no neighbour, the end of the list is there. It needs mu.
func (h *shard) point(newer, older, o, n int32) {
	if newer == none {
		h.newest = o
	} else {
		h.seats[newer].older = o
	}
	if older == none {
		h.oldest = n
	} else {
		h.seats[older].newer = n
	}
}
