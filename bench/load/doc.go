// Package load sends HTTP/1.1 requests at a constant rate and tells what became of every one of them.
//
// The loop is open: request i is due at start + i/Rate, whatever happened to the requests before it. Latency counts from
// the moment a request was due, not from the moment a connection was free, so a stalled server shows in the quantiles
// instead of slowing the generator down (no coordinated omission).
//
//	due:    |    |    |    |    |    |          one every 1/Rate
//	            └► connection 1 ─ send ─ answer ─┐
//	                └► connection 2 ─ send ─ …   ├─► Result ─► Report: statuses, tags, causes, quantiles
//	                    └► … Conns of them       ┘
//
// A request that finds every connection busy waits, and its wait is part of its latency. Nothing is retried: a failure
// is a failure, with its cause. A kept connection that the server closed while it was idle is replaced before it is used,
// as any client does. In every report
//
//	Due = Sent + Unsent    and    Sent = Answered + Failed + Interrupted
//
// How late the generator itself was, with a connection at hand, is reported apart as Lag: a run whose lag is large
// measured the generator. Time and count of a run are bounded, and Wait returns only when every goroutine has ended.
package load
