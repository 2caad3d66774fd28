package explain

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/steering"
)

// Text is the report for people, in the order of the decision. An arrow marks what was chosen.
func (r *Report) Text() string {
	var t text
	t.request(r)
	for i := range r.Attempts {
		t.attempt(r, i)
	}
	if last := &r.Attempts[len(r.Attempts)-1]; len(r.Attempts) == 1 && last.Decision.Kind == "origin" {
		t.heading("If the connection is refused")
		t.line("the client gets %d: a session holds to its origin, unless zero_downtime_failover lets it go",
			balancer.ConnectRefused.Status())
	}
	return t.b.String()
}

// text is a report under way.
type text struct {
	b      strings.Builder
	indent string
}

func (t *text) heading(format string, args ...any) {
	if t.b.Len() > 0 {
		t.b.WriteByte('\n')
	}
	t.b.WriteString(t.indent + fmt.Sprintf(format, args...) + "\n")
}

func (t *text) line(format string, args ...any) {
	t.b.WriteString(t.indent + "  " + fmt.Sprintf(format, args...) + "\n")
}

// table writes rows of cells in columns. Empty columns are left out, the titles of them too; titles may be nil.
func (t *text) table(titles []string, rows [][]string) {
	used := make([]bool, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			used[i] = used[i] || cell != ""
		}
	}
	if titles != nil {
		rows = append([][]string{titles}, rows...)
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if used[i] {
				fmt.Fprint(w, cell, "\t")
			}
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // into memory
	for line := range strings.Lines(b.String()) {
		t.b.WriteString(strings.TrimRight(t.indent+"  "+line, " \n") + "\n")
	}
}

func (t *text) request(r *Report) {
	target := r.Path
	if r.Query != "" {
		target += "?" + r.Query
	}
	scheme := "http://"
	if r.HTTPS {
		scheme = "https://"
	}
	t.heading("Request")
	t.table(nil, [][]string{
		{"what", r.Method + " " + scheme + r.Host + target},
		{"client", r.Client.String()},
		{"place", r.Place.text()},
		{"time", r.Time.UTC().Format(time.RFC3339)},
		{"seed", r.Seed},
		{"revision", strconv.FormatUint(r.Revision, 10)},
	})
}

func (p *Place) text() string {
	s := or(p.PoP, "unnamed")
	if p.Region != "" {
		s += ", region " + p.Region
	}
	if p.Country != "" {
		s += ", country " + p.Country
	}
	if p.Latitude != 0 || p.Longitude != 0 {
		s += fmt.Sprintf(", at %g, %g", p.Latitude, p.Longitude)
	}
	return s
}

// attempt writes one decision with what led to it.
func (t *text) attempt(r *Report, i int) {
	a := &r.Attempts[i]
	if i == 0 {
		t.heading("Load balancer")
		t.line("%s", a.Decision.balancer())
	} else {
		t.heading("If the connection is refused")
		t.indent = "  "
	}
	for rest := a.Steps; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[0].joins(&rest[n]) {
			n++
		}
		t.steps(a, rest[:n])
		rest = rest[n:]
	}
	t.decision(&a.Decision)
	t.indent = ""
}

func (d *Decision) balancer() string {
	switch {
	case d.Implicit:
		return "the implicit one, which serves every host"
	case d.LoadBalancer == "":
		return "none"
	default:
		return d.LoadBalancer
	}
}

// joins reports whether two steps belong into one table.
func (s *Step) joins(next *Step) bool {
	return s.Stage == next.Stage && s.Last == next.Last && (s.Origin == nil || next.Origin == nil || *s.Pool == *next.Pool)
}

// steps writes a run of steps of one stage.
func (t *text) steps(a *Attempt, list []Step) {
	first := &list[0]
	var rows [][]string
	switch first.Stage {
	case balancer.StagePoolSet.String():
		t.heading("Pool sets, the first that matches")
		rows = collect(list, (*Step).poolSetRow)
	case balancer.StageRule.String():
		t.heading("Rules, by priority")
		rows = collect(list, (*Step).ruleRow)
	case balancer.StageList.String():
		t.heading("List of pools")
		rows = [][]string{{first.List + ", steered by " + first.Policy}}
	case balancer.StageSession.String():
		t.heading("Session")
		rows = [][]string{{first.session()}}
	case balancer.StageShed.String():
		t.heading("Load shedding")
		rows = collect(list, (*Step).shedRow)
	case balancer.StagePool.String():
		t.pools(a, list)
		return
	case balancer.StageOrigin.String():
		t.origins(a, list)
		return
	default: // the decision, which has a paragraph of its own
		return
	}
	t.table(nil, rows)
}

func collect(list []Step, row func(*Step) []string) [][]string {
	rows := make([][]string, len(list))
	for i := range list {
		rows[i] = row(&list[i])
	}
	return rows
}

func (s *Step) matched() string {
	if s.Reason == balancer.Yes.String() {
		return "matches"
	}
	return "no"
}

func (s *Step) poolSetRow() []string {
	return []string{s.matched(), or(s.PoolSet, "(unnamed)"), "for " + s.Topology, s.effect()}
}

func (s *Step) ruleRow() []string {
	return []string{s.matched(), strconv.Itoa(*s.Priority), or(s.Rule, "(unnamed)"), or(s.Condition, "(always)"), s.effect()}
}

// effect is what a rule or pool set that matches does.
func (s *Step) effect() string {
	if s.Reason != balancer.Yes.String() {
		return ""
	}
	var parts []string
	switch {
	case len(s.Overrides) == 1 && s.Overrides[0] == "fixed_response":
		return "answers by itself"
	case len(s.Overrides) > 0:
		parts = append(parts, "replaces "+strings.Join(s.Overrides, ", "))
	}
	if s.Terminates {
		parts = append(parts, "ends the rules")
	}
	return strings.Join(parts, "; ")
}

func (s *Step) session() string {
	where := ""
	if s.Origin != nil {
		where = "origin " + s.Origin.Name + " of pool " + s.Pool.Name
	}
	switch {
	case s.Reason == balancer.Yes.String():
		return "it stands: " + where
	case where != "":
		return "it names " + where + " and is broken: " + meaning(s.Reason)
	default:
		return meaning(s.Reason)
	}
}

func (s *Step) shedRow() []string {
	what, result := "sheds below", "stays"
	if s.Session {
		what = "sheds sessions below"
	}
	if s.Reason != balancer.Yes.String() {
		result = "is turned away: " + s.Reason
	}
	return []string{s.Pool.Name, what, percent(*s.Percent), "roll", percent(*s.Roll), result}
}

func (t *text) pools(a *Attempt, list []Step) {
	if list[0].Last {
		t.heading("Fallback pool")
	} else {
		t.heading("Pools")
	}
	policy, shed := a.steering()
	rows := collect(list, func(s *Step) []string {
		state := s.State
		if s.Judge == "" {
			state = "unmonitored"
		}
		chosen := a.Decision.Pool != nil && *s.Pool == *a.Decision.Pool && s.Last == a.Decision.Fallback
		lost := lost[policy]
		switch {
		case shed[*s.Pool]:
			lost = "it sheds the request"
		case s.Last:
			lost = ""
		}
		return []string{
			arrow(chosen), s.Pool.Name, state, s.Judge, number(s.Weight), strconv.Itoa(*s.Load),
			measure(s.RTT, 2, " ms"), measure(s.Km, 0, " km"), percent(*s.Share * 100), s.note(chosen, lost),
		}
	})
	t.table([]string{"", "pool", "state", "judged by", "weight", "load", "rtt", "distance", "probability", ""}, rows)
}

func (t *text) origins(a *Attempt, list []Step) {
	t.heading("Origins of %s, steered by %s", list[0].Pool.Name, list[0].Policy)
	rows := collect(list, func(s *Step) []string {
		chosen := a.Decision.Origin != nil && *s.Origin == *a.Decision.Origin
		return []string{
			arrow(chosen), s.Origin.Name, s.Origin.at(), s.Health, s.Judge,
			number(s.Weight), strconv.Itoa(*s.Load), percent(*s.Share * 100), s.note(chosen, lost[s.Policy]),
		}
	})
	t.table([]string{"", "origin", "address", "health", "judged by", "weight", "load", "probability", ""}, rows)
}

func arrow(chosen bool) string {
	if chosen {
		return "→"
	}
	return " "
}

// steering is the policy between pools, and the pools that shed the request.
func (a *Attempt) steering() (policy string, shed map[Name]bool) {
	shed = map[Name]bool{}
	for i := range a.Steps {
		switch s := &a.Steps[i]; {
		case s.Stage == balancer.StageList.String():
			policy = s.Policy
		case s.Stage == balancer.StageShed.String() && s.Reason != balancer.Yes.String():
			shed[*s.Pool] = true
		}
	}
	return policy, shed
}

// lost says why a policy did not choose what it could have chosen.
var lost = map[string]string{
	steering.Off: "another one comes first", steering.Geo: "another one comes first", steering.Random: "the draw fell on another one",
	steering.Hash: "the client's address falls to another one", steering.DynamicLatency: "another one has the shortest round trip, or comes first",
	steering.Proximity:                "another one is the nearest, or comes first",
	steering.LeastOutstandingRequests: "the draw, by weight and load, fell on another one",
	steering.LeastConnections:         "the draw, by weight and load, fell on another one",
}

// note says why not, and which places see it differently. lost is why another one was chosen where nothing speaks against
// this one.
func (s *Step) note(chosen bool, lost string) string {
	var parts []string
	switch {
	case s.Reason != balancer.Yes.String() && !(chosen && s.Last):
		parts = append(parts, meaning(s.Reason))
	case !chosen && lost != "":
		parts = append(parts, lost)
	}
	if s.Detail != "" {
		parts = append(parts, s.Detail)
	}
	parts = append(parts, s.against()...)
	if differ := s.differ(); differ != "" {
		parts = append(parts, differ)
	}
	return strings.Join(parts, "; ")
}

// mostAgainst is how many origins of one pool are named in one line.
const mostAgainst = 4

// against names the origins of a pool that may not be asked.
func (s *Step) against() []string {
	var parts []string
	for i := range s.Origins {
		c := &s.Origins[i]
		switch {
		case c.Reason == balancer.Yes.String():
		case c.Detail != "":
			parts = append(parts, c.Name.Name+": "+c.Reason+" ("+c.Detail+")")
		default:
			parts = append(parts, c.Name.Name+": "+c.Reason)
		}
	}
	if more := len(parts) - mostAgainst; more > 0 {
		parts = append(parts[:mostAgainst], fmt.Sprintf("and %d more", more))
	}
	return parts
}

// differ names the places that see it differently from the one that judges, by what they see.
func (s *Step) differ() string {
	var words []string
	at := map[string][]string{}
	for i := range s.Places {
		v := &s.Places[i]
		word := v.State + v.Health
		if word == s.State+s.Health {
			continue
		}
		if at[word] == nil {
			words = append(words, word)
		}
		at[word] = append(at[word], v.Place)
	}
	for i, word := range words {
		words[i] = word + " from " + strings.Join(at[word], ", ")
	}
	return strings.Join(words, "; ")
}

func (t *text) decision(d *Decision) {
	t.heading("Decision")
	var rows [][]string
	switch d.Kind {
	case "origin":
		rows = append(rows, []string{"goes to", "origin " + d.Origin.Name + " (" + d.Origin.at() + ") of pool " + d.Pool.Name})
	case "fixed_response":
		what := fmt.Sprintf("a fixed response, %d", d.Status)
		if d.Location != "" {
			what += " to " + d.Location
		}
		rows = append(rows, []string{"gets", what})
	default:
		rows = append(rows, []string{"gets", fmt.Sprintf("%d: no origin is asked", d.Status)})
		if d.Attempt > 0 {
			rows[0][1] = fmt.Sprintf("%d: no other origin is asked", d.Status)
		}
	}
	rows = append(rows, []string{"because", meaning(d.Reason)})
	switch d.Session {
	case balancer.SessionKept.String():
		rows = append(rows, []string{"session", "stays as it is"})
	case balancer.SessionSet.String():
		rows = append(rows, []string{"session", or(d.SetCookie, "is kept here, by its header fields")})
	}
	t.table(nil, rows)
}

func (n *Name) at() string {
	address := n.Address
	if n.Port == 0 {
		return address
	}
	if strings.Contains(address, ":") { // IPv6
		address = "[" + address + "]"
	}
	return address + ":" + strconv.Itoa(n.Port)
}

var meanings = func() map[string]string {
	m := map[string]string{}
	for _, r := range balancer.Reasons() {
		m[r.Token] = r.Meaning
	}
	return m
}()

// meaning is a reason's token with what it means.
func meaning(token string) string {
	if m := meanings[token]; m != "" {
		return token + ": " + m
	}
	return token
}

func percent(p float64) string { return short(p) + " %" }

func number(f *float64) string { return short(*f) }

// measure is empty where nothing is known.
func measure(f *float64, decimals int, unit string) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f, 'f', decimals, 64) + unit
}

// short has two decimals at most.
func short(f float64) string {
	s := strconv.FormatFloat(f, 'f', 2, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
