package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

// udpICMP passes when the origin answers a ping, and then does not say that the port is closed: silence is good news
// (behaviour M2). It therefore takes the whole timeout, unless the port answers. Its RTT is the ping's.
func (n *network) udpICMP(ctx context.Context, t Target) Result {
	if t.Port == 0 {
		return misconfigured("a udp_icmp monitor needs a port: set the monitor's port, or the origin's")
	}
	to, r := n.ping(ctx, t)
	if !r.Passed() {
		return r
	}
	conn, err := n.connect(ctx, "udp", net.JoinHostPort(to.String(), strconv.Itoa(t.Port)), t.Source)
	if err != nil {
		return at(to, failed(ctx, pinging, err))
	}
	defer func() { _ = conn.Close() }()
	if err := listen(ctx, conn, t.Monitor.Retries+1); err != nil {
		return at(to, refusal(ctx, t.Port, err))
	}
	return r
}

// listen sends empty datagrams, spread over the time there is, and waits for what the other side has to say against
// it. One would not do: datagrams are lost, and systems limit how often they send the ICMP message we listen for.
func listen(ctx context.Context, conn net.Conn, datagrams int) error {
	end, ok := ctx.Deadline()
	if !ok {
		panic("BUG: a probe without a timeout")
	}
	var b [1]byte
	for left := datagrams; left > 0 && ctx.Err() == nil; left-- {
		_, err := conn.Write(nil)
		if err == nil {
			conn.SetReadDeadline(time.Now().Add(time.Until(end) / time.Duration(left)))
			_, err = conn.Read(b[:])
		}
		if err == nil {
			return nil // an answer says more than silence
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return nil
}

// refusal is the result of an origin that did not keep silent, or of a machine that could not send.
func refusal(ctx context.Context, port int, err error) Result {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return Result{Reason: OtherFailure, Detail: fmt.Sprintf("ICMP port unreachable: nobody listens at UDP port %d", port)}
	}
	return failed(ctx, pinging, fmt.Errorf("probing UDP port %d: %w", port, err))
}
