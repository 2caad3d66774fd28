package health

import (
	"time"

	"github.com/weirlb/weir/config"
)

// role is what a monitor's verdict counts for. A monitor that stands alone is a voter.
type role uint8

const (
	voter    role = iota
	critical      // must_be_healthy: votes, and when it fails the origin is down at once
	watcher       // monitoring_only: probes, and may notify; its verdict counts for nothing
)

// roleOf is a group member's role, and false for one that takes no part. monitoring_only wins over must_be_healthy.
func roleOf(m *config.GroupMember) (role, bool) {
	switch {
	case !m.Enabled:
		return 0, false
	case m.MonitoringOnly:
		return watcher, true
	case m.MustBeHealthy:
		return critical, true
	default:
		return voter, true
	}
}

// ballot is one member's say.
type ballot struct {
	role   role
	status Status
}

// consensus joins the members of a monitor group (behaviour M4): Down when a critical one is down, or when more than
// half of those who vote are, so that a tie is up here. Unknown ones count against the origin, but the answer is Down
// only when they could no longer make it Up, and Unknown until then; also when nobody votes.
func consensus(ballots []ballot) Status {
	var voters, down, open int
	vetoed, vetoable := false, false
	for _, b := range ballots {
		if b.role == watcher {
			continue
		}
		voters++
		switch b.status {
		case Up:
		case Unknown:
			open++
			vetoable = vetoable || b.role == critical
		case Down:
			down++
			vetoed = vetoed || b.role == critical
		default:
			panic("BUG: no such status")
		}
	}
	switch {
	case vetoed, 2*down > voters:
		return Down
	case voters == 0, vetoable, 2*(down+open) > voters:
		return Unknown
	default:
		return Up
	}
}

// agree joins what the voting members say, each by of, into one verdict. What a single voter says is the verdict.
func (o *origin) agree(was Verdict, of func(*member) Verdict, now time.Time) Verdict {
	if len(o.voters) == 1 {
		return of(o.voters[0])
	}
	ballots := make([]ballot, len(o.voters))
	parts := make([]Verdict, len(o.voters))
	for i, m := range o.voters {
		parts[i] = of(m)
		ballots[i] = ballot{m.role, parts[i].Status}
		if parts[i].Status == Down {
			parts[i].Detail = "monitor " + m.monitor + ": " + parts[i].Detail
		}
	}
	return settle(was, consensus(ballots), parts, culprits(ballots, parts), now)
}

// culprits are the parts that a joint failure is blamed on: the critical members that are down, else all that are.
func culprits(ballots []ballot, parts []Verdict) []Verdict {
	var list []Verdict
	for i, b := range ballots {
		if b.role == critical && b.status == Down {
			list = append(list, parts[i])
		}
	}
	if list == nil {
		return parts
	}
	return list
}
