package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/weirlb/weir/balancer"
)

// The bounds of what waits to be written. What goes beyond is dropped and counted: a slow disk slows no request.
const (
	logLines     = 8192
	logBytes     = 8 << 20
	logFlush     = 200 * time.Millisecond
	logKeep      = 16 << 10 // a longer line's memory is given back
	logCloseWait = 2 * time.Second
)

// AccessLog writes one JSON object per exchange, on a line of its own:
//
//	serve ─► Observe: encode ─► queue ─► one goroutine ─► buffer ─► file, at least every 200 ms
//
// Observe neither waits nor takes a lock of its own. docs/operating.md lists the fields. Of the request's header only
// User-Agent is written, and of the target no query, since both may carry secrets.
type AccessLog struct {
	path  string // "" for a writer that cannot be opened again
	log   *zap.Logger
	queue chan *[]byte

	waiting atomic.Int64 // bytes in the queue
	dropped atomic.Uint64

	reopen chan chan error
	stop   chan struct{}
	once   sync.Once
	done   chan struct{}
	last   error // how the final flush ended; good after done

	failing bool // the writer goroutine's: the last write failed
}

// OpenAccessLog appends to the file at path, "-" for standard output. Close it.
func OpenAccessLog(path string, log *zap.Logger) (*AccessLog, error) {
	if path == "-" {
		return newAccessLog("", os.Stdout, log), nil
	}
	f, err := openLog(path)
	if err != nil {
		return nil, err
	}
	return newAccessLog(path, f, log), nil
}

func openLog(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, fmt.Errorf("opening the access log: %w", err)
	}
	return f, nil
}

func newAccessLog(path string, w io.Writer, log *zap.Logger) *AccessLog {
	if log == nil {
		log = zap.NewNop()
	}
	l := &AccessLog{
		path: path, log: log, queue: make(chan *[]byte, logLines),
		reopen: make(chan chan error), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go l.write(w)
	return l
}

var logBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// Observe is for Options.Observe.
func (l *AccessLog) Observe(o *Outcome) {
	if l.waiting.Load() > logBytes {
		l.dropped.Add(1)
		return
	}
	line := logBuffers.Get().(*[]byte)
	*line = appendOutcome((*line)[:0], o)
	l.waiting.Add(int64(len(*line)))
	select {
	case l.queue <- line:
	default:
		l.forget(line)
		l.dropped.Add(1)
	}
}

// Dropped is the number of lines that were not written, because the file did not take them fast enough or at all.
func (l *AccessLog) Dropped() uint64 { return l.dropped.Load() }

// Reopen opens the file at the same path anew, so that the old one can be moved away first; standard output stays.
// When that fails, the old one is written on. It does nothing once the log is closed.
func (l *AccessLog) Reopen() error {
	if l.path == "" {
		return nil
	}
	answer := make(chan error, 1)
	select {
	case l.reopen <- answer:
		return <-answer
	case <-l.done:
		return nil
	}
}

// Close writes what waits and closes the file. Exchanges that end later are not written. A reader of standard output
// that takes nothing any more holds it up for two seconds at most.
func (l *AccessLog) Close() error {
	l.once.Do(func() { close(l.stop) })
	late := time.NewTimer(logCloseWait)
	defer late.Stop()
	select {
	case <-l.done:
		return l.last
	case <-late.C:
		return errors.New("closing the access log: what waits could not be written within two seconds")
	}
}

// write is the goroutine that owns the file.
func (l *AccessLog) write(w io.Writer) {
	defer close(l.done)
	out := bufio.NewWriterSize(w, 64<<10)
	tick := time.NewTimer(logFlush)
	tick.Stop()
	defer tick.Stop()
	for {
		select {
		case line := <-l.queue:
			if out.Buffered() == 0 {
				tick.Reset(logFlush) // an idle log costs no wake-ups
			}
			l.put(out, w, line)
		case <-tick.C:
			l.flush(out, w)
		case answer := <-l.reopen:
			l.drain(out, w)
			var err error
			w, err = l.renew(w)
			out.Reset(w)
			answer <- err
		case <-l.stop:
			l.drain(out, w)
			l.last = shut(w)
			return
		}
	}
}

func (l *AccessLog) put(out *bufio.Writer, w io.Writer, line *[]byte) {
	_, err := out.Write(*line)
	l.forget(line)
	l.judge(out, w, err)
}

func (l *AccessLog) flush(out *bufio.Writer, w io.Writer) { l.judge(out, w, out.Flush()) }

// drain writes everything that is queued now.
func (l *AccessLog) drain(out *bufio.Writer, w io.Writer) {
	for {
		select {
		case line := <-l.queue:
			l.put(out, w, line)
		default:
			l.flush(out, w)
			return
		}
	}
}

// judge looks after an error of writing: the buffer is given up, for it would return the error for ever, and the first
// error of a row is logged.
func (l *AccessLog) judge(out *bufio.Writer, w io.Writer, err error) {
	switch {
	case err != nil:
		l.dropped.Add(1)
		out.Reset(w)
		if !l.failing {
			l.log.Error("the access log cannot be written; lines are dropped until it can", zap.Error(err))
		}
		l.failing = true
	case l.failing && out.Buffered() == 0:
		l.failing = false
		l.log.Info("the access log is written again")
	}
}

// renew opens the file again and closes the old one.
func (l *AccessLog) renew(old io.Writer) (io.Writer, error) {
	f, err := openLog(l.path)
	if err != nil {
		return old, err
	}
	return f, shut(old)
}

func shut(w io.Writer) error {
	if f, ok := w.(*os.File); ok && f != os.Stdout {
		if err := f.Close(); err != nil {
			return fmt.Errorf("closing the access log: %w", err)
		}
	}
	return nil
}

func (l *AccessLog) forget(line *[]byte) {
	l.waiting.Add(-int64(len(*line)))
	if cap(*line) <= logKeep {
		logBuffers.Put(line)
	}
}

// appendOutcome appends the line of an exchange. Every line has every field, so that a reader needs no cases.
func appendOutcome(b []byte, o *Outcome) []byte {
	b = append(b, `{"ts":"`...)
	b = o.Start.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = appendText(append(b, `","ray":`...), o.Ray)
	b = appendAddr(append(b, `,"client_ip":"`...), o.Client)
	b = appendAddr(append(b, `","peer_ip":"`...), o.Peer)
	b = append(append(append(b, `","scheme":"`...), schemeOf(o)...), '"')
	b = appendText(append(b, `,"method":`...), o.Method)
	b = appendText(append(b, `,"host":`...), o.Host)
	b = appendText(append(b, `,"path":`...), withoutQuery(o.Target))
	b = appendText(append(b, `,"user_agent":`...), o.Agent)
	b = appendText(append(b, `,"pop":`...), o.Place.PoP)
	b = appendText(append(b, `,"region":`...), o.Place.Region)
	b = appendText(append(b, `,"country":`...), o.Place.Country)
	b = strconv.AppendInt(append(b, `,"status":`...), int64(o.Status), 10)
	b = strconv.AppendInt(append(b, `,"bytes_in":`...), o.BytesIn, 10)
	b = strconv.AppendInt(append(b, `,"bytes_out":`...), o.BytesOut, 10)
	b = appendMillis(append(b, `,"duration_ms":`...), o.Duration)
	b = appendMillis(append(b, `,"connect_ms":`...), o.Connect)
	b = appendMillis(append(b, `,"first_byte_ms":`...), o.Wait)
	b = appendDecision(b, &o.Decision)
	b = append(append(append(b, `,"session":"`...), o.Session.String()...), '"')
	b = strconv.AppendInt(append(b, `,"tries":`...), int64(o.Tries), 10)
	b = appendText(append(b, `,"retried":`...), retriedText(o))
	b = strconv.AppendBool(append(b, `,"redialed":`...), o.Redialed)
	b = strconv.AppendBool(append(b, `,"upgraded":`...), o.Upgraded)
	b = append(append(append(b, `,"error_class":"`...), o.Class.String()...), '"')
	b = appendText(append(b, `,"cause":`...), o.Cause)
	// A number beyond 2^53 loses digits in many readers of JSON: the seed is a text that --seed takes.
	b = appendHex(append(b, `,"seed":"0x`...), o.Seed)
	b = strconv.AppendUint(append(b, `","revision":`...), o.Revision, 10)
	return append(b, "}\n"...)
}

func appendDecision(b []byte, d *balancer.Decision) []byte {
	var lb, pool, origin, policy string
	if d.LB != nil {
		lb = d.LB.Config.Name
	}
	if d.Pool != nil {
		pool, policy = d.Pool.Config.Name, d.Pool.Config.OriginSteering.Policy
	}
	if d.Origin != nil {
		origin = d.Origin.Config.Name
	}
	b = appendText(append(b, `,"lb":`...), lb)
	b = appendText(append(b, `,"pool":`...), pool)
	b = appendText(append(b, `,"origin":`...), origin)
	b = append(b, `,"origin_addr":`...)
	b = appendOriginAddr(b, d.Origin)
	b = appendText(append(b, `,"policy":`...), policy)
	b = append(b, `,"decision_reason":"`...)
	if decided(d) {
		b = append(b, d.Reason.String()...)
	}
	b = strconv.AppendBool(append(b, `","fallback":`...), d.Fallback)
	return strconv.AppendInt(append(b, `,"shed":`...), int64(d.Shed), 10)
}

// decided reports whether there was a decision at all: a request whose head is malformed is never decided about.
func decided(d *balancer.Decision) bool { return d.Reason != balancer.Yes }

// appendOriginAddr appends where the origin is configured to be, with its port when it has one.
func appendOriginAddr(b []byte, o *balancer.PoolOrigin) []byte {
	if o == nil {
		return append(b, `""`...)
	}
	c := o.Config
	if c.Port == 0 {
		return appendText(b, c.Address)
	}
	b = append(b, '"')
	if strings.Contains(c.Address, ":") {
		b = append(appendEscaped(append(b, '['), c.Address), ']')
	} else {
		b = appendEscaped(b, c.Address)
	}
	return append(strconv.AppendInt(append(b, ':'), int64(c.Port), 10), '"')
}

func schemeOf(o *Outcome) string {
	if o.Secure {
		return "https"
	}
	return "http"
}

// retriedText is how the first attempt failed, when there was a second.
func retriedText(o *Outcome) string {
	if o.Retried == balancer.OK {
		return ""
	}
	return o.Retried.String()
}

// withoutQuery is a target up to its query, which may hold what is nobody's business.
func withoutQuery(target []byte) []byte {
	for i, c := range target {
		if c == '?' {
			return target[:i]
		}
	}
	return target
}

func appendAddr(b []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return b
	}
	return a.AppendTo(b)
}

// appendMillis appends milliseconds with three places.
func appendMillis(b []byte, d time.Duration) []byte {
	us := max(d.Microseconds(), 0)
	b = strconv.AppendInt(b, us/1000, 10)
	rest := us % 1000
	return append(b, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
}

func appendHex(b []byte, x uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, hexDigits[x>>shift&15])
	}
	return b
}

func appendText[T string | []byte](b []byte, s T) []byte {
	return append(appendEscaped(append(b, '"'), s), '"')
}

// appendEscaped appends hostile bytes as the inside of a JSON string. Bytes that are no UTF-8 become U+FFFD; control
// characters, C1 ones and line separators included, are escaped, so that neither a terminal nor a reader of lines
// acts on them.
func appendEscaped[T string | []byte](b []byte, s T) []byte {
	plain := 0 // start of what needs no escaping and was not copied yet
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf && c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			b = append(b, s[plain:i]...)
			b = escapeASCII(b, c)
			i++
			plain = i
			continue
		}
		r, size := decodeRune(s, i)
		if wellBehaved(r, size) {
			i += size
			continue
		}
		b = append(b, s[plain:i]...)
		b = escapeRune(b, r)
		i += size
		plain = i
	}
	return append(b, s[plain:]...)
}

// wellBehaved reports whether a character beyond ASCII may stand as it is.
func wellBehaved(r rune, size int) bool {
	invalid := r == utf8.RuneError && size == 1
	return !invalid && r >= 0xa0 && r != 0x2028 && r != 0x2029
}

// decodeRune decodes the character at s[i] without turning bytes into a string.
func decodeRune[T string | []byte](s T, i int) (rune, int) {
	var room [utf8.UTFMax]byte
	n := copy(room[:], s[i:min(i+utf8.UTFMax, len(s))])
	return utf8.DecodeRune(room[:n])
}

func escapeASCII(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	return escapeRune(b, rune(c))
}

// escapeRune needs a character of the Basic Multilingual Plane; only these are ever escaped.
func escapeRune(b []byte, r rune) []byte {
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
