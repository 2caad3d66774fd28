package health

// PoolState is a pool's state in the words of Cloudflare's health details page.
type PoolState uint8

const (
	PoolUnknown  PoolState = iota // no monitor, or no verdict yet
	PoolHealthy                   // every enabled origin is healthy
	PoolDegraded                  // some are not, but minimum_origins are
	PoolCritical                  // fewer than minimum_origins are: no traffic but as the fallback pool
)

// String returns the dashboard's word for the state.
func (s PoolState) String() string {
	switch s {
	case PoolHealthy:
		return "Healthy"
	case PoolDegraded:
		return "Degraded"
	case PoolCritical:
		return "Critical"
	case PoolUnknown:
		return "Health unknown"
	}
	panic("BUG: no such pool state")
}

// Tally counts what a pool's state depends on. Disabled origins are not part of it.
type Tally struct {
	Monitored bool
	Enabled   int // enabled origins
	Healthy   int // of these, how many are up
	Unknown   int // of these, how many have no verdict yet; they count as down
	Minimum   int // minimum_origins
}

// add counts n more origins of a status.
func (t *Tally) add(s Status, n int) {
	switch s {
	case Up:
		t.Healthy += n
	case Unknown:
		t.Unknown += n
	case Down:
	}
}

// State judges the pool (behaviour P4, P5). An unmonitored pool is always PoolUnknown, whatever its minimum.
func (t Tally) State() PoolState {
	switch {
	case !t.Monitored, t.Enabled > 0 && t.Unknown == t.Enabled:
		return PoolUnknown
	case t.Healthy < t.Minimum:
		// Before "all are healthy": a minimum beyond the number of origins can never be met.
		return PoolCritical
	case t.Healthy == t.Enabled:
		return PoolHealthy
	default:
		return PoolDegraded
	}
}

// Qualifies reports whether the pool may be asked for an origin outside its duty as fallback pool. It promises no
// origin: with minimum_origins 0 a pool qualifies without a single healthy one (behaviour P5, P7).
func (t Tally) Qualifies() bool { return !t.Monitored || t.Healthy >= t.Minimum }
