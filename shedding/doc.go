// Package shedding says "not this share of traffic, not here": the load shedding of one pool. It is pure: randomness and
// the client are arguments.
//
//	                  ┌ no session, random: draw                          ┐
//	client, session ──┤ no session, hash:   XXH64(salt of pool, client)   ├── below percent of 2⁶⁴? ── shed
//	                  └ session:            XXH64(salt of pool, client)   ┘
//
// Contract:
//
//   - 0 % sheds nothing and 100 % everything; between them the share of clients, or of draws, is exact to 2⁻⁶⁴
//     (behaviour L1, L2, L7).
//   - By hash a client is always shed or never, and raising the percentage only adds clients. Requests may be shed more or
//     less than clients are, because clients do not ask equally often.
//   - Sessions and default traffic use the same hash, so that a session percentage up to the default one sheds only
//     clients that the default sheds, too (behaviour L3). Pools have hashes of their own, and none of them says anything
//     about steering.
//   - Sheds does not allocate and uses no floating point.
package shedding
