package config

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// The local section, member by member. Nothing unknown is accepted here: a typing error in a local key would otherwise
// be a setting that silently does not act.

const longest = 24 * time.Hour

var weirSchema = schema[Weir]{
	kind:    "weir",
	ordered: true,
	members: []member[Weir]{
		always("listen", func(w *Weir) *[]Listener { return &w.Listen }, listOf(listener)),
		always("admin", func(w *Weir) *Admin { return &w.Admin }, adminSchema.codec()).filled(),
		always("state", func(w *Weir) *string { return &w.State }, str),
		always("location", func(w *Weir) *Place { return &w.Location }, placeSchema.codec()).filled(),
		always("data_centers", func(w *Weir) *[]Place { return &w.DataCenters }, listOf(placeSchema.codec())),
		always("regions", func(w *Weir) *map[string]Region { return &w.Regions },
			mapOf("a region, one of "+regionWords, canonicalRegion, stagingSchema.codec())),
		always("pops", func(w *Weir) *map[string]Place { return &w.Pops }, mapOf(wantPoP, canonicalPoP, popSchema.codec())),
		always("identity", func(w *Weir) *Weir { return w }, identitySchema.codec()).filled(),
		always("origins", func(w *Weir) *Origins { return &w.Origins }, originsSchema.codec()).filled(),
		always("sessions", func(w *Weir) *Sessions { return &w.Sessions }, sessionsSchema.codec()).filled(),
		always("notifications", func(w *Weir) *[]Webhook { return &w.Notifications }, listOf(webhookSchema.codec())),
		always("geoip", func(w *Weir) *GeoIP { return &w.GeoIP }, geoIPSchema.codec()).filled(),
		always("default_monitor", func(w *Weir) **Monitor { return &w.DefaultMonitor }, pointerTo(defaultMonitorSchema.codec())).filled(),
		always("timeouts", func(w *Weir) *Timeouts { return &w.Timeouts }, timeoutsSchema.codec()).filled(),
		always("limits", func(w *Weir) *Limits { return &w.Limits }, limitsSchema.codec()).filled(),
	},
	finish: (*loader).checkWeir,
}

// listener is an address, or an object with an address and certificates.
var listener = codec[Listener]{
	func(l *loader, n *node, v *Listener) {
		if n.kind == '{' {
			listenerSchema.read(l, n, v)
			return
		}
		listenAddress.read(l, n, &v.Address)
	},
	func(w *writer, v *Listener) {
		if len(v.TLS) == 0 {
			w.token(jsontext.String(v.Address))
			return
		}
		listenerSchema.write(w, v)
	},
}

var listenerSchema = schema[Listener]{
	kind:    "weir.listen",
	ordered: true,
	members: []member[Listener]{
		always("address", func(v *Listener) *string { return &v.Address }, listenAddress).must(),
		always("tls", func(v *Listener) *[]Certificate { return &v.TLS }, listOf(certificateSchema.codec())),
	},
}

var certificateSchema = schema[Certificate]{
	kind:    "weir.tls",
	ordered: true,
	members: []member[Certificate]{
		always("cert", func(c *Certificate) *string { return &c.Cert }, idText).must(),
		always("key", func(c *Certificate) *string { return &c.Key }, idText).must(),
	},
}

var adminSchema = schema[Admin]{
	kind:    "weir.admin",
	ordered: true,
	members: []member[Admin]{
		always("address", func(a *Admin) *string { return &a.Address }, listenAddress).blankIsOut(),
		always("token_file", func(a *Admin) *string { return &a.TokenFile }, str),
		always("tls", func(a *Admin) *[]Certificate { return &a.TLS }, listOf(certificateSchema.codec())),
	},
	finish: (*loader).checkAdmin,
}

const wantAddress = `an address and a port, such as "127.0.0.1:8080", "[::1]:8080" or ":8080"`

var listenAddress = checked(wantAddress, func(s string) (string, bool) { return s, isListenAddress(s) })

// isListenAddress accepts "host:port"; an empty host is every address of the machine, port 0 any free port.
func isListenAddress(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	if _, ok := portNumber(port); !ok {
		return false
	}
	if host == "" {
		return true
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return isHostName(host) && !isNumeric(host) && !strings.HasSuffix(host, ".")
}

var placeMembers = []member[Place]{
	omitted("city", func(p *Place) *string { return &p.City }, str),
	omitted("region", func(p *Place) *string { return &p.Region }, region).blankIsOut(),
	omitted("country", func(p *Place) *string { return &p.Country }, country).blankIsOut(),
	always("latitude", func(p *Place) *float64 { return &p.Latitude }, number(-90, 90)).omitIf(unlocated),
	always("longitude", func(p *Place) *float64 { return &p.Longitude }, number(-180, 180)).omitIf(unlocated),
}

func unlocated(p *Place) bool { return !p.Located() }

// placeSchema leaves the pop and the region to checkWeir: they may come from weir.pops.
var placeSchema = schema[Place]{
	kind:    "place",
	ordered: true,
	members: append([]member[Place]{
		omitted("pop", func(p *Place) *string { return &p.PoP }, pop).blankIsOut(),
	}, placeMembers...),
	finish: bothCoordinates,
}

var popSchema = schema[Place]{kind: "pop", ordered: true, members: placeMembers, finish: bothCoordinates}

func bothCoordinates(l *loader, n *node, _ *Place) {
	if lat, lon := n.get("latitude").given(), n.get("longitude").given(); lat != lon {
		l.errorAt(n, "only one of latitude and longitude is given", "both or neither")
	}
}

var stagingSchema = schema[Region]{
	kind:    "weir.regions",
	ordered: true,
	members: []member[Region]{
		omitted("source", func(r *Region) *string { return &r.Source }, checked("an IP address of this machine", isIP)).blankIsOut(),
		omitted("delay", func(r *Region) *time.Duration { return &r.Delay }, duration(0, time.Hour)),
		omitted("loss", func(r *Region) *float64 { return &r.Loss }, number(0, 1)),
		omitted("partition", func(r *Region) *[]string { return &r.Partition }, listOf(checked(`"pool/origin", by name`, func(s string) (string, bool) {
			p, o, found := strings.Cut(s, "/")
			return s, found && p != "" && o != ""
		}))),
	},
}

func isIP(s string) (string, bool) {
	_, err := netip.ParseAddr(s)
	return s, err == nil
}

// identitySchema writes into Weir itself, which has one field for the whole object.
var identitySchema = schema[Weir]{
	kind:    "weir.identity",
	ordered: true,
	members: []member[Weir]{
		always("trusted_proxies", func(w *Weir) *[]string { return &w.TrustedProxies }, listOf(checked(`a network such as "10.0.0.0/8", or an address`, canonicalPrefix))),
	},
}

// canonicalPrefix accepts a network in CIDR notation or a single address.
func canonicalPrefix(s string) (string, bool) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr, addr.BitLen()).String(), true
	}
	p, err := netip.ParsePrefix(s)
	return p.String(), err == nil && p == p.Masked()
}

var originsSchema = schema[Origins]{
	kind:    "weir.origins",
	ordered: true,
	members: []member[Origins]{
		always("scheme", func(o *Origins) *string { return &o.Scheme }, enum("client", "http", "https")).blankIsOut(),
		always("verify", func(o *Origins) **bool { return &o.Verify }, pointerTo(boolean)),
		always("ca_file", func(o *Origins) *string { return &o.CAFile }, str),
		always("client_cert", func(o *Origins) *string { return &o.ClientCert }, str),
		always("client_key", func(o *Origins) *string { return &o.ClientKey }, str),
	},
	finish: func(l *loader, n *node, o *Origins) {
		if (o.ClientCert == "") != (o.ClientKey == "") {
			l.errorAt(n, "only one of client_cert and client_key is given", "both or neither")
		}
	},
}

var sessionsSchema = schema[Sessions]{
	kind:    "weir.sessions",
	ordered: true,
	members: []member[Sessions]{
		always("key_file", func(s *Sessions) *string { return &s.KeyFile }, str),
		always("always_use_https", func(s *Sessions) **bool { return &s.AlwaysUseHTTPS }, pointerTo(boolean)),
	},
}

var webhookSchema = schema[Webhook]{
	kind:    "weir.notifications",
	ordered: true,
	members: []member[Webhook]{
		omitted("name", func(h *Webhook) *string { return &h.Name }, str),
		always("url", func(h *Webhook) *string { return &h.URL }, webhookURL).must(),
		omitted("secret_file", func(h *Webhook) *string { return &h.SecretFile }, str),
		omitted("secret_env", func(h *Webhook) *string { return &h.SecretEnv }, checked("the name of an environment variable", isVariableName)).blankIsOut(),
	},
}

// webhookURL is shown without what follows the host, which often is the only secret of a hook.
var webhookURL = codec[string]{
	func(l *loader, n *node, v *string) {
		if n.kind != '"' || !isWebhookURL(n.str) {
			what := n.found()
			if n.kind == '"' {
				what = "no such address"
			}
			l.errorAt(n, n.label()+" is "+what, "an absolute URL with the scheme http or https and a host")
			return
		}
		*v = n.str
	},
	func(w *writer, v *string) {
		shown := *v
		if w.redact {
			shown = hideURL(shown)
		}
		w.token(jsontext.String(shown))
	},
}

func isWebhookURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && isHostValue(u.Host) && u.Fragment == ""
}

// hideURL leaves of a URL what is no secret: where it leads.
func hideURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return redacted
	}
	where := url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}
	if where.String() == s || where.String() == s+"/" {
		return s
	}
	return where.String() + redacted
}

func isVariableName(s string) (string, bool) {
	return s, s != "" && !isDigit(s[0]) && every(s, func(c byte) bool { return isAlnum(c) || c == '_' })
}

var geoIPSchema = schema[GeoIP]{
	kind:    "weir.geoip",
	ordered: true,
	members: []member[GeoIP]{
		always("database", func(g *GeoIP) *string { return &g.Database }, str),
	},
}

// defaultMonitorSchema is a monitor that knows no unknown fields and needs no id.
var defaultMonitorSchema = schema[Monitor]{
	kind:    monitorSchema.kind,
	members: monitorSchema.members,
	begin:   monitorSchema.begin,
	finish: func(l *loader, n *node, m *Monitor) {
		if m.ID == "" {
			m.ID = DefaultMonitorID
		}
		monitorSchema.finish(l, n, m)
	},
}

// limited is a timeout: more than nothing, and finite.
var limited = duration(time.Millisecond, longest)

var timeoutsSchema = schema[Timeouts]{
	kind:    "weir.timeouts",
	ordered: true,
	members: []member[Timeouts]{
		always("connect", func(t *Timeouts) *time.Duration { return &t.Connect }, limited),
		always("first_byte", func(t *Timeouts) *time.Duration { return &t.FirstByte }, limited),
		always("origin_write", func(t *Timeouts) *time.Duration { return &t.OriginWrite }, limited),
		always("origin_gap", func(t *Timeouts) *time.Duration { return &t.OriginGap }, limited),
		always("origin_idle", func(t *Timeouts) *time.Duration { return &t.OriginIdle }, limited),
		always("client_header", func(t *Timeouts) *time.Duration { return &t.ClientHeader }, limited),
		always("client_gap", func(t *Timeouts) *time.Duration { return &t.ClientGap }, limited),
		always("client_write", func(t *Timeouts) *time.Duration { return &t.ClientWrite }, limited),
		always("client_keep_alive", func(t *Timeouts) *time.Duration { return &t.ClientKeepAlive }, limited),
		always("tunnel_idle", func(t *Timeouts) *time.Duration { return &t.TunnelIdle }, limited),
		always("drain", func(t *Timeouts) *time.Duration { return &t.Drain }, limited),
		always("dns", func(t *Timeouts) *time.Duration { return &t.DNS }, limited),
	},
}

const mebibyte = 1 << 20

var limitsSchema = schema[Limits]{
	kind:    "weir.limits",
	ordered: true,
	members: []member[Limits]{
		always("uri", func(s *Limits) *int { return &s.URI }, integer(256, mebibyte)),
		always("header_field", func(s *Limits) *int { return &s.HeaderField }, integer(256, mebibyte)),
		always("header", func(s *Limits) *int { return &s.Header }, integer(1024, mebibyte)),
		always("header_fields", func(s *Limits) *int { return &s.HeaderFields }, integer(16, 10_000)),
		always("client_connections", func(s *Limits) *int { return &s.ClientConnections }, integer(0, 1<<24)),
		always("origin_connections", func(s *Limits) *int { return &s.OriginConnections }, integer(0, 1<<24)),
		always("origin_idle", func(s *Limits) *int { return &s.OriginIdle }, integer(0, 1<<16)),
		always("origin_wait", func(s *Limits) *time.Duration { return &s.OriginWait }, duration(0, time.Second)),
	},
}
