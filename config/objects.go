package config

import "time"

// The API's objects, in the API's words and with its defaults filled in. A Config and everything in it is a value:
// nothing changes it after it was loaded. Field meanings are those of Cloudflare's API reference; what each does at
// run time is in docs/behaviour.md.

// Config is one complete, validated configuration.
type Config struct {
	LoadBalancers []LoadBalancer
	Pools         []Pool // in the order read, which is the order of the implicit load balancer
	Monitors      []Monitor
	MonitorGroups []MonitorGroup
	Weir          Weir // the local section; never sent to Cloudflare
	Unknown       []Unknown

	index *index // made by Load; see resolve.go
}

// Identity is what an origin is known by, (pool, address, port, virtual network): the key of counters, sessions, health and
// the steering hash, so that renaming or reweighting an origin changes none of them (docs/behaviour.md, S6 and H18).
type Identity struct {
	Pool           string // pool id
	Address        string // lower case
	Port           int
	VirtualNetwork string
}

// Position is where an object or field was read.
type Position struct {
	File      string
	Line, Col int // from 1; 0 when the object came from no file
}

// Timestamp is an RFC 3339 instant that is written back exactly as it was read.
type Timestamp struct {
	time.Time
	Text string
}

// Unknown is a field that weir does not know, kept so that it can be written back.
type Unknown struct {
	Name string
	JSON []byte
}

// Pool is a group of origins with a health threshold.
type Pool struct {
	ID                 string
	Name               string
	Description        string
	CreatedOn          Timestamp
	ModifiedOn         Timestamp
	Enabled            bool
	DisabledAt         Timestamp
	MinimumOrigins     int
	Monitor            string   // monitor id, "" when unset
	MonitorGroup       string   // group id, "" when unset; decides over Monitor
	CheckRegions       []string // empty: every data centre
	HealthSources      []string // empty: local, then global
	Latitude           *float64 // both or neither; 0 is a legal value
	Longitude          *float64
	LoadShedding       *LoadShedding // nil: none
	OriginSteering     OriginSteering
	NotificationFilter *NotificationFilter
	NotificationEmail  string
	Networks           []string
	Origins            []Origin // in the order read
	Unknown            []Unknown
	Pos                Position
}

// Origin is one address that serves a pool's traffic.
type Origin struct {
	Name             string
	Address          string // IPv4, IPv6 or host name, as written
	Enabled          bool
	DisabledAt       Timestamp
	Weight           Weight
	Host             string // header.Host, "" when not overridden
	Port             int    // 0: the protocol's default
	VirtualNetworkID string
	FlattenCNAME     bool
	Unknown          []Unknown
	Pos              Position
}

// Weight is a weight in hundredths, 0 to 100: the API's steps of 0.01 make every sum exact.
type Weight int

// OriginSteering chooses the policy that picks an origin inside a pool.
type OriginSteering struct {
	Policy  string // random, hash, least_outstanding_requests, least_connections
	Given   bool   // the object was in the input; one made of defaults alone is not written back
	Unknown []Unknown
}

// LoadShedding turns a share of a pool's traffic away.
type LoadShedding struct {
	DefaultPercent float64 // 0 to 100: new sessions and traffic without a session
	DefaultPolicy  string  // random or hash
	SessionPercent float64 // 0 to 100: existing sessions
	SessionPolicy  string  // hash
	Unknown        []Unknown
}

// NotificationFilter mutes classes of notifications.
type NotificationFilter struct {
	Origin  *FilterOptions
	Pool    *FilterOptions
	Unknown []Unknown
}

// FilterOptions is one class of a NotificationFilter.
type FilterOptions struct {
	Disable bool
	Healthy *bool // nil: every event; true: only up; false: only down
	Unknown []Unknown
}

// Monitor says how an origin is probed.
type Monitor struct {
	ID              string
	CreatedOn       Timestamp
	ModifiedOn      Timestamp
	Type            string // http, https, tcp, udp_icmp, icmp_ping, smtp
	Description     string
	Method          string
	Path            string
	Port            int // 0: the origin's, else the protocol's default
	Header          []HeaderField
	Timeout         time.Duration // of one attempt
	Retries         int           // further attempts, after a timeout only
	Interval        time.Duration
	ExpectedCodes   string // "200", "2xx" or a comma-separated list of these
	ExpectedBody    string
	FollowRedirects bool
	AllowInsecure   bool
	ConsecutiveUp   int // 0 acts as 1
	ConsecutiveDown int // 0 acts as 1
	ProbeZone       string
	Unknown         []Unknown
	Pos             Position
}

// HeaderField is one request header field of a monitor, with all its values, in the order read.
type HeaderField struct {
	Name   string
	Values []string
}

// MonitorGroup joins several monitors into one verdict.
type MonitorGroup struct {
	ID          string
	Description string
	CreatedOn   Timestamp
	ModifiedOn  Timestamp
	Members     []GroupMember
	Unknown     []Unknown
	Pos         Position
}

// GroupMember is one monitor of a group.
type GroupMember struct {
	MonitorID      string
	Enabled        bool
	MonitoringOnly bool
	MustBeHealthy  bool
	CreatedAt      Timestamp
	UpdatedAt      Timestamp
	Unknown        []Unknown
}
