package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirlb/weir/bench/origin"
	"github.com/weirlb/weir/config"
)

// TestChaos runs clients of all manners against origins that fail in all ways they can, while the configuration is
// replaced all the time. What must hold:
//
//   - An answer that is complete is the one that belongs to its request, byte for byte.
//   - A request that a client did not send whole is not executed; no request is executed twice unless that is safe.
//   - Clients of an origin that is well lose nothing.
//   - Origins see nothing malformed. Nobody hangs. At the end every counter is 0 and no goroutine is left.
func TestChaos(t *testing.T) {
	span := 2 * time.Second
	if testing.Short() {
		span = 700 * time.Millisecond
	}
	t.Run("plain", func(t *testing.T) { runChaos(t, span, 1, nil) })
	t.Run("TLS", func(t *testing.T) { runChaos(t, span, 2, newCA(t)) })
}

type chaos struct {
	*world
	ca      *origin.CA
	until   time.Time
	ids     atomic.Int64
	perfect atomic.Int64 // answers of 200 that were complete

	mu   sync.Mutex
	cut  []string        // ids of requests that were not sent whole
	once map[string]bool // ids that may be executed once only
}

const (
	calmHost = "calm.example.com"
	wildHost = "wild.example.com"
)

func runChaos(t *testing.T, span time.Duration, seed uint64, ca *origin.CA) {
	c := newChaos(t, span, ca)
	var crowd, trouble sync.WaitGroup
	for n := range uint64(12) {
		crowd.Go(func() { c.client(rand.New(rand.NewPCG(seed, n)), n%4 == 0) })
	}
	trouble.Go(func() { c.reloads(rand.New(rand.NewPCG(seed, 100))) })
	trouble.Go(func() { c.outages(rand.New(rand.NewPCG(seed, 101))) })
	crowd.Wait()
	trouble.Wait()
	c.verdict()
}

func newChaos(t *testing.T, span time.Duration, ca *origin.CA) *chaos {
	t.Helper()
	opt := origin.Options{Handler: chaosAction}
	changes := []change{chaosConfig}
	if ca != nil {
		opt.TLS = must(t)(ca.Server(calmHost, wildHost))
		changes = append(changes, secureListener(t, ca), secureOrigins(caFile(t, ca)))
	}
	var origins []*origin.Origin
	for range 5 {
		origins = append(origins, startOrigin(t, opt))
	}
	c := &chaos{ca: ca, once: map[string]bool{}}
	c.world = newWorld(t, origins, changes...)
	c.until = time.Now().Add(span)
	return c
}

// chaosConfig gives the first origin a pool and a load balancer of its own, the calm ones.
func chaosConfig(c *config.Config, _ *Options) {
	all := c.Pools[0]
	calm := all
	calm.ID, calm.Name, calm.Origins = "calm", "calm", all.Origins[:1:1]
	c.Pools[0].Origins = all.Origins[1:]
	c.Pools = append(c.Pools, calm)
	c.LoadBalancers = []config.LoadBalancer{
		{ID: "lb-wild", Name: wildHost, Enabled: true, DefaultPools: []string{all.ID}, FallbackPool: all.ID},
		{ID: "lb-calm", Name: calmHost, Enabled: true, DefaultPools: []string{"calm"}, FallbackPool: "calm"},
	}
	for i := range c.LoadBalancers { // every answer carries a cookie, and nobody sends it back
		l := &c.LoadBalancers[i]
		l.SessionAffinity, l.SessionAffinityTTL = "cookie", time.Hour
	}
	c.Weir.Limits.OriginIdle = 8
	c.Weir.Timeouts.OriginIdle = 50 * time.Millisecond
}

// reloads replaces the configuration again and again.
func (c *chaos) reloads(r *rand.Rand) {
	for n := 0; time.Now().Before(c.until); n++ {
		conf := *c.conf
		conf.Pools = slices.Clone(conf.Pools)
		for i := range conf.Pools {
			p := &conf.Pools[i]
			p.Origins = slices.Clone(p.Origins)
			if p.ID == "calm" {
				p.Origins[0].Weight = config.Weight(1 + r.IntN(100))
				continue
			}
			for j := range p.Origins {
				p.Origins[j].Weight, p.Origins[j].Enabled = config.Weight(r.IntN(101)), r.IntN(4) > 0
			}
			p.Origins = p.Origins[r.IntN(2):]
			p.OriginSteering.Policy = []string{"random", "hash", "least_outstanding_requests", "least_connections"}[r.IntN(4)]
		}
		c.writer.SetConfig(&conf)
		c.srv.Keep(c.writer.Current())
		if n%4 == 0 {
			conf.Weir.Limits.OriginIdle = r.IntN(16)
			if err := c.srv.Apply(&conf.Weir); err != nil {
				c.t.Error(err)
			}
		}
		time.Sleep(time.Duration(r.IntN(10)) * time.Millisecond)
	}
}

// outages makes origins other than the first one go and come.
func (c *chaos) outages(r *rand.Rand) {
	for time.Now().Before(c.until) {
		o := c.origins[1+r.IntN(len(c.origins)-1)]
		switch r.IntN(6) {
		case 0:
			o.Kill()
			time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond)
			if err := o.Restart(); err != nil {
				c.t.Error(err)
			}
		case 1:
			o.UseAccept([]origin.Accept{origin.AcceptClose, origin.AcceptReset}[r.IntN(2)])
			time.Sleep(time.Duration(r.IntN(10)) * time.Millisecond)
			o.UseAccept(origin.AcceptServe)
		default:
			o.CloseIdle()
			time.Sleep(time.Duration(r.IntN(10)) * time.Millisecond)
		}
	}
}

// What origins do, by the first element of the path: /mode/size/offset. The calm ones come first.
var chaosModes = []string{
	"length", "chunked", "interim", "drip", "delay", "echo", "close", // all of these end well
	"early", "ignore", "old", "cut", "reset", "stall", "silent", "quit", "slam", "long", "short", "extra", "garbage", "huge", "flood", "upgrade",
}

const calmModes = 7 // early answers end some clients' connections, rightly; an HTTP/1.0 origin may keep no promise

func chaosAction(r *origin.Request) origin.Action {
	id := r.Fields.Get(origin.IDField)
	parts := append(strings.Split(r.Path, "/"), "0", "0", "0")
	size, _ := strconv.Atoi(parts[2])
	offset, _ := strconv.ParseInt(parts[3], 10, 64)
	body := chaosBody(id, size)
	answer := origin.Answer(200, nil, body)
	switch parts[1] {
	case "chunked":
		answer = origin.Chunked(nil, origin.F("X-End", id), body[:size/3], body[size/3:])
	case "interim":
		answer = origin.Interim(103, origin.F("Link", "</a>"), answer)
	case "drip":
		answer = origin.Drip(40+size/5, time.Millisecond, origin.Chunked(nil, nil, body[:size/2], body[size/2:]))
	case "delay":
		answer = origin.Delay(5*time.Millisecond, answer)
	case "old":
		answer = origin.HTTP10(answer)
	case "echo":
		return origin.Echo(nil)
	case "close":
		answer = origin.UntilClose(200, nil, body)
	case "early":
		return answer
	case "ignore":
		return origin.IgnoreBody(origin.Answer(200, origin.F("Connection", "close"), body))
	case "cut":
		answer = origin.CloseAfter(offset, answer)
	case "reset":
		answer = origin.ResetAfter(offset, origin.Chunked(nil, nil, body))
	case "stall":
		answer = origin.StallAfter(offset, answer)
	case "silent":
		answer = origin.Silent()
	case "quit":
		answer = origin.Close()
	case "slam":
		return origin.Reset()
	case "long":
		answer = origin.WrongLength(size+5, body)
	case "short":
		answer = origin.WrongLength(size/2, body)
	case "extra":
		answer = origin.Raw(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s%s", size, body, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"))
	case "garbage":
		answer = origin.Garbage()
	case "huge":
		answer = origin.HugeHeader(50 << 10)
	case "flood":
		for range 70 {
			answer = origin.Interim(102, nil, answer)
		}
	case "upgrade":
		return origin.Upgrade(nil)
	}
	return origin.AfterBody(answer)
}

// chaosBody says whose it is at every offset.
func chaosBody(id string, size int) string {
	return strings.Repeat(id+".", size/(len(id)+1)+1)[:size]
}

// chaosRequest is one request and what its answer must be.
type chaosRequest struct {
	id, method, mode string
	text             string // the whole message
	want             string // the body of a complete answer of 200
	body             bool
}

func (q *chaosRequest) safe() bool {
	return !q.body && (q.method == "GET" || q.method == "HEAD" || q.method == "OPTIONS")
}

func (c *chaos) request(r *rand.Rand, calm bool) *chaosRequest {
	q := &chaosRequest{id: fmt.Sprintf("id%d", c.ids.Add(1)), method: "GET"}
	host, modes, old := wildHost, chaosModes, r.IntN(10) == 0
	if calm {
		host, modes, old = calmHost, chaosModes[:calmModes], false
	}
	q.mode = modes[r.IntN(len(modes))]
	small := q.mode == "short" || q.mode == "extra" // so that what follows the answer comes with it
	if r.IntN(2) == 0 {
		q.method = []string{"POST", "PUT", "DELETE", "HEAD", "OPTIONS"}[r.IntN(5)]
	}
	size := []int{0, 1, 100, 5_000, 40_000, 300_000}[r.IntN(6)]
	if small {
		size %= 4096
	}
	offset := r.IntN(size + 100)
	if q.mode == "stall" {
		offset = r.IntN(30) // inside the head: one that stalls behind its answer holds up the next client, rightly
	}
	version := "HTTP/1.1"
	if old {
		version = "HTTP/1.0"
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s /%s/%d/%d %s\r\nHost: %s\r\n%s: %s\r\n", q.method, q.mode, size, offset, version, host, origin.IDField, q.id)
	if old && r.IntN(2) == 0 {
		text.WriteString("Connection: keep-alive\r\n")
	}
	if q.mode == "upgrade" {
		text.WriteString("Connection: Upgrade\r\nUpgrade: echo/1\r\n")
	}
	up := ""
	if q.method != "HEAD" && q.mode != "upgrade" && r.IntN(2) == 0 {
		up = chaosBody("up-"+q.id, []int{1, 10, 3_000, 30_000, 400_000}[r.IntN(5)])
	}
	q.body = up != ""
	if up != "" && !old && q.mode != "echo" && r.IntN(8) == 0 { // an echo answers before it reads
		text.WriteString("Expect: 100-continue\r\n") // and does not wait for it
	}
	writeChaosBody(&text, r, up, old)
	q.text = text.String()
	q.want = chaosBody(q.id, size)
	switch {
	case q.method == "HEAD":
		q.want = ""
	case q.mode == "echo":
		q.want = up
	case q.mode == "short":
		q.want = q.want[:size/2]
	}
	return q
}

// writeChaosBody ends the head and adds the body, with a length or in chunks.
func writeChaosBody(text *strings.Builder, r *rand.Rand, up string, old bool) {
	switch {
	case up == "":
		text.WriteString("\r\n")
		return
	case old || r.IntN(2) == 0:
		fmt.Fprintf(text, "Content-Length: %d\r\n\r\n%s", len(up), up)
		return
	}
	text.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	for up != "" {
		n := 1 + r.IntN(len(up))
		fmt.Fprintf(text, "%x\r\n%s\r\n", n, up[:n])
		up = up[n:]
	}
	text.WriteString("0\r\n\r\n")
}

// client asks over one connection after another. A calm client is a good one, and its origin is well.
func (c *chaos) client(r *rand.Rand, calm bool) {
	for time.Now().Before(c.until) && !c.t.Failed() {
		conn, err := c.dial()
		if err != nil {
			c.t.Errorf("connecting: %v", err)
			return
		}
		c.talk(conn, r, calm)
		_ = conn.Close()
	}
}

func (c *chaos) dial() (net.Conn, error) {
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(3 * patience))
	if c.ca == nil {
		return conn, nil
	}
	return tls.Client(conn, &tls.Config{RootCAs: c.ca.Pool(), ServerName: "example.com", MinVersion: tls.VersionTLS12}), nil
}

// talk sends batches of pipelined requests until the connection is over or the client has had enough.
func (c *chaos) talk(conn net.Conn, r *rand.Rand, calm bool) {
	in := bufio.NewReader(conn)
	for range 1 + r.IntN(8) {
		batch := make([]*chaosRequest, 1+r.IntN(3))
		for i := range batch {
			batch[i] = c.request(r, calm)
		}
		leave := -1 // at this offset of the message
		text := c.enter(batch)
		if !calm && r.IntN(8) == 0 {
			leave = r.IntN(len(text))
		}
		if !c.exchange(conn, in, r, batch, text, leave, calm) {
			return
		}
	}
}

// enter notes which requests must not be executed twice, and joins the batch.
func (c *chaos) enter(batch []*chaosRequest) (text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range batch {
		text += q.text
		if !q.safe() {
			c.once[q.id] = true
		}
	}
	return text
}

// exchange sends the batch and reads its answers; it reports whether the connection can go on.
func (c *chaos) exchange(conn net.Conn, in *bufio.Reader, r *rand.Rand, batch []*chaosRequest, text string, leave int, calm bool) bool {
	out, pieces := &sending{done: make(chan struct{})}, rand.New(rand.NewPCG(r.Uint64(), 0))
	if leave >= 0 {
		text = text[:leave]
	}
	go func() {
		defer close(out.done)
		out.sent, out.err = sendInPieces(conn, text, pieces)
	}()
	if leave >= 0 {
		<-out.done
		c.noteCut(batch, out.sent)
		part(conn, text, r)
		return false
	}
	whole := true
	for _, q := range batch {
		if whole = c.answer(conn, in, r, q, out, calm); !whole {
			break
		}
	}
	if !whole {
		part(conn, text, r)
	}
	<-out.done
	c.noteCut(batch, out.sent)
	return whole
}

// sending is a batch on its way. sent and err are good after done.
type sending struct {
	done chan struct{}
	sent int
	err  error
}

// tookTheError reports that sending failed. A socket tells of a reset once: when a write is told, reads end as if the
// other side had closed in order.
func (s *sending) tookTheError(conn net.Conn) bool {
	_ = conn.Close() // so that it ends
	<-s.done
	return s.err != nil && !errors.Is(s.err, net.ErrClosed)
}

// sendInPieces returns how much went out.
func sendInPieces(conn net.Conn, text string, r *rand.Rand) (sent int, err error) {
	for sent < len(text) {
		n := min(len(text)-sent, 1+r.IntN(1<<r.IntN(18)))
		m, err := io.WriteString(conn, text[sent:sent+n])
		sent += m
		if err != nil {
			return sent, err
		}
		if r.IntN(20) == 0 {
			time.Sleep(time.Duration(r.IntN(2000)) * time.Microsecond)
		}
	}
	return sent, nil
}

// noteCut notes the requests of a batch that did not go out whole.
func (c *chaos) noteCut(batch []*chaosRequest, sent int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range batch {
		if sent -= len(q.text); sent < 0 {
			c.cut = append(c.cut, q.id)
		}
	}
}

// part closes the connection, in order or not. Behind a long message nobody would see an orderly end: it waits, with the
// message, until the server reads on.
func part(conn net.Conn, text string, r *rand.Rand) {
	if len(text) < 20_000 && r.IntN(2) == 0 {
		_ = conn.Close()
		return
	}
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// answer reads and judges one answer and reports whether another may follow.
func (c *chaos) answer(conn net.Conn, in *bufio.Reader, r *rand.Rand, q *chaosRequest, out *sending, calm bool) bool {
	if q.mode == "silent" || q.mode == "stall" {
		time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond)
		return false // enough
	}
	res, err := finalAnswer(in, q.method)
	if err != nil {
		return c.broken(q, err, calm)
	}
	if res.StatusCode == 101 {
		return c.upgraded(conn, in, q)
	}
	body, err := c.readBody(res.Body, r, calm)
	if err != nil {
		return c.broken(q, err, calm)
	}
	if res.StatusCode == 426 && q.mode == "upgrade" { // the upgrade of an HTTP/1.0 request is not one
		return !res.Close
	}
	if res.StatusCode != 200 {
		if calm || !strings.HasPrefix(string(body), "error code: ") && q.method != "HEAD" {
			c.t.Errorf("%s %s %s: got %d %.200q, %v", q.id, q.method, q.mode, res.StatusCode, body, res.Header)
		}
		return !res.Close
	}
	c.perfect.Add(1)
	untilClose := res.ContentLength < 0 && len(res.TransferEncoding) == 0
	if untilClose && strings.HasPrefix(q.want, string(body)) && len(body) < len(q.want) && out.tookTheError(conn) {
		return false
	}
	if string(body) != q.want {
		c.t.Errorf("%s %s %s: a complete answer of %d bytes %.100q, want %d bytes %.100q", q.id, q.method, q.mode, len(body), body, len(q.want), q.want)
		return false
	}
	return !res.Close
}

func finalAnswer(in *bufio.Reader, method string) (*http.Response, error) {
	for {
		res, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil || res.StatusCode >= 200 || res.StatusCode == 101 {
			return res, err
		}
	}
}

var errEnough = errors.New("the client has read enough")

// readBody reads in pieces; a client that is not calm may do it slowly, or stop.
func (c *chaos) readBody(from io.Reader, r *rand.Rand, calm bool) ([]byte, error) {
	if calm || r.IntN(4) > 0 {
		return io.ReadAll(from)
	}
	var body bytes.Buffer
	for {
		_, err := io.CopyN(&body, from, 1+int64(r.IntN(50_000)))
		switch {
		case err == io.EOF:
			return body.Bytes(), nil
		case err != nil:
			return nil, err
		case r.IntN(10) == 0:
			return nil, errEnough
		}
		time.Sleep(time.Duration(r.IntN(1000)) * time.Microsecond)
	}
}

// broken judges an answer that did not come, or not whole.
func (c *chaos) broken(q *chaosRequest, err error, calm bool) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Errorf("%s %s %s: nothing more for long", q.id, q.method, q.mode)
	}
	if calm {
		c.t.Errorf("%s %s %s, a calm request, broke: %v", q.id, q.method, q.mode, err)
	}
	return false
}

// upgraded speaks through the tunnel; pipelined requests behind the upgrade are echoed too, so this is the end.
func (c *chaos) upgraded(conn net.Conn, in *bufio.Reader, q *chaosRequest) bool {
	go func() { _, _ = io.WriteString(conn, "through the tunnel "+q.id) }()
	var seen []byte
	b := make([]byte, 4096)
	for !bytes.HasSuffix(seen, []byte(q.id)) {
		n, err := in.Read(b)
		seen = append(seen, b[:n]...)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.t.Errorf("%s: the tunnel echoed %d bytes and no more", q.id, len(seen))
		}
		if err != nil {
			break
		}
	}
	return false
}

// verdict stops the server and looks at what the origins saw.
func (c *chaos) verdict() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.srv.Shutdown(ctx); err != nil {
		c.t.Errorf("stopping the server: %v", err)
	}
	executed := map[string]int{}
	for i, o := range c.origins {
		for id, n := range o.ExecutedIDs() {
			executed[id] += n
		}
		if s := o.Stats(); s.Malformed > 0 {
			c.t.Errorf("origin %d saw %d malformed requests", i, s.Malformed)
		}
	}
	for id, n := range executed {
		if n > 1 && c.once[id] {
			c.t.Errorf("%s was executed %d times", id, n)
		}
	}
	for _, id := range c.cut {
		if executed[id] > 0 {
			c.t.Errorf("%s was executed, and had not been sent whole", id)
		}
	}
	if err := c.registry.Quiet(); err != nil {
		c.t.Error(err)
	}
	if n := c.srv.Panics.Load(); n > 0 {
		c.t.Errorf("%d panics", n)
	}
	if c.perfect.Load() < 30 {
		c.t.Errorf("only %d complete answers: the test says nothing", c.perfect.Load())
	}
	c.t.Logf("%d requests, %d complete answers, %d cut", c.ids.Load(), c.perfect.Load(), len(c.cut))
}
