package balancer

import (
	"regexp"
	"testing"
)

var token = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)

// The sets are closed: each value has a token of its own, and nothing else has one.
func TestReasons(t *testing.T) {
	seen := map[string]bool{}
	known := map[Reason]bool{}
	for _, r := range Reasons() {
		if !token.MatchString(r.Token) || seen[r.Token] || known[r.Reason] || r.Meaning == "" {
			t.Errorf("%d %q: %s", r.Reason, r.Token, r.Meaning)
		}
		seen[r.Token], known[r.Reason] = true, true
		if r.Reason.String() != r.Token {
			t.Errorf("%q calls itself %q", r.Token, r.Reason)
		}
	}
	for v := range 256 {
		if r := Reason(v); !known[r] && !panics(func() { _ = r.String() }) {
			t.Errorf("reason %d has a token and is not listed", v)
		}
	}
	for _, r := range []Reason{
		Yes, Steered, Pinned, Retried, LastResort, UnknownHost, LoadBalancerDisabled, FallbackMissing, FallbackDisabled, NothingLeft,
		NoOtherOrigin, PoolDisabled, PoolEmpty, PoolUnknown, PoolCritical, PoolDown, PoolUnresolved, PoolWeightless, PoolShed,
		PoolShedSession, OriginDisabled, OriginUnknown, OriginDown, OriginUnresolved, OriginWeightless, OriginTried, OriginGone,
		RetriedAcross, RuleResponse, PoolSetResponse, SessionAbsent, SessionInvalid, SessionExpired, SessionKeyless, NotMatched,
	} {
		if !known[r] {
			t.Errorf("reason %d is not listed", r)
		}
	}
}

func TestClasses(t *testing.T) {
	seen := map[string]bool{}
	for i, c := range Classes() {
		if c.Class != Class(i) || !token.MatchString(c.Token) || seen[c.Token] || c.Meaning == "" {
			t.Errorf("%d: %+v", i, c)
		}
		seen[c.Token] = true
	}
	if Class(len(seen)-1) != Internal {
		t.Errorf("%d classes are listed, and the last one is %v", len(seen), Class(len(seen)-1))
	}
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}
