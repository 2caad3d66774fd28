package load

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Cause is why a request failed; "" when it did not.
type Cause string

// Every cause.
const (
	CauseRefused     Cause = "refused"     // nobody listens
	CauseConnect     Cause = "connect"     // no connection for another reason, a timeout included
	CauseTLS         Cause = "tls"         // the handshake failed
	CauseClosed      Cause = "closed"      // closed before the first byte of an answer
	CauseReset       Cause = "reset"       // reset before the first byte of an answer, or while sending
	CauseTimeout     Cause = "timeout"     // no complete answer within Timeout
	CauseTruncated   Cause = "truncated"   // the answer broke off
	CauseMalformed   Cause = "malformed"   // what came is not an answer
	CauseUnsolicited Cause = "unsolicited" // bytes came that nobody had asked for: somebody else's answer?
	CauseCheck       Cause = "check"       // Options.Check was not content
	CauseSend        Cause = "send"        // the request could not be sent for another reason
)

// client owns at most one connection.
type client struct {
	opts       *Options
	conn       net.Conn
	raw        net.Conn
	in         *inbound
	br         *bufio.Reader
	used       bool
	dials      int64 // since the last reading
	reconnects int64
}

type failure struct {
	cause Cause
	err   error
}

func (c *client) close() {
	if c.raw != nil {
		_ = c.raw.Close() // whatever it has to say no longer matters
		c.conn, c.raw = nil, nil
	}
}

// do sends one request and reads its answer. The connection survives only a complete answer.
func (c *client) do(ctx context.Context, i int64) *Result {
	result := &Result{}
	deadline := time.Now().Add(c.opts.Timeout)
	f := c.ready(ctx, deadline)
	if f == nil {
		result.Reused = c.used
		f = c.exchange(ctx, deadline, c.opts.Request(i), result)
		c.used = true
	}
	if f != nil {
		result.Cause, result.Err = f.cause, f.err
		c.close()
	}
	return result
}

// ready makes sure that there is a connection that looks alive.
func (c *client) ready(ctx context.Context, deadline time.Time) *failure {
	if c.raw != nil {
		switch idleState(c.raw) {
		case idleQuiet:
			return nil
		case idleBytes:
			// Over TLS it is the goodbye before a close.
			if c.opts.TLS == nil {
				return &failure{CauseUnsolicited, errors.New("bytes arrived on an idle connection")}
			}
		case idleClosed:
		}
		c.close()
		c.reconnects++
	}
	return c.dial(ctx, deadline)
}

func (c *client) dial(ctx context.Context, deadline time.Time) *failure {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	c.dials++
	raw, err := c.opts.Dial(ctx, c.opts.Addr)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return &failure{CauseRefused, err}
	case err != nil:
		return &failure{CauseConnect, err}
	}
	c.raw, c.conn, c.used = raw, raw, false
	if c.opts.TLS != nil {
		secure := tls.Client(raw, c.tlsConfig())
		if err := secure.HandshakeContext(ctx); err != nil {
			return &failure{CauseTLS, err}
		}
		c.conn = secure
	}
	c.in = &inbound{Reader: c.conn}
	c.br = bufio.NewReader(c.in)
	return nil
}

// inbound remembers how reading ended, which the parser of heads does not tell.
type inbound struct {
	io.Reader
	err error
}

func (in *inbound) Read(p []byte) (int, error) {
	n, err := in.Reader.Read(p)
	in.err = err
	return n, err
}

func (c *client) tlsConfig() *tls.Config {
	if c.opts.TLS.ServerName != "" {
		return c.opts.TLS
	}
	config := c.opts.TLS.Clone()
	config.ServerName = c.opts.Host
	if host, _, err := net.SplitHostPort(c.opts.Host); err == nil {
		config.ServerName = host
	}
	return config
}

func (c *client) exchange(ctx context.Context, deadline time.Time, r Request, result *Result) *failure {
	conn := c.conn
	conn.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	if _, err := conn.Write(r.append(nil, c.opts.Host)); err != nil {
		if f := c.earlyAnswer(); f != nil {
			return &failure{breakOf(err, CauseSend), fmt.Errorf("send: %w", err)}
		}
	}
	if _, err := c.br.Peek(1); err != nil {
		return &failure{breakOf(err, CauseClosed), fmt.Errorf("wait for an answer: %w", err)}
	}
	resp, err := c.finalAnswer(r)
	if err != nil {
		return &failure{truncation(cmp.Or(c.in.err, err)), fmt.Errorf("read the head: %w", err)}
	}
	defer resp.Body.Close()
	result.Status, result.Header = resp.StatusCode, resp.Header
	if err := readBody(resp.Body, result); err != nil {
		return &failure{truncation(err), fmt.Errorf("read the body: %w", err)}
	}
	result.Trailer = resp.Trailer
	return c.keep(resp)
}

// earlyAnswer says nil when an answer is there although the request could not be sent to its end: a server that refuses
// a body answers and closes.
func (c *client) earlyAnswer() error {
	_, err := c.br.Peek(1)
	return err
}

func (c *client) finalAnswer(r Request) (*http.Response, error) {
	for {
		resp, err := http.ReadResponse(c.br, &http.Request{Method: r.method()})
		if err != nil || resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, err
		}
	}
}

func readBody(body io.Reader, result *Result) error {
	prefix, err := io.ReadAll(io.LimitReader(body, bodyPrefix))
	result.Body, result.BodyBytes = prefix, int64(len(prefix))
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, body)
	result.BodyBytes += n
	return err
}

// keep leaves the connection open if both sides may use it again. Bytes behind the answer belong to nobody.
func (c *client) keep(resp *http.Response) *failure {
	if c.br.Buffered() > 0 {
		return &failure{CauseUnsolicited, fmt.Errorf("%d bytes follow the answer", c.br.Buffered())}
	}
	if resp.Close || resp.StatusCode == http.StatusSwitchingProtocols {
		c.close()
	}
	return nil
}

// breakOf names how a connection broke; other is for what is none of the usual.
func breakOf(err error, other Cause) Cause {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return CauseTimeout
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return CauseReset
	case errors.Is(err, io.ErrUnexpectedEOF):
		return CauseTruncated
	}
	return other
}

// truncation names how an answer broke that had begun.
func truncation(err error) Cause {
	cause := breakOf(err, CauseMalformed)
	if cause == CauseReset || errors.Is(err, io.EOF) {
		return CauseTruncated
	}
	return cause
}

func (r *Request) method() string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

func (r *Request) append(dst []byte, host string) []byte {
	target := r.Target
	if target == "" {
		target = "/"
	}
	dst = append(dst, r.method()+" "+target+" HTTP/1.1\r\n"...)
	if !r.has("Host") {
		dst = append(dst, "Host: "+host+"\r\n"...)
	}
	for _, f := range r.Fields {
		dst = append(dst, f[0]+": "+f[1]+"\r\n"...)
	}
	if r.wantsLength() {
		dst = append(dst, "Content-Length: "+strconv.Itoa(len(r.Body))+"\r\n"...)
	}
	return append(append(dst, "\r\n"...), r.Body...)
}

func (r *Request) has(name string) bool {
	for _, f := range r.Fields {
		if strings.EqualFold(f[0], name) {
			return true
		}
	}
	return false
}

// wantsLength follows RFC 9110 §8.6: a method that defines content announces it even when it is empty.
func (r *Request) wantsLength() bool {
	if r.has("Content-Length") || r.has("Transfer-Encoding") {
		return false // the caller frames by hand
	}
	switch r.method() {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		return true
	}
	return len(r.Body) > 0
}
