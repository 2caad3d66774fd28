package origin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
)

// patternSize is a prime, so that no power-of-two offset or buffer size hides a shift.
const patternSize = 65521

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// pattern is the block that long bodies repeat: the same bytes in every process.
var pattern = sync.OnceValue(func() []byte {
	block := make([]byte, patternSize)
	source := rand.NewChaCha8([32]byte{'w', 'e', 'i', 'r'})
	_, _ = source.Read(block) // never fails, by contract
	return block
})

// Pattern reads the first n bytes of the endless pattern: a body that can be checked at any offset.
func Pattern(n int64) io.Reader { return &patternReader{end: n} }

type patternReader struct{ at, end int64 }

func (p *patternReader) Read(b []byte) (int, error) {
	if p.at >= p.end {
		return 0, io.EOF
	}
	block := pattern()[p.at%patternSize:]
	n := copy(b[:min(int64(len(b)), p.end-p.at)], block)
	p.at += int64(n)
	return n, nil
}

// PatternSum is the CRC-32C of the first n bytes of the pattern.
func PatternSum(n int64) uint32 {
	var sum uint32
	for ; n >= patternSize; n -= patternSize {
		sum = crc32.Update(sum, castagnoli, pattern())
	}
	return crc32.Update(sum, castagnoli, pattern()[:n])
}

// Checker is a writer that counts and sums what it is given and compares it with the pattern, in constant memory.
type Checker struct {
	n        int64
	sum      uint32
	mismatch int64 // offset of the first foreign byte, plus one
}

// Write never fails; ask Mismatch.
func (c *Checker) Write(p []byte) (int, error) {
	c.sum = crc32.Update(c.sum, castagnoli, p)
	for rest := p; len(rest) > 0; {
		block := pattern()[c.n%patternSize:]
		n := min(len(rest), len(block))
		if c.mismatch == 0 && !bytes.Equal(rest[:n], block[:n]) {
			c.mismatch = c.n + int64(firstDifference(rest[:n], block[:n])) + 1
		}
		c.n += int64(n)
		rest = rest[n:]
	}
	return len(p), nil
}

func firstDifference(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	panic("BUG: equal blocks were found different")
}

// Count is the number of bytes so far.
func (c *Checker) Count() int64 { return c.n }

// Sum is the CRC-32C so far.
func (c *Checker) Sum() uint32 { return c.sum }

// Mismatch is the offset of the first byte that differs from the pattern, or -1.
func (c *Checker) Mismatch() int64 { return c.mismatch - 1 }

// Bytes answers with n bytes of the pattern, generated as they go out.
func Bytes(fields Fields, n int64) Action {
	return func(x *Exchange) error {
		head := x.head(http.StatusOK, fields)
		if _, err := x.Write(fmt.Appendf(head, "Content-Length: %d\r\n\r\n", n)); err != nil {
			return err
		}
		if x.Request.Method == http.MethodHead {
			return nil
		}
		_, err := io.CopyBuffer(writerOnly{x}, Pattern(n), make([]byte, 32<<10))
		return err
	}
}

// SumField is the trailer field with the CRC-32C of a chunked body, eight hex digits.
const SumField = "Body-Crc32c"

// BytesChunked answers with n bytes of the pattern in chunks and their checksum in the trailer.
func BytesChunked(fields Fields, n int64) Action {
	return func(x *Exchange) error {
		out, err := x.beginChunks(append(fields[:len(fields):len(fields)], Field{"Trailer", SumField}))
		if err != nil || x.Request.Method == http.MethodHead {
			return err
		}
		sum := &Checker{}
		body := io.TeeReader(Pattern(n), sum)
		if _, err := io.CopyBuffer(writerOnly{out}, body, make([]byte, 32<<10)); err != nil {
			return err
		}
		return out.end(F(SumField, fmt.Sprintf("%08x", sum.Sum())))
	}
}

// writerOnly hides ReaderFrom and the like, so that the buffer given is the buffer used.
type writerOnly struct{ io.Writer }

// Received is what Sink answers about a body.
type Received struct {
	Bytes    int64  `json:"bytes"`
	Sum      string `json:"crc32c"`   // eight hex digits
	Mismatch int64  `json:"mismatch"` // offset of the first byte that is not the pattern's, -1 for none
	Trailer  Fields `json:"trailer,omitempty"`
}

// Sink reads the body in constant memory and answers with a Received in JSON.
func Sink(fields Fields) Action {
	return func(x *Exchange) error {
		sum := &Checker{}
		if _, err := io.CopyBuffer(sum, x, make([]byte, 32<<10)); err != nil {
			return err
		}
		answer, err := json.Marshal(Received{sum.Count(), fmt.Sprintf("%08x", sum.Sum()), sum.Mismatch(), x.Trailer()})
		if err != nil {
			panic("BUG: " + err.Error())
		}
		fields := append(fields[:len(fields):len(fields)], Field{"Content-Type", "application/json"})
		return Answer(http.StatusOK, fields, string(answer)+"\n")(x)
	}
}

// SSE answers with a stream of server-sent events: one event, one chunk, one write per string received, so that the test
// holds the clock. A closed channel ends the answer.
func SSE(fields Fields, events <-chan string) Action {
	return func(x *Exchange) error {
		fields := append(fields[:len(fields):len(fields)], F("Content-Type", "text/event-stream", "Cache-Control", "no-cache")...)
		out, err := x.beginChunks(fields)
		if err != nil {
			return err
		}
		for {
			select {
			case event, open := <-events:
				if !open {
					return out.end(nil)
				}
				if _, err := io.WriteString(out, "data: "+event+"\n\n"); err != nil {
					return err
				}
			case <-x.Done():
				return ErrReset
			}
		}
	}
}
