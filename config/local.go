package config

import "time"

// Weir is the local section of a document, "weir". Unknown keys in it are errors. Zero values mean "not given";
// defaults.go fills them in.
type Weir struct {
	Listen         []Listener
	Admin          Admin
	State          string
	Location       Place
	DataCenters    []Place // vantage points for pools without check_regions; default: Location
	Regions        map[string]Region
	Pops           map[string]Place
	TrustedProxies []string // CIDR prefixes; identity.trusted_proxies
	Origins        Origins
	Sessions       Sessions
	Notifications  []Webhook
	GeoIP          GeoIP
	DefaultMonitor *Monitor // for pools whose monitor id is not among the objects
	Timeouts       Timeouts
	Limits         Limits
}

// Listener is one address that takes client traffic.
type Listener struct {
	Address string
	TLS     []Certificate // empty: plain
}

// Certificate names a certificate chain and its key, both PEM.
type Certificate struct {
	Cert, Key string
}

// Admin is the listener for people and tools.
type Admin struct {
	Address   string
	TokenFile string
	TLS       []Certificate
}

// Place is where something is: a data centre, or where a request is taken to come from.
type Place struct {
	PoP       string // data-centre code, such as FRA
	City      string // for people
	Region    string // one of Regions
	Country   string // ISO 3166-1 alpha-2
	Latitude  float64
	Longitude float64
}

// Located reports whether the coordinates are known. Nothing is at 0, 0, in the Gulf of Guinea.
func (p Place) Located() bool { return p.Latitude != 0 || p.Longitude != 0 }

// Region stages what one region's probes see.
type Region struct {
	Source    string        // local address to probe from
	Delay     time.Duration // added to every probe
	Loss      float64       // 0 to 1: share of probes lost
	Partition []string      // "pool/origin" names that this region cannot reach
}

// Origins says how origins are reached.
type Origins struct {
	Scheme     string // client (same as the client's), http, https
	Verify     *bool  // nil: true
	CAFile     string
	ClientCert string
	ClientKey  string
}

// Sessions holds what session affinity needs.
type Sessions struct {
	KeyFile        string // file with the key that signs cookies; "": one of its own, made at the start
	AlwaysUseHTTPS *bool  // nil: whether the listener speaks TLS
}

// Webhook takes notifications. Its secret comes from a file or from the environment, never from here.
type Webhook struct {
	Name       string
	URL        string // http or https; may carry a credential, so it is not for logs
	SecretFile string // holds the value of the request field cf-webhook-auth
	SecretEnv  string // name of an environment variable that holds it
}

// GeoIP is where the country of a client's address is looked up.
type GeoIP struct {
	Database string // a file in MaxMind's format; "": not looked up
}

// Timeouts are all finite. JSON takes Go durations ("19s").
type Timeouts struct {
	Connect         time.Duration // TCP and TLS handshake with an origin
	FirstByte       time.Duration // from the request sent to the answer's first byte
	OriginWrite     time.Duration // one stalled write to an origin
	OriginGap       time.Duration // silence inside an answer's body
	OriginIdle      time.Duration // unused connection to an origin
	ClientHeader    time.Duration // a whole request head
	ClientGap       time.Duration // silence inside a request's body
	ClientWrite     time.Duration // a client that does not read
	ClientKeepAlive time.Duration // between two requests
	TunnelIdle      time.Duration // an upgraded connection with no bytes either way
	Drain           time.Duration // from TERM to the end
	DNS             time.Duration // longest time a host name is believed
}

// Limits are all finite.
type Limits struct {
	URI               int // bytes
	HeaderField       int // bytes, one field
	Header            int // bytes, all of a head
	HeaderFields      int
	ClientConnections int // 0: from the descriptor limit
	OriginConnections int // per origin; 0: from the descriptor limit
	OriginIdle        int // idle connections kept per origin
	OriginWait        time.Duration
}
