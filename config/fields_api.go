package config

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// The API's objects, member by member. What a member is when it is not given is in defaults.go; which ones are kept
// without acting is in inert.go.

var idText = checked("a string that is not empty", func(s string) (string, bool) { return s, s != "" })

var poolSchema = schema[Pool]{
	kind: "pool",
	members: []member[Pool]{
		omitted("id", func(p *Pool) *string { return &p.ID }, idText),
		omitted("created_on", func(p *Pool) *Timestamp { return &p.CreatedOn }, timestamp),
		omitted("modified_on", func(p *Pool) *Timestamp { return &p.ModifiedOn }, timestamp),
		always("name", func(p *Pool) *string { return &p.Name }, checked("letters, digits, hyphens and underscores", isPoolName)).must(),
		always("description", func(p *Pool) *string { return &p.Description }, str),
		always("enabled", func(p *Pool) *bool { return &p.Enabled }, boolean),
		omitted("disabled_at", func(p *Pool) *Timestamp { return &p.DisabledAt }, timestamp),
		always("minimum_origins", func(p *Pool) *int { return &p.MinimumOrigins }, integer(0, 1_000_000)),
		omitted("monitor", func(p *Pool) *string { return &p.Monitor }, str),
		omitted("monitor_group", func(p *Pool) *string { return &p.MonitorGroup }, str),
		always("check_regions", func(p *Pool) *[]string { return &p.CheckRegions }, orNull(listOf(regionOrAll))),
		omitted("health_sources", func(p *Pool) *[]string { return &p.HealthSources }, listOf(enum("local", "regional", "global"))),
		omitted("latitude", func(p *Pool) **float64 { return &p.Latitude }, pointerTo(number(-90, 90))),
		omitted("longitude", func(p *Pool) **float64 { return &p.Longitude }, pointerTo(number(-180, 180))),
		omitted("load_shedding", func(p *Pool) **LoadShedding { return &p.LoadShedding }, pointerTo(loadSheddingSchema.codec())),
		always("origin_steering", func(p *Pool) *OriginSteering { return &p.OriginSteering }, originSteeringSchema.codec()).filled().
			omitIf(func(p *Pool) bool { return !p.OriginSteering.Given && p.OriginSteering.Policy == "random" }),
		omitted("notification_filter", func(p *Pool) **NotificationFilter { return &p.NotificationFilter }, pointerTo(notificationFilterSchema.codec())),
		always("notification_email", func(p *Pool) *string { return &p.NotificationEmail }, str),
		always("networks", func(p *Pool) *[]string { return &p.Networks }, listOf(str)),
		always("origins", func(p *Pool) *[]Origin { return &p.Origins }, listOf(originSchema.codec())).must(),
		dropped[Pool]("healthy"),
	},
	unknown: func(p *Pool) *[]Unknown { return &p.Unknown },
	begin:   func(_ *loader, n *node, p *Pool) { p.Pos = n.pos() },
	finish:  (*loader).checkPool,
}

var originSchema = schema[Origin]{
	kind: "origin",
	members: []member[Origin]{
		always("name", func(o *Origin) *string { return &o.Name }, str),
		always("address", func(o *Origin) *string { return &o.Address }, addressText).must(),
		always("enabled", func(o *Origin) *bool { return &o.Enabled }, boolean),
		omitted("disabled_at", func(o *Origin) *Timestamp { return &o.DisabledAt }, timestamp),
		always("weight", func(o *Origin) *Weight { return &o.Weight }, weight),
		omitted("header", func(o *Origin) *string { return &o.Host }, hostHeader),
		omitted("port", func(o *Origin) *int { return &o.Port }, integer(0, 65535)),
		omitted("virtual_network_id", func(o *Origin) *string { return &o.VirtualNetworkID }, str),
		always("flatten_cname", func(o *Origin) *bool { return &o.FlattenCNAME }, boolean).
			omitIf(func(o *Origin) bool { return o.FlattenCNAME }),
		dropped[Origin]("healthy"),
		dropped[Origin]("failure_reason"),
	},
	unknown: func(o *Origin) *[]Unknown { return &o.Unknown },
	begin:   func(_ *loader, n *node, o *Origin) { o.Pos = n.pos() },
	finish:  (*loader).checkOrigin,
}

var originSteeringSchema = schema[OriginSteering]{
	kind: "origin_steering",
	members: []member[OriginSteering]{
		always("policy", func(s *OriginSteering) *string { return &s.Policy },
			enum("random", "hash", "least_outstanding_requests", "least_connections")).blankIsOut(),
	},
	unknown: func(s *OriginSteering) *[]Unknown { return &s.Unknown },
	begin:   func(_ *loader, n *node, s *OriginSteering) { s.Given = n != emptyObject },
}

var loadSheddingSchema = schema[LoadShedding]{
	kind: "load_shedding",
	members: []member[LoadShedding]{
		always("default_percent", func(s *LoadShedding) *float64 { return &s.DefaultPercent }, number(0, 100)),
		always("default_policy", func(s *LoadShedding) *string { return &s.DefaultPolicy }, enum("random", "hash")).blankIsOut(),
		always("session_percent", func(s *LoadShedding) *float64 { return &s.SessionPercent }, number(0, 100)),
		always("session_policy", func(s *LoadShedding) *string { return &s.SessionPolicy }, enum("hash")).blankIsOut(),
	},
	unknown: func(s *LoadShedding) *[]Unknown { return &s.Unknown },
}

var notificationFilterSchema = schema[NotificationFilter]{
	kind: "notification_filter",
	members: []member[NotificationFilter]{
		always("origin", func(f *NotificationFilter) **FilterOptions { return &f.Origin }, pointerTo(filterOptionsSchema.codec())),
		always("pool", func(f *NotificationFilter) **FilterOptions { return &f.Pool }, pointerTo(filterOptionsSchema.codec())),
	},
	unknown: func(f *NotificationFilter) *[]Unknown { return &f.Unknown },
}

var filterOptionsSchema = schema[FilterOptions]{
	kind: "filter_options",
	members: []member[FilterOptions]{
		always("disable", func(f *FilterOptions) *bool { return &f.Disable }, boolean),
		always("healthy", func(f *FilterOptions) **bool { return &f.Healthy }, pointerTo(boolean)),
	},
	unknown: func(f *FilterOptions) *[]Unknown { return &f.Unknown },
}

var monitorTypes = []string{"http", "https", "tcp", "udp_icmp", "icmp_ping", "smtp"}

var monitorSchema = schema[Monitor]{
	kind: "monitor",
	members: []member[Monitor]{
		omitted("id", func(m *Monitor) *string { return &m.ID }, idText),
		omitted("created_on", func(m *Monitor) *Timestamp { return &m.CreatedOn }, timestamp),
		omitted("modified_on", func(m *Monitor) *Timestamp { return &m.ModifiedOn }, timestamp),
		always("type", func(m *Monitor) *string { return &m.Type }, enum(monitorTypes...)).blankIsOut(),
		always("description", func(m *Monitor) *string { return &m.Description }, str),
		always("method", func(m *Monitor) *string { return &m.Method }, str),
		always("path", func(m *Monitor) *string { return &m.Path }, str),
		omitted("port", func(m *Monitor) *int { return &m.Port }, integer(0, 65535)),
		always("header", func(m *Monitor) *[]HeaderField { return &m.Header }, headerFields),
		always("timeout", func(m *Monitor) *time.Duration { return &m.Timeout }, seconds(1, 10)),
		always("retries", func(m *Monitor) *int { return &m.Retries }, integer(0, 5)),
		always("interval", func(m *Monitor) *time.Duration { return &m.Interval }, seconds(1, 3600)),
		always("expected_codes", func(m *Monitor) *string { return &m.ExpectedCodes }, str),
		always("expected_body", func(m *Monitor) *string { return &m.ExpectedBody }, str),
		always("follow_redirects", func(m *Monitor) *bool { return &m.FollowRedirects }, boolean),
		always("allow_insecure", func(m *Monitor) *bool { return &m.AllowInsecure }, boolean),
		omitted("consecutive_up", func(m *Monitor) *int { return &m.ConsecutiveUp }, integer(0, 1000)),
		omitted("consecutive_down", func(m *Monitor) *int { return &m.ConsecutiveDown }, integer(0, 1000)),
		always("probe_zone", func(m *Monitor) *string { return &m.ProbeZone }, str),
	},
	unknown: func(m *Monitor) *[]Unknown { return &m.Unknown },
	begin:   func(_ *loader, n *node, m *Monitor) { m.Pos = n.pos() },
	finish:  (*loader).checkMonitor,
}

var groupSchema = schema[MonitorGroup]{
	kind: "monitor_group",
	members: []member[MonitorGroup]{
		omitted("id", func(g *MonitorGroup) *string { return &g.ID }, idText),
		omitted("created_on", func(g *MonitorGroup) *Timestamp { return &g.CreatedOn }, timestamp),
		omitted("modified_on", func(g *MonitorGroup) *Timestamp { return &g.ModifiedOn }, timestamp),
		// Some generations of the API's clients know these two by other names.
		omitted("created_at", func(g *MonitorGroup) *Timestamp { return &g.CreatedOn }, timestamp).omitIf(func(*MonitorGroup) bool { return true }),
		omitted("updated_at", func(g *MonitorGroup) *Timestamp { return &g.ModifiedOn }, timestamp).omitIf(func(*MonitorGroup) bool { return true }),
		always("description", func(g *MonitorGroup) *string { return &g.Description }, str),
		always("members", func(g *MonitorGroup) *[]GroupMember { return &g.Members }, listOf(groupMemberSchema.codec())).must(),
	},
	unknown: func(g *MonitorGroup) *[]Unknown { return &g.Unknown },
	begin:   func(_ *loader, n *node, g *MonitorGroup) { g.Pos = n.pos() },
	finish:  (*loader).checkGroup,
}

var groupMemberSchema = schema[GroupMember]{
	kind: "group_member",
	members: []member[GroupMember]{
		always("monitor_id", func(m *GroupMember) *string { return &m.MonitorID }, idText).must(),
		always("enabled", func(m *GroupMember) *bool { return &m.Enabled }, boolean).must(),
		always("monitoring_only", func(m *GroupMember) *bool { return &m.MonitoringOnly }, boolean).must(),
		always("must_be_healthy", func(m *GroupMember) *bool { return &m.MustBeHealthy }, boolean).must(),
		omitted("created_at", func(m *GroupMember) *Timestamp { return &m.CreatedAt }, timestamp),
		omitted("updated_at", func(m *GroupMember) *Timestamp { return &m.UpdatedAt }, timestamp),
	},
	unknown: func(m *GroupMember) *[]Unknown { return &m.Unknown },
}

// hostHeader is an origin's header object, of which the API knows one member with one value.
var hostHeader = codec[string]{readHostHeader, func(w *writer, v *string) {
	w.token(jsontext.BeginObject)
	w.token(jsontext.String("Host"))
	w.token(jsontext.BeginArray)
	w.token(jsontext.String(*v))
	w.token(jsontext.EndArray)
	w.token(jsontext.EndObject)
}}

func readHostHeader(l *loader, n *node, v *string) {
	const want = `"Host" with an array of one value`
	if !l.expect(n, '{', "an object with the member Host") {
		return
	}
	for _, m := range n.children {
		if !equalFoldASCII(m.name, "host") {
			l.errorAt(m, "the header "+quote(m.name)+" cannot be set", "only Host can")
			continue
		}
		if m.isNull() || !l.expect(m, '[', want) {
			continue
		}
		if len(m.children) > 1 {
			l.errorAt(m, "Host has "+plural(len(m.children), "value"), want)
			continue
		}
		for _, value := range m.children {
			readHost(l, value, v)
		}
	}
}

func readHost(l *loader, n *node, v *string) {
	if n.kind != '"' || (n.str != "" && !isHostValue(n.str)) {
		l.wrong(n, "a host name or address, with a port if need be")
		return
	}
	*v = n.str
}

// headerFields is a monitor's header object: names to arrays of values.
var headerFields = codec[[]HeaderField]{readHeaderFields, func(w *writer, v *[]HeaderField) {
	w.token(jsontext.BeginObject)
	for _, f := range *v {
		w.token(jsontext.String(f.Name))
		w.token(jsontext.BeginArray)
		for _, value := range f.Values {
			w.token(jsontext.String(w.secret(f.Name, value)))
		}
		w.token(jsontext.EndArray)
	}
	w.token(jsontext.EndObject)
}}

func readHeaderFields(l *loader, n *node, v *[]HeaderField) {
	if !l.expect(n, '{', "an object of header names and arrays of values") {
		return
	}
	for _, m := range n.children {
		if m.isNull() {
			continue
		}
		f := HeaderField{Name: m.name}
		l.checkHeaderName(m, *v)
		listOf(headerValue).read(l, m, &f.Values)
		l.checkMonitorHost(m, f)
		*v = append(*v, f)
	}
}

var headerValue = checked("a string without control characters", func(s string) (string, bool) {
	return s, isFieldValue(s)
})
