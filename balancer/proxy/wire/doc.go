// Package wire judges the bytes of HTTP/1.1 messages for a gateway: it checks heads, rewrites them for the next hop and
// finds where bodies end. Bytes in, verdict out: no I/O, no clock, no logger, and no allocation once its values are warm.
//
//	client bytes ─► HeadEnd ─► Request.Parse ──► Cause? refuse, send nothing on
//	                                │ OK
//	                                ▼
//	                       Request.AppendHead ─► origin          Body.Scan: how far this message reaches
//	                                                             (both directions, byte for byte)
//	client ◄─ Response.AppendHead ◄─ Response.Parse ◄─ HeadEnd ◄─ origin bytes
//
// Both ends are taken for hostile. A head is either unambiguous or refused; nothing is repaired, because a repaired
// message is one that two hops may read differently (RFC 9112 §11.2). What is accepted goes on as it came: order, case
// and bytes of every field that is not listed in [Request.AppendHead] or [Response.AppendHead].
//
// Everything borrows: a [Request] or [Response] points into the head it was given until its next Parse, and the caller
// must leave those bytes alone for as long.
package wire
