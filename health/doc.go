// Package health probes origins and says what is believed of them, and why.
//
//	config.Config ──► Engine.Apply          what to probe, from where (plan.go)
//	                      │
//	                  Schedule              when (check.go): pure, no clock
//	                      │ one goroutine per running attempt
//	                  Prober                one protocol (http.go, tcp.go, icmp.go, udp.go, smtp.go): do, then
//	                      │ Result          judge; errors become reasons in one place (dial.go)
//	                  counter               consecutive_up, consecutive_down, per vantage point
//	                      │
//	                  quorum                vantage points → region → everywhere: majority of majorities
//	                      │ one per monitor
//	                  consensus             monitors of a group → origin, in each region and everywhere (group.go)
//	                      │
//	                  Tally, profile        origins → pool state; origins → how far away the pool is (rtt.go)
//	                      │
//	   Table, OnChange ◄──┴──► OnEvent      immutable pictures and live RTTs for decisions; a history for people
//
// The contract:
//   - An origin of a monitored pool is unknown, which counts as down, until its first result; the first result decides.
//     First probes begin within a second of Apply.
//   - A verdict carries its reason. Only probes change verdicts: not traffic, not time, not a reload. State is kept by
//     (monitor id, origin identity, vantage point). A disabled origin is not probed and its verdict stands; when it is
//     enabled again it starts from unknown.
//   - No probe waits for another. An attempt that began late is not held against an origin, nor is this machine's own
//     want of descriptors or memory.
//   - Only a timeout is retried, within the round. Rounds of one check never overlap.
//   - Pictures in the Table are immutable and in the order of the configuration. RTTs change without a new one.
//   - A monitor that only watches changes no verdict. A pool under a group in which nobody votes is not monitored.
//
// docs/behaviour.md has the rules, H1 to H22 and M1 to M6, that comments cite.
package health
