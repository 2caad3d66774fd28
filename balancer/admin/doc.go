// Package admin shows people and tools what the other rooms know, and takes two orders: reload and drain.
//
//	browser, curl, scraper ─► gate ─► mux ─┬─ /healthz /readyz ◄── Readiness
//	                          Host?        ├─ /config /pools    ◄── balancer.Snapshot, health.Table
//	                          Origin?      ├─ /events           ◄── health.Engine
//	                          token?       ├─ /metrics          ◄── a prometheus.Gatherer: World, Probes, Reloads
//	                                       └─ /-/reload /-/drain ──► the program
//
// It is not on the path of traffic, so it is net/http of the standard library. Everything it shows or orders comes in
// through the fields of Options: it starts nothing but its own listener, and knows no program around it.
//
// Beyond loopback it serves with a token only (New refuses otherwise). A name in Host that is not its own is refused
// with 403, and so is a POST from a page of another origin: no web page reaches it through somebody's browser.
package admin
