package proxy

import (
	"errors"
	"sync"
)

// A stream is one connection as an engine lends it to serve: calls wait, and deadlines are values set before them.
// Reads and writes may run at the same time, from two flows; two reads may not.
type stream interface {
	// fill reads at least one byte into l, which has room for it. io.EOF is a peer that has finished sending.
	fill(l *link) error
	// write sends all of p; n is less only with an error.
	write(p []byte) (n int, err error)
	// armRead sets the deadline of the read in progress and of later ones, on the clock of mono; 0 is none.
	armRead(at int64)
	// armWrite sets how long the next write may go on without the peer taking any of it; 0 is for ever.
	armWrite(wait int64)
	// beginRead is armRead for a flow beside the one that reads: a deadline that is set already stays.
	beginRead(at int64)
	closeWrite() error
	close()
	// abort closes so that the peer cannot take what it has for a whole message.
	abort()
	// stale reports that a connection on which nobody should be sending has bytes or has ended.
	stale() bool
	// watch makes the end of this stream interrupt the wait in progress on partner, until unwatch. It is how a client
	// that goes away ends the wait for its answer.
	watch(partner stream)
	unwatch()
	// renew forgets interruptions meant for an earlier use of this stream.
	renew()
}

// Errors of a stream beside those of the network.
var (
	errTimeout     = errors.New("deadline passed")
	errInterrupted = errors.New("the other side went away")
	errLinkFull    = errors.New("no room left in the read buffer")
)

// link is one end of an exchange: a stream with the bytes read from it and not yet used.
type link struct {
	io   stream
	buf  *buffer // nil while there is nothing to hold
	r, w int
	// How a body is read: the class of the next buffer, and whether the last one was filled.
	class int
	brim  bool
}

// bytes are the bytes read and not yet taken, good until the next fill.
func (l *link) bytes() []byte {
	if l.buf == nil {
		return nil
	}
	return l.buf.b[l.r:l.w]
}

// take uses up n bytes.
func (l *link) take(n int) {
	l.r += n
	if l.r == l.w {
		l.r, l.w = 0, 0
	}
}

// fill waits for more bytes. A buffer that is full of one unfinished head grows up to the largest size.
func (l *link) fill() error {
	if l.buf != nil && l.w == len(l.buf.b) {
		if err := l.makeRoom(); err != nil {
			return err
		}
	}
	return l.io.fill(l)
}

// more is fill for a body, all of which so far has been taken. Once a body has filled a buffer to the brim, the rest
// moves in larger ones.
func (l *link) more() error {
	if l.brim && l.class < relayClass {
		l.class = relayClass
		l.release()
	}
	err := l.fill()
	l.brim = l.buf != nil && l.w == len(l.buf.b)
	return err
}

func (l *link) makeRoom() error {
	if l.r > 0 {
		l.w = copy(l.buf.b, l.buf.b[l.r:l.w])
		l.r = 0
		return nil
	}
	class := l.buf.class + 1
	if class == len(bufferSizes) {
		return errLinkFull
	}
	l.swap(class)
	return nil
}

// swap moves the bytes into a buffer of another class.
func (l *link) swap(class int) {
	b := getBuffer(class)
	l.w = copy(b.b, l.bytes())
	l.r = 0
	if l.buf != nil {
		putBuffer(l.buf)
	}
	l.buf = b
}

// room is where the next read goes. No read asks for more than the relay size: on Linux, loopback reads of exactly
// 64 KiB cost twice as much per byte as reads of 32 KiB.
func (l *link) room() []byte {
	if l.buf == nil {
		l.buf = getBuffer(l.class)
	}
	p := l.buf.b[l.w:]
	if len(p) > bufferSizes[relayClass] {
		p = p[:bufferSizes[relayClass]]
	}
	return p
}

// release gives the buffer back when it holds nothing.
func (l *link) release() {
	if l.buf != nil && l.r == l.w {
		putBuffer(l.buf)
		l.buf, l.r, l.w = nil, 0, 0
	}
}

// discard gives the buffer back whatever it holds.
func (l *link) discard() {
	l.r, l.w, l.class, l.brim = 0, 0, 0, false
	l.release()
}

// buffer is a read buffer of one of the sizes below.
type buffer struct {
	b     []byte
	class int
}

// bufferSizes: an ordinary head, a relayed body, the largest head that the limits can allow.
var bufferSizes = [...]int{4 << 10, 32 << 10, 96 << 10}

const relayClass = 1

var buffers [len(bufferSizes)]sync.Pool

func getBuffer(class int) *buffer {
	if b, ok := buffers[class].Get().(*buffer); ok {
		return b
	}
	return &buffer{b: make([]byte, bufferSizes[class]), class: class}
}

func putBuffer(b *buffer) { buffers[b.class].Put(b) }
