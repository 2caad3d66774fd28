package balancer

// Reason is why a decision came out as it did, one token of a closed set: docs/reasons.md lists every one.
type Reason uint8

// Yes is the answer of a predicate that nothing speaks against; every other value says what does, or how a decision
// came about.
const Yes Reason = 0

// How an origin came to be chosen.
const (
	Steered       Reason = iota + 1 // by the steering of the load balancer and of the pool
	Pinned                          // by the session the request carries
	Retried                         // as the second attempt, after another origin of the pool could not be reached
	LastResort                      // in the fallback pool, since no other pool took the request
	RetriedAcross                   // as the second attempt, in another pool, since the first one had no other origin
)

// Whence the response to a request that no origin is asked for.
const (
	RuleResponse    Reason = iota + 8 // a rule's fixed response
	PoolSetResponse                   // a pool set's fixed response
)

// Why a request is refused.
const (
	UnknownHost          Reason = iota + 16 // no load balancer serves the host
	LoadBalancerDisabled                    // the load balancer of the host is disabled
	FallbackMissing                         // no pool took the request and there is no fallback pool
	FallbackDisabled                        // no pool took the request and the fallback pool is disabled
	NothingLeft                             // no pool took the request and the fallback pool has no origin to offer
	NoOtherOrigin                           // an origin could not be reached and the pool has no other one to try
)

// Why a pool takes no part in a decision.
const (
	PoolDisabled    Reason = iota + 32
	PoolEmpty              // no origin is enabled
	PoolUnknown            // monitored, and no origin has been judged yet
	PoolCritical           // fewer healthy origins than minimum_origins
	PoolDown               // minimum_origins is 0, and no origin is healthy
	PoolUnresolved         // no origin in question has an address
	PoolWeightless         // every origin in question has weight 0
	PoolShed               // load shedding turned this request away
	PoolShedSession        // load shedding turned the session of this request away
)

// Why an origin takes no part in a decision.
const (
	OriginDisabled   Reason = iota + 48
	OriginUnknown           // monitored, and not judged yet
	OriginDown              // monitored, and unhealthy
	OriginUnresolved        // its host name has no address
	OriginWeightless        // its weight is 0
	OriginTried             // this request has been there
	OriginGone              // a session names it, and this load balancer has it no longer
)

// Why a request has no session to go by.
const (
	SessionAbsent  Reason = iota + 64 // it carries none, or none is known by what it carries
	SessionInvalid                    // its cookie was not made here: cut, forged, or another load balancer's
	SessionExpired                    // its time is over
	SessionKeyless                    // it does not carry the headers that would make one
)

// Why a rule or a pool set was passed over.
const NotMatched Reason = 80

// ReasonInfo describes one Reason.
type ReasonInfo struct {
	Reason  Reason
	Token   string // as logs, metrics, headers and explain spell it
	Meaning string
	Status  int // of the answer, for a refusal that fixes it; else 0
}

var reasons = []ReasonInfo{
	{Yes, "yes", "nothing speaks against it", 0},

	{Steered, "steered", "chosen by the steering of the load balancer and of the pool", 0},
	{Pinned, "session", "chosen by the session the request carries", 0},
	{Retried, "retry", "chosen as the second attempt, after another origin of the pool could not be reached", 0},
	{LastResort, "last_resort", "chosen in the fallback pool, since no other pool took the request", 0},
	{RetriedAcross, "retry_across_pools", "chosen as the second attempt, in another pool, since the first one had no other origin to try", 0},

	{RuleResponse, "rule_response", "answered with the fixed response of a rule", 0},
	{PoolSetResponse, "pool_set_response", "answered with the fixed response of a pool set", 0},

	{UnknownHost, "unknown_host", "no load balancer serves the host", 530},
	{LoadBalancerDisabled, "load_balancer_disabled", "the load balancer of the host is disabled", 530},
	{FallbackMissing, "fallback_missing", "no pool took the request and there is no fallback pool", 530},
	{FallbackDisabled, "fallback_disabled", "no pool took the request and the fallback pool is disabled", 530},
	{NothingLeft, "nothing_left", "no pool took the request and the fallback pool has no origin to offer", 530},
	{NoOtherOrigin, "no_other_origin", "an origin could not be reached and the pool has no other one to try; the status is that of the failure", 0},

	{PoolDisabled, "pool_disabled", "the pool is disabled", 0},
	{PoolEmpty, "pool_empty", "no origin of the pool is enabled", 0},
	{PoolUnknown, "pool_unknown", "the pool is monitored and no origin has been judged yet", 0},
	{PoolCritical, "pool_critical", "the pool has fewer healthy origins than minimum_origins", 0},
	{PoolDown, "pool_down", "minimum_origins is 0, and no origin of the pool is healthy", 0},
	{PoolUnresolved, "pool_unresolved", "no origin in question has an address", 0},
	{PoolWeightless, "pool_weightless", "every origin in question has weight 0", 0},
	{PoolShed, "pool_shed", "load shedding turned this request away from the pool", 0},
	{PoolShedSession, "pool_shed_session", "load shedding turned the session of this request away from the pool", 0},

	{OriginDisabled, "origin_disabled", "the origin is disabled", 0},
	{OriginUnknown, "origin_unknown", "the origin is monitored and has not been judged yet", 0},
	{OriginDown, "origin_down", "the origin is monitored and unhealthy", 0},
	{OriginUnresolved, "origin_unresolved", "the origin's host name has no address", 0},
	{OriginWeightless, "origin_weightless", "the origin's weight is 0", 0},
	{OriginTried, "origin_tried", "this request has tried the origin", 0},
	{OriginGone, "origin_gone", "a session names the origin, and this load balancer has it no longer", 0},

	{SessionAbsent, "session_absent", "the request carries no session, or none is known by what it carries", 0},
	{SessionInvalid, "session_invalid", "the session's cookie was not made here: cut, forged, or another load balancer's", 0},
	{SessionExpired, "session_expired", "the session's time is over", 0},
	{SessionKeyless, "session_keyless", "the request does not carry the headers that would make a session", 0},

	{NotMatched, "not_matched", "the rule or pool set is not for this request", 0},
}

// reasonTokens is reasons by value: String must be cheap, metrics and logs call it per request.
var reasonTokens = func() (tokens [256]string) {
	for _, r := range reasons {
		tokens[r.Reason] = r.Token
	}
	return tokens
}()

// Reasons returns every Reason there is, in the order of docs/reasons.md.
func Reasons() []ReasonInfo { return append([]ReasonInfo(nil), reasons...) }

// String is the token of the reason, snake_case.
func (r Reason) String() string {
	if token := reasonTokens[r]; token != "" {
		return token
	}
	panic("BUG: reason without a token")
}

// status is what a refusal for this reason answers.
func (r Reason) status() int {
	for i := range reasons {
		if reasons[i].Reason == r && reasons[i].Status != 0 {
			return reasons[i].Status
		}
	}
	panic("BUG: " + r.String() + " is not a refusal with a status of its own")
}
