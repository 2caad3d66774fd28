// Package resolve keeps the addresses of host names fresh, beside the traffic and never in it.
//
//	Prepare(names) ─► look up ─► wait min(TTL, Ceiling), at least Floor ─► look up ─► …   until Keep drops the name
//	                     │
//	                     ├─ addresses: remembered; OnChange if they differ
//	                     ├─ the name does not exist, or has no address: that is an answer, it has none
//	                     └─ failure (no answer, SERVFAIL): the last answer stays, Status says why it is old
//
// A name is looked up by one goroutine at a time and by none while it waits. How a name is looked up, /etc/hosts, search
// domains, TCP after a truncated answer, is the standard library's business; the time to live, which it does not tell, is
// read from the answers as they pass.
package resolve
