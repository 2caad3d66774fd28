// Package origin is a programmable HTTP/1.1 origin on a real loopback socket, for tests, the demo and drills.
//
// It is written on bare connections, not on net/http, so that it can fail exactly as reality does: reset after the
// seventh byte of an answer, announce a length it does not keep, stay silent, close an idle connection, vanish and come
// back on the same port. It is strict about what it reads: a request that a careful server would refuse is answered
// with 400 and counted as malformed, so that a test sees at once what a proxy let through.
//
//	Start ──► listener ──► connection ──► request ──► Handler ──► Action ──► bytes, silence, or a reset
//	             │              │            │                      │
//	         Kill/Restart   CloseIdle    Records, Seen,        composed of small parts:
//	         UseAccept                   Executed, Stats       ResetAfter(7, Answer(200, nil, "hello"))
//
// What an origin does can be changed while it runs: Use swaps the handler, UseAccept what happens to new connections.
// A request keeps the handler it started with. Close returns only when every goroutine of the origin has ended.
//
// Errors of the network are part of the play and are not reported; the counters in Stats and the Records tell what
// happened. The package depends on the standard library and golang.org/x/sys/unix only. What it knows beyond portable
// sockets (a reserved port, a full backlog, waiting until the kernel has sent everything) works on Linux; elsewhere
// those parts are left out or return an error.
package origin
