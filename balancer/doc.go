// Package balancer decides which origin serves a request.
//
// Configuration is a value and health is a value. Build joins the two into an immutable Snapshot; a Writer keeps the
// newest one behind an atomic pointer. A request loads it once, asks Direct for a Decision, tries it, and asks again
// while Trail.Failed allows it:
//
//	config.Config ──┐
//	health.Table  ──┼─► Build ─► *Snapshot ─► Direct(Request, Trail) ─► Decision ─► attempt
//	addresses     ──┘      ▲                         ▲                                │
//	                       └─────── Registry of living Origins ◄── loads ─────────────┘
//
// A decision goes through these steps, each of which can say why not with a Reason:
//
//	host ─► load balancer ─► pool set ─► rules ─► session ─► list of pools ─► fallback pool ─► refusal
//	                           │           │         stands?    by place; steering,
//	                           └───────────┴─► fixed response   serves? sheds? ─► origin steering
//
// A load balancer is compiled once for each combination of pool set and rules that requests meet (plan, variant, routing);
// health changes who is eligible and compiles nothing. Where health_sources or data centres judge for themselves, a
// place sees pools its own way (view, opening). Sessions by cookie are carried by clients and cost nothing here; sessions
// by header are kept in a bounded table beside the snapshots, at about 70 bytes each (Sessions).
//
// Direct neither allocates nor waits; it knows no clock, no dice, no HTTP library. Everything it decides by is in the
// Snapshot, in the loads of the living Origins, in the sessions and in its arguments, so that the same call explains,
// simulates and replays what it decided.
//
// Between snapshots only the counters of living Origins change. They belong to the identity of an origin, not to its
// settings, and outlive reloads: see Registry. The rules are those of docs/behaviour.md, cited by their numbers.
package balancer
