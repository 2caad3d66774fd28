package health

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/textproto"
)

// smtpLimit bounds everything a server says in one attempt.
const smtpLimit = 64 << 10

// smtpSteps is the whole conversation (RFC 5321 §3.1, §4.1.1). "localhost" is what a client without a name of its own
// says, as Go's net/smtp does.
var smtpSteps = []struct {
	say  string
	want int
}{
	{"", 220}, // the greeting comes unasked
	{"HELO localhost", 250},
	{"QUIT", 221},
}

// smtp passes when the server greets, takes a HELO and says goodbye (behaviour M3).
func (n *network) smtp(ctx context.Context, t Target) Result {
	if t.Port == 0 {
		return misconfigured("an smtp monitor needs a port: set the monitor's port, or the origin's")
	}
	conn, err := n.dial(ctx, t.Address, t.Port, t.Source)
	if err != nil {
		return failed(ctx, connecting, err)
	}
	defer func() { _ = conn.Close() }()
	ip := remoteIP(conn)
	in := textproto.NewReader(bufio.NewReader(io.LimitReader(conn, smtpLimit)))
	for _, step := range smtpSteps {
		if err := converse(conn, in, step.say, step.want); err != nil {
			return at(ip, smtpFailed(ctx, step.say, step.want, err))
		}
	}
	return Result{Reason: NoFailures, IP: ip}
}

// converse says one line, if any, and reads the reply to it, of however many lines.
func converse(out io.Writer, in *textproto.Reader, say string, want int) error {
	if say != "" {
		if _, err := io.WriteString(out, say+"\r\n"); err != nil {
			return err
		}
	}
	_, _, err := in.ReadResponse(want)
	return err
}

func smtpFailed(ctx context.Context, said string, want int, err error) Result {
	if said == "" {
		said = "the greeting"
	}
	if reply, ok := errors.AsType[*textproto.Error](err); ok {
		return Result{Reason: CodeMismatch, Detail: fmt.Sprintf("%s: got %d %s, expected %d", said, reply.Code, firstRunes(reply.Msg, 200), want)}
	}
	return failed(ctx, conversing, fmt.Errorf("%s: %w", said, err))
}
