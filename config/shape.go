package config

import (
	"fmt"
	"slices"
	"strings"
)

// A shape checks a value that does not act yet, so that a configuration that loads today also loads when it does.
type shape func(l *loader, n *node)

func stringShape(most int) shape {
	return func(l *loader, n *node) {
		if l.expect(n, '"', "a string") && most > 0 && len(n.str) > most {
			l.errorAt(n, fmt.Sprintf("%s has %d bytes", n.label(), len(n.str)), fmt.Sprintf("at most %d", most))
		}
	}
}

func flagShape(l *loader, n *node) { boolean.read(l, n, new(bool)) }

func wholeShape(low, high int) shape {
	c := integer(low, high)
	return func(l *loader, n *node) { c.read(l, n, new(int)) }
}

func numberShape(low, high float64) shape {
	c := number(low, high)
	return func(l *loader, n *node) { c.read(l, n, new(float64)) }
}

func enumShape(words ...string) shape {
	c := enum(words...)
	return func(l *loader, n *node) {
		if n.kind == '"' && n.str == "" {
			return
		}
		c.read(l, n, new(string))
	}
}

func listShape(element shape) shape {
	return func(l *loader, n *node) {
		if !l.expect(n, '[', "an array") {
			return
		}
		for _, e := range n.children {
			element(l, e)
		}
	}
}

// keyedShape is an object with any member names.
func keyedShape(value shape) shape {
	return func(l *loader, n *node) {
		if !l.expect(n, '{', "an object") {
			return
		}
		for _, m := range n.children {
			if !m.isNull() {
				value(l, m)
			}
		}
	}
}

// field is one member of an objectShape.
type field struct {
	name  string
	shape shape
}

func objectShape(kind string, fields ...field) shape {
	return func(l *loader, n *node) {
		if !l.expect(n, '{', "an object") {
			return
		}
		for _, m := range n.children {
			i := slices.IndexFunc(fields, func(f field) bool { return f.name == m.name })
			switch {
			case i < 0:
				l.unknown(m, kind, fieldNames(fields), false)
			case !m.isNull():
				fields[i].shape(l, m)
			}
		}
	}
}

func fieldNames(fields []field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return names
}

// all runs several shapes on one value.
func all(shapes ...shape) shape {
	return func(l *loader, n *node) {
		for _, s := range shapes {
			s(l, n)
		}
	}
}

var (
	anyText   = stringShape(0)
	idList    = listShape(anyText)
	poolLists = keyedShape(idList)
	steerings = enumShape("off", "geo", "random", "dynamic_latency", "proximity", "least_outstanding_requests", "least_connections")
	ratio     = numberShape(0, 1)

	randomSteeringShape = objectShape("random_steering",
		field{"default_weight", ratio}, field{"pool_weights", keyedShape(ratio)})
	adaptiveRoutingShape  = objectShape("adaptive_routing", field{"failover_across_pools", flagShape})
	locationStrategyShape = objectShape("location_strategy",
		field{"mode", enumShape("pop", "resolver_ip")}, field{"prefer_ecs", enumShape("always", "never", "proximity", "geo")})

	affinityFields = []field{
		{"samesite", enumShape("Auto", "Lax", "None", "Strict")},
		{"secure", enumShape("Auto", "Always", "Never")},
		{"zero_downtime_failover", enumShape("none", "temporary", "sticky")},
		{"headers", listShape(stringShape(100))},
		{"require_all_headers", flagShape},
	}
	affinityShape = all(objectShape("session_affinity_attributes",
		append(slices.Clone(affinityFields), field{"drain_duration", wholeShape(0, 86400)})...), noneNeedsSecure)

	fixedResponseShape = objectShape("fixed_response",
		field{"status_code", wholeShape(100, 599)}, field{"content_type", stringShape(32)},
		field{"location", stringShape(2048)}, field{"message_body", stringShape(1024)})
	overridesShape = objectShape("overrides",
		field{"default_pools", idList}, field{"fallback_pool", anyText}, field{"region_pools", poolLists},
		field{"country_pools", poolLists}, field{"pop_pools", poolLists}, field{"steering_policy", steerings},
		field{"random_steering", randomSteeringShape}, field{"adaptive_routing", adaptiveRoutingShape},
		field{"location_strategy", locationStrategyShape}, field{"session_affinity", enumShape("none", "cookie", "ip_cookie", "header")},
		field{"session_affinity_ttl", wholeShape(0, 604800)},
		field{"session_affinity_attributes", all(objectShape("session_affinity_attributes", affinityFields...), noneNeedsSecure)},
		field{"ttl", wholeShape(0, 1<<31-1)},
		field{"pools", idList}, field{"pool_weights", keyedShape(ratio)}, field{"pool_default_weight", ratio})
	ruleShape = objectShape("rule",
		field{"name", stringShape(200)}, field{"condition", anyText}, field{"disabled", flagShape},
		field{"priority", wholeShape(0, 1<<31-1)}, field{"terminates", flagShape},
		field{"fixed_response", fixedResponseShape}, field{"overrides", overridesShape})
	topologyShape = objectShape("topology",
		field{"pops", idList}, field{"countries", idList}, field{"regions", idList})
	poolSetShape = objectShape("pool_set",
		field{"name", stringShape(200)}, field{"disabled", flagShape},
		field{"match", objectShape("match", field{"default", flagShape}, field{"topology", topologyShape})},
		field{"overrides", objectShape("overrides", field{"pools", idList}, field{"pool_weights", keyedShape(ratio)},
			field{"pool_default_weight", ratio}, field{"fallback_pool", anyText}, field{"steering_policy", steerings})},
		field{"fixed_response", fixedResponseShape})
)

// noneNeedsSecure: browsers drop a cookie with SameSite=None that is not Secure, and the API refuses it.
func noneNeedsSecure(l *loader, n *node) {
	samesite, secure := n.get("samesite"), n.get("secure")
	if samesite != nil && secure != nil && strings.EqualFold(samesite.str, "None") && strings.EqualFold(secure.str, "Never") {
		l.errorAt(samesite, `samesite is "None" and secure is "Never"`, `secure "Auto" or "Always", or another samesite`)
	}
}
