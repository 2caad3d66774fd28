package health

import "context"

// tcp passes when the handshake completes; the connection is closed at once (behaviour H21).
func (n *network) tcp(ctx context.Context, t Target) Result {
	if t.Port == 0 {
		return misconfigured("a tcp monitor needs a port: set the monitor's port, or the origin's")
	}
	conn, err := n.dial(ctx, t.Address, t.Port, t.Source)
	if err != nil {
		return failed(ctx, connecting, err)
	}
	r := Result{Reason: NoFailures, IP: remoteIP(conn)}
	_ = conn.Close() // nothing was sent, so nothing can be lost
	return r
}
