package balancer

import "github.com/weirlb/weir/config"

// Origin is the living thing behind an origin's settings: its counters. It belongs to an identity and outlives
// snapshots, reloads and reorderings. Loads are rows of counters, one row per writer, summed by readers.
type Origin struct {
	Identity config.Identity
	ID       uint64 // stable hash of Identity
}

// BeginRequest counts an outstanding request in row; EndRequest takes it back, after the last byte.
func (o *Origin) BeginRequest(row int) {}
func (o *Origin) EndRequest(row int)   {}

// OpenConnection counts an established connection in row; CloseConnection takes it back.
func (o *Origin) OpenConnection(row int)  {}
func (o *Origin) CloseConnection(row int) {}

// Outstanding is the number of requests between pick and last byte, Connections of established connections, idle ones
// and tunnels included.
func (o *Origin) Outstanding() int { return 0 }
func (o *Origin) Connections() int { return 0 }
