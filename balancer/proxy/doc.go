// Package proxy takes clients' traffic and relays it to the origins that a snapshot decides on.
//
//	client ──► engine ──► client ──► exchange.serve ──► Direct (balancer)
//	           waits,     finds       one request,        │
//	           dials      heads       straight-line       ▼ Decision
//	                                  connect · send · receive · relay ──► origin
//	                                       │
//	                                    Outcome ──► metrics, access log
//
// There is one serve. It sees each end as a link whose calls wait, and knows neither fasthttp nor sockets. All
// judgement of bytes is in package wire. An engine knows how to wait, how to dial and which row to count in; it
// judges nothing and decides nothing. The fasthttp engine is the first: a goroutine per client connection on which
// fasthttp.Server reads every request head, one at a time, while bodies, answers and origin connections are serve's
// own, because a transparent proxy needs the bytes as they come.
//
// A request is placed before it is decided on: by what trusted peers say of it, by the GeoIP database, else by where this
// instance is. What a decision means for a session becomes so when the head of the final answer is made, and not before,
// because a retry may decide otherwise: then the answer gets its cookie, and the table of sessions by header is told.
//
// What must survive a wait is copied before it: an exchange owns a copy of its request head. Deadlines are numbers
// that the watcher looks at, not calls. Counters go up right after the decision and down once on every path; when
// nothing is going on, all are zero.
package proxy
