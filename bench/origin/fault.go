package origin

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Close ends the connection without an answer, as a stale keep-alive connection does.
func Close() Action { return func(*Exchange) error { return errCut } }

// Reset resets the connection without an answer.
func Reset() Action { return func(*Exchange) error { return ErrReset } }

// Silent never answers. The connection stays open until the other side gives up.
func Silent() Action { return func(x *Exchange) error { return x.Hang() } }

// IgnoreBody acts and never reads the request's body: the sender is held back by full buffers. What is left of the body
// when the action ends closes the connection. IgnoreBody(Silent()) never reads and never answers.
func IgnoreBody(a Action) Action {
	return func(x *Exchange) error {
		x.unread = true
		return a(x)
	}
}

// CloseAfter closes the connection after n bytes of what the action sends, heads included, or after all of it.
func CloseAfter(n int64, a Action) Action { return cutAfter(n, errCut, a) }

// ResetAfter resets the connection (SO_LINGER 0) after n bytes of what the action sends, or after all of it. The other
// side's kernel has those n bytes before the reset.
func ResetAfter(n int64, a Action) Action { return cutAfter(n, ErrReset, a) }

// StallAfter sends n bytes of what the action sends and then nothing more, with the connection open.
func StallAfter(n int64, a Action) Action {
	return func(x *Exchange) error {
		if err := cutAfter(n, errStall, a)(x); !errors.Is(err, errStall) {
			return err
		}
		return x.Hang()
	}
}

var (
	errStall = errors.New("stall the connection")
	// errCut is a close in mid-sentence: over TLS without the close_notify that tells an end from a truncation.
	errCut = fmt.Errorf("cut the answer: %w", ErrClose)
)

func cutAfter(n int64, end error, a Action) Action {
	return func(x *Exchange) error {
		x.out = &cutter{out: x.out, left: n, end: end}
		if err := a(x); err != nil {
			return err
		}
		return end
	}
}

// cutter lets a number of bytes pass, then reports how the connection ends.
type cutter struct {
	out  io.Writer
	left int64
	end  error
}

func (c *cutter) Write(p []byte) (int, error) {
	n, err := c.out.Write(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if err == nil && n < len(p) {
		err = c.end
	}
	return n, err
}

// Drip sends what the action sends n bytes at a time, a pause after each; with pause 0 it only splits, each part a
// segment of its own.
func Drip(n int, pause time.Duration, a Action) Action {
	if n <= 0 {
		panic("BUG: origin.Drip wants at least one byte at a time")
	}
	return func(x *Exchange) error {
		x.out = &dripper{x: x, out: x.out, size: n, pause: pause}
		return a(x)
	}
}

type dripper struct {
	x     *Exchange
	out   io.Writer
	size  int
	pause time.Duration
}

func (d *dripper) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		n, err := d.out.Write(p[written:min(written+d.size, len(p))])
		written += n
		if err != nil {
			return written, err
		}
		if d.pause > 0 {
			if err := d.x.Sleep(d.pause); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

// WrongLength announces a length that the body does not have. Announced too long, the connection closes after the body;
// announced too short, the surplus follows the answer on a connection that stays open.
func WrongLength(announced int, body string) Action {
	return func(x *Exchange) error {
		answer := Answer(200, F("Content-Length", strconv.Itoa(announced)), body)
		if announced <= len(body) {
			return answer(x)
		}
		return CloseAfter(1<<62, answer)(x)
	}
}

// Extra sends bytes after a complete answer, in a write of their own, and keeps the connection.
func Extra(a Action, surplus string) Action {
	return func(x *Exchange) error {
		if err := a(x); err != nil {
			return err
		}
		return Raw(surplus)(x)
	}
}

// Garbage sends something that is not HTTP and closes.
func Garbage() Action {
	return CloseAfter(1<<62, Raw("\x15\x03\x01\x00\x02\x02\x0aSSH-2.0-nothing here speaks HTTP\r\n\r\n"))
}

// HugeHeader answers with one field of n bytes.
func HugeHeader(n int) Action {
	return Answer(200, F("X-Huge", strings.Repeat("h", n)), "huge\n")
}
