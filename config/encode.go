package config

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// writer writes JSON. Its methods cannot fail: the text goes to memory, and Load lets no invalid string in.
type writer struct {
	enc *jsontext.Encoder
	// redact hides what may be a secret.
	redact bool
	// asGiven leaves what was implied to be implied again.
	asGiven bool
}

func (w *writer) token(t jsontext.Token) { w.check(w.enc.WriteToken(t)) }
func (w *writer) raw(v []byte)           { w.check(w.enc.WriteValue(v)) }

func (w *writer) check(err error) {
	if err != nil {
		panic("BUG: writing JSON: " + err.Error())
	}
}

// encode returns the text that write makes.
func encode(redact bool, write func(*writer), opts ...jsontext.Options) []byte {
	var b bytes.Buffer
	opts = append(opts, jsontext.PreserveRawStrings(true), jsontext.AllowDuplicateNames(true))
	write(&writer{enc: jsontext.NewEncoder(&b, opts...), redact: redact})
	return bytes.TrimSpace(b.Bytes())
}

// entry is one member that is about to be written.
type entry struct {
	name  string
	write func(*writer)
}

func (s *schema[T]) write(w *writer, t *T) {
	w.token(jsontext.BeginObject)
	for _, e := range s.entries(t) {
		w.token(jsontext.String(e.name))
		e.write(w)
	}
	w.token(jsontext.EndObject)
}

// entries are the members that t has, in the order in which they are written.
func (s *schema[T]) entries(t *T) []entry {
	var list []entry
	for _, m := range s.members {
		if !m.omit(t) {
			list = append(list, entry{m.name, func(w *writer) { m.write(w, t) }})
		}
	}
	if s.unknown != nil {
		for _, u := range *s.unknown(t) {
			list = append(list, entry{u.Name, func(w *writer) { w.unknown(u) }})
		}
	}
	if !s.ordered {
		slices.SortStableFunc(list, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	}
	return list
}

func (w *writer) unknown(u Unknown) {
	if w.redact && soundsSecret(u.Name) {
		w.token(jsontext.String(redacted))
		return
	}
	w.raw(u.JSON)
}

const redacted = "REDACTED"

// harmless are the request fields whose values may be shown: everything else may carry a credential.
var harmless = []string{"host", "accept", "accept-charset", "accept-encoding", "accept-language", "cache-control", "connection", "content-type", "pragma", "referer"}

// secret is the value of a request field, hidden when it must be.
func (w *writer) secret(name, value string) string {
	if w.redact && !slices.Contains(harmless, strings.ToLower(name)) {
		return redacted
	}
	return value
}

func soundsSecret(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"secret", "token", "password", "key", "credential", "auth"}, func(s string) bool {
		return strings.Contains(name, s)
	})
}

// documentSchema is the whole document. Implicit load balancers are not part of it: reading it makes them again.
var documentSchema = schema[Config]{
	kind:    "document",
	ordered: true,
	members: []member[Config]{
		always("load_balancers", explicit, listOf(balancerSchema.codec())),
		always("pools", func(c *Config) *[]Pool { return &c.Pools }, listOf(poolSchema.codec())),
		always("monitors", func(c *Config) *[]Monitor { return &c.Monitors }, listOf(monitorSchema.codec())),
		always("monitor_groups", func(c *Config) *[]MonitorGroup { return &c.MonitorGroups }, listOf(groupSchema.codec())),
		always("weir", func(c *Config) *Weir { return &c.Weir }, weirSchema.codec()),
	},
	unknown: func(c *Config) *[]Unknown { return &c.Unknown },
}

func explicit(c *Config) *[]LoadBalancer {
	list := slices.DeleteFunc(slices.Clone(c.LoadBalancers), func(b LoadBalancer) bool { return b.Implicit })
	return &list
}

// JSON is c as one document that Load accepts: indented, defaults filled in, members in a stable order and left out
// where the API leaves them out. With redact, values that may be secrets are replaced, and the text is for people.
func (c *Config) JSON(redact bool) []byte {
	text := encode(redact, func(w *writer) {
		w.asGiven = true
		documentSchema.write(w, c)
	}, jsontext.WithIndent("  "))
	return append(text, '\n')
}

// JSON is p as an answer of the API shows it, on one line.
func (p *Pool) JSON() []byte { return encode(false, func(w *writer) { poolSchema.write(w, p) }) }

// JSON is m as an answer of the API shows it, on one line.
func (m *Monitor) JSON() []byte { return encode(false, func(w *writer) { monitorSchema.write(w, m) }) }

// JSON is g as an answer of the API shows it, on one line.
func (g *MonitorGroup) JSON() []byte {
	return encode(false, func(w *writer) { groupSchema.write(w, g) })
}

// JSON is b as an answer of the API shows it, on one line.
func (b *LoadBalancer) JSON() []byte {
	return encode(false, func(w *writer) { balancerSchema.write(w, b) })
}
