package admin

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/balancer/explain"
	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a snapshot of pools given as "pool: origin origin", all of them monitored from WEU, and the table it was
// made from. A mark behind an origin is what is believed of it: + up, - down, nothing: unknown.
func world(t *testing.T, revision uint64, pools ...string) (*balancer.Snapshot, *health.Table) {
	t.Helper()
	c := &config.Config{Monitors: []config.Monitor{{ID: "m", Type: "http", Header: []config.HeaderField{{Name: "Authorization", Values: []string{"hunter2"}}}}}}
	table := health.NewTable()
	for _, text := range pools {
		name, origins, _ := strings.Cut(text, ": ")
		p := config.Pool{
			ID: "id-" + name, Name: name, Enabled: true, MinimumOrigins: 1, Monitor: "m", CheckRegions: []string{"WEU"},
			OriginSteering: config.OriginSteering{Policy: "random"},
		}
		picture := &health.PoolHealth{Pool: p.ID, Monitored: true}
		for i, o := range strings.Fields(origins) {
			v := health.Verdict{Status: health.Unknown}
			switch {
			case strings.HasSuffix(o, "+"):
				v = health.Verdict{Status: health.Up, Reason: health.NoFailures, ResponseCode: 200, RTT: time.Millisecond, Checked: time.Unix(1, 0), Since: time.Unix(1, 0)}
			case strings.HasSuffix(o, "-"):
				v = health.Verdict{Status: health.Down, Reason: health.TCPTimeout}
			}
			p.Origins = append(p.Origins, config.Origin{Name: strings.Trim(o, "+-"), Address: "127.0.0.1", Port: 1000 + i, Enabled: true, Weight: 50})
			picture.Origins = append(picture.Origins, health.OriginHealth{Identity: p.Identity(i), Global: v, Places: map[string]health.Verdict{"WEU": v}})
		}
		table.Set(picture)
		c.Pools = append(c.Pools, p)
	}
	in := balancer.Inputs{Revision: revision, Config: c, Registry: balancer.NewRegistry(1), Health: table}
	return balancer.Build(nil, in, balancer.Changed{Config: true}), table
}

// testOptions are enough for a server on a free port.
func testOptions(t *testing.T) Options {
	t.Helper()
	s, table := world(t, 7, "eu: a+ b-")
	return Options{
		Config:    config.Admin{Address: "127.0.0.1:0"},
		Readiness: &Readiness{Checks: func() (bool, []string) { return true, nil }, Started: time.Now()},
		Snapshot:  func() *balancer.Snapshot { return s }, Table: table,
		Events:  func() []health.Event { return nil },
		Metrics: prometheus.NewRegistry(),
		Version: Version{Version: "v1.2.3"},
	}
}

// serveTest starts a server and answers its address.
func serveTest(t *testing.T, opt Options) string {
	t.Helper()
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	addr, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(t.Context()) }) // which has ended: what is open is cut off
	return addr.String()
}

// ask sends a request and answers status and body. Fields are "Name: value"; Host is set like any other.
func ask(t *testing.T, method, url string, fields ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // the test's own certificate
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

func TestWhoIsLetIn(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const right = "Authorization: Bearer s3cret"
	for _, c := range []struct {
		what   string
		token  bool // one is configured
		method string
		path   string
		fields []string
		want   int
	}{
		{"loopback needs no token", false, "GET", "/config", nil, 200},
		{"the right token", true, "GET", "/config", []string{right}, 200},
		{"bearer in any case", true, "GET", "/config", []string{"Authorization: bearer s3cret"}, 200},
		{"no token", true, "GET", "/config", nil, 401},
		{"a wrong token", true, "GET", "/config", []string{"Authorization: Bearer s3cre"}, 401},
		{"a longer token", true, "GET", "/config", []string{"Authorization: Bearer s3cretx"}, 401},
		{"an empty token", true, "GET", "/config", []string{"Authorization: Bearer "}, 401},
		{"another scheme", true, "GET", "/config", []string{"Authorization: Basic s3cret"}, 401},
		{"metrics need it too", true, "GET", "/metrics", nil, 401},
		{"explaining needs it", true, "GET", "/explain?client=192.0.2.1", nil, 401},
		{"explaining with it", true, "GET", "/explain?client=192.0.2.1", []string{right}, 200},
		{"explaining under a foreign name", false, "GET", "/explain", []string{"Host: evil.example"}, 403},
		{"explaining what is no question", false, "GET", "/explain?client=here", nil, 400},
		{"explaining by POST", false, "POST", "/explain", nil, 405},
		{"an order needs it", true, "POST", "/-/reload", nil, 401},
		{"health needs none", true, "GET", "/healthz", nil, 200},
		{"readiness needs none", true, "GET", "/readyz", nil, 200},
		{"health answers under every name", true, "GET", "/healthz", []string{"Host: weir.svc"}, 200},
		{"a name that was made to point here", false, "GET", "/config", []string{"Host: evil.example:8081"}, 403},
		{"an address that is not ours", false, "GET", "/config", []string{"Host: 192.0.2.1"}, 403},
		{"a foreign name with the right token", true, "POST", "/-/reload", []string{right, "Host: evil.example"}, 403},
		{"localhost", false, "GET", "/config", []string{"Host: localhost:8081"}, 200},
		{"loopback of the other family", false, "GET", "/config", []string{"Host: [::1]:8081"}, 200},
		{"a page elsewhere sends an order", false, "POST", "/-/reload", []string{"Origin: http://evil.example"}, 403},
		{"so with the right token", true, "POST", "/-/drain", []string{right, "Origin: http://evil.example"}, 403},
		{"a page of another port", false, "POST", "/-/reload", []string{"Host: localhost:8081", "Origin: http://localhost:9999"}, 403},
		{"a page without an origin", false, "POST", "/-/reload", []string{"Origin: null"}, 403},
		{"a page over TLS", false, "POST", "/-/reload", []string{"Host: localhost:8081", "Origin: https://localhost:8081"}, 403},
		{"our own page", false, "POST", "/-/reload", []string{"Host: localhost:8081", "Origin: http://localhost:8081"}, 200},
		{"no page at all", false, "POST", "/-/reload", nil, 200},
		{"an order by GET", false, "GET", "/-/reload", nil, 405},
		{"reading by POST", false, "POST", "/config", nil, 405},
		{"an unknown path", false, "GET", "/nowhere", nil, 404},
		{"the list", false, "GET", "/", nil, 200},
		{"profiles are off", false, "GET", "/debug/pprof/", nil, 404},
	} {
		t.Run(c.what, func(t *testing.T) {
			opt := testOptions(t)
			opt.Reload = func() (uint64, []config.Problem) { return 8, nil }
			opt.Drain = opt.Readiness.Drain
			if c.token {
				opt.Config.TokenFile = token
			}
			answer, body := ask(t, c.method, "http://"+serveTest(t, opt)+c.path, c.fields...)
			if answer.StatusCode != c.want {
				t.Errorf("%s %s: %d %s, want %d", c.method, c.path, answer.StatusCode, body, c.want)
			}
			if strings.Contains(body, "s3cret") {
				t.Errorf("the token is in the answer: %s", body)
			}
			if c.want == 401 && answer.Header.Get("WWW-Authenticate") == "" {
				t.Error("401 does not say what is wanted")
			}
			if c.want == 403 && opt.Readiness.Draining() {
				t.Error("a refused order was obeyed")
			}
		})
	}
}

func TestHostOfTheConfiguredAddress(t *testing.T) {
	s := &Server{opt: Options{Config: config.Admin{Address: "admin.internal:8081"}}}
	for host, want := range map[string]bool{
		"admin.internal:8081": true, "ADMIN.internal.": true, "10.1.2.3:8081": true, "10.1.2.4:8081": false,
		"": false, "other.internal": false, "127.9.9.9": true,
	} {
		arrived := &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 8081}
		r, err := http.NewRequestWithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, arrived), http.MethodGet, "/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		if got := s.knows(r); got != want {
			t.Errorf("Host %q: known %v, want %v", host, got, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		admin config.Admin
		says  string
	}{
		"beyond loopback without a token": {config.Admin{Address: "0.0.0.0:0"}, "has no token"},
		"every address without a token":   {config.Admin{Address: ":0"}, "has no token"},
		"an empty token":                  {config.Admin{Address: "127.0.0.1:0", TokenFile: empty}, "is empty"},
		"a token that is not there":       {config.Admin{Address: "127.0.0.1:0", TokenFile: dir + "/none"}, "token_file"},
		"no address":                      {config.Admin{Address: "8081"}, "8081"},
		"a certificate that is not there": {config.Admin{Address: "127.0.0.1:0", TLS: []config.Certificate{{Cert: "none.pem", Key: "none.key"}}}, "none.pem"},
	} {
		t.Run(what, func(t *testing.T) {
			opt := testOptions(t)
			opt.Config = c.admin
			if _, err := New(opt); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one that says %q", err, c.says)
			}
		})
	}
}

func TestAdminOverTLS(t *testing.T) {
	opt := testOptions(t)
	opt.Config.TLS = []config.Certificate{certificate(t)}
	answer, body := ask(t, "GET", "https://"+serveTest(t, opt)+"/healthz")
	if answer.StatusCode != 200 {
		t.Errorf("%d %s over TLS, want 200", answer.StatusCode, body)
	}
}

// certificate writes a certificate for 127.0.0.1 that nobody trusts.
func certificate(t *testing.T) config.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	cert, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return config.Certificate{Cert: write("a.pem", "CERTIFICATE", cert), Key: write("a.key", "PRIVATE KEY", private)}
}

// Readiness over time, behaviour H22 and O3.
func TestReadiness(t *testing.T) {
	start := time.Unix(1000, 0)
	waiting := []string{"eu/a from WEU"}
	for _, c := range []struct {
		what    string
		after   time.Duration
		checked bool
		drained bool
		want    bool
	}{
		{"no result yet", 0, false, false, false},
		{"every check has a result", time.Second, true, false, true},
		{"just before the limit", 15*time.Second - 1, false, false, false},
		{"15 seconds are enough", 15 * time.Second, false, false, true},
		{"draining", time.Minute, true, true, false},
		{"draining before it was ready", 0, false, true, false},
	} {
		r := &Readiness{Started: start, Checks: func() (bool, []string) {
			if c.checked {
				return true, nil
			}
			return false, waiting
		}}
		if c.drained {
			r.Drain()
		}
		got := r.At(start.Add(c.after))
		if got.Ready != c.want || got.Draining != c.drained || (len(got.WaitingFor) == 0) != c.checked {
			t.Errorf("%s: %+v, want ready %v", c.what, got, c.want)
		}
	}
}

// A reload brings checks without a result; that takes nothing out of service.
func TestReadinessOutlastsAReload(t *testing.T) {
	checked := true
	r := &Readiness{Started: time.Unix(0, 0), Checks: func() (bool, []string) { return checked, nil }}
	if !r.At(time.Unix(1, 0)).Ready {
		t.Fatal("not ready with every result there")
	}
	checked = false
	if !r.At(time.Unix(2, 0)).Ready {
		t.Error("new checks made it unready")
	}
}

func TestReadyzSays(t *testing.T) {
	opt := testOptions(t)
	opt.Readiness.Checks = func() (bool, []string) { return false, []string{"eu/a from WEU"} }
	opt.Drain = opt.Readiness.Drain
	addr := serveTest(t, opt)
	answer, body := ask(t, "GET", "http://"+addr+"/readyz")
	if want := `{"ready":false,"draining":false,"waiting_for":["eu/a from WEU"]}`; answer.StatusCode != 503 || compact(t, body) != want {
		t.Errorf("%d %s, want 503 %s", answer.StatusCode, body, want)
	}
	if answer, body := ask(t, "POST", "http://"+addr+"/-/drain"); answer.StatusCode != 202 {
		t.Errorf("drain: %d %s, want 202", answer.StatusCode, body)
	}
	if _, body := ask(t, "GET", "http://"+addr+"/readyz"); !strings.Contains(compact(t, body), `"draining":true`) {
		t.Errorf("%s, want draining", body)
	}
}

func compact(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return b.String()
}

func TestReloadAnswers(t *testing.T) {
	wrong := config.Problem{Severity: config.Error, Pos: config.Position{File: "a.json", Line: 2, Col: 3}, Pointer: "/origins", What: "no", Want: "yes"}
	for what, c := range map[string]struct {
		problems []config.Problem
		status   int
		body     string
	}{
		"good":     {nil, 200, `{"revision":8}`},
		"warnings": {[]config.Problem{{Severity: config.Warning}}, 200, `{"revision":8}`},
		"bad": {
			[]config.Problem{{Severity: config.Warning}, wrong},
			422,
			`{"errors":[{"file":"a.json","line":2,"col":3,"severity":"error","pointer":"/origins","what":"no","want":"yes"}]}`,
		},
	} {
		t.Run(what, func(t *testing.T) {
			opt := testOptions(t)
			opt.Reload = func() (uint64, []config.Problem) { return 8, c.problems }
			answer, body := ask(t, "POST", "http://"+serveTest(t, opt)+"/-/reload")
			if answer.StatusCode != c.status || compact(t, body) != c.body {
				t.Errorf("%d %s, want %d %s", answer.StatusCode, body, c.status, c.body)
			}
		})
	}
}

// /config is a document that can be read again, without secrets.
func TestConfigAnswers(t *testing.T) {
	answer, body := ask(t, "GET", "http://"+serveTest(t, testOptions(t))+"/config")
	if got := answer.Header.Get("Weir-Revision"); got != "7" {
		t.Errorf("revision %q, want 7", got)
	}
	if strings.Contains(body, "hunter2") || !strings.Contains(body, "REDACTED") {
		t.Errorf("a secret is shown: %s", body)
	}
	if !json.Valid([]byte(body)) || !strings.Contains(body, `"pools"`) {
		t.Errorf("no document: %s", body)
	}
}

func TestEventsAnswer(t *testing.T) {
	opt := testOptions(t)
	addr := serveTest(t, opt)
	if _, body := ask(t, "GET", "http://"+addr+"/events"); compact(t, body) != "[]" {
		t.Errorf("no events: %s, want []", body)
	}
	opt.Events = func() []health.Event {
		return []health.Event{{ID: 2, Reason: health.TCPTimeout, Region: "WEU", Pool: health.EventPool{Name: "eu", Changed: true}, Origins: []health.EventOrigin{}}, {ID: 1}}
	}
	_, body := ask(t, "GET", "http://"+serveTest(t, opt)+"/events")
	var list []struct {
		ID             int
		Reason, Region string
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list) != 2 || list[0].ID != 2 || list[0].Reason != "TCP Timeout" || list[0].Region != "WEU" {
		t.Errorf("%s (%v), want the events as given, with reason and region", body, err)
	}
}

func TestPoolsAnswer(t *testing.T) {
	opt := testOptions(t)
	s, table := world(t, 1, "eu: a+ b- c", "us: d-")
	opt.Snapshot, opt.Table = func() *balancer.Snapshot { return s }, table
	s.Pools()[0].Origins[0].Live.BeginRequest(0)
	s.Pools()[0].Origins[0].Live.OpenConnection(0)
	table.RTT("id-eu", "WEU").Store(1500 * time.Microsecond)
	table.RTT("id-eu", health.Everywhere).Store(2 * time.Millisecond)
	_, body := ask(t, "GET", "http://"+serveTest(t, opt)+"/pools")
	var pools []PoolView
	if err := json.Unmarshal([]byte(body), &pools); err != nil || len(pools) != 2 {
		t.Fatalf("%s: %v", body, err)
	}
	eu, us := pools[0], pools[1]
	if eu.State != "Degraded" || !eu.Serves || eu.Reason != "yes" || !eu.Monitored {
		t.Errorf("eu is %+v, want it degraded and serving", eu)
	}
	if us.State != "Critical" || us.Serves || us.Reason != "pool_critical" {
		t.Errorf("us is %+v, want it critical", us)
	}
	if eu.Outstanding != 1 || eu.Connections != 1 || !maps.Equal(eu.RTT, map[string]float64{"WEU": 1.5, "global": 2}) || len(us.RTT) != 0 {
		t.Errorf("eu counts %d and %d and is %v away, us %v", eu.Outstanding, eu.Connections, eu.RTT, us.RTT)
	}
	if eu.Origins[0].Share != 1 || eu.Origins[1].Share != 0 || us.Origins[0].Share != 1 {
		t.Errorf("shares %v, %v, and %v as the last resort", eu.Origins[0].Share, eu.Origins[1].Share, us.Origins[0].Share)
	}
	a := eu.Origins[0]
	if a.Outstanding != 1 || a.Connections != 1 || a.Weight != 0.5 || a.Health.Status != "up" || a.Health.RTT != "1ms" || a.Regions["WEU"].ResponseCode != 200 {
		t.Errorf("a is %+v", a)
	}
	var words []string
	for _, o := range eu.Origins {
		words = append(words, o.Health.Status+" "+o.Health.Reason)
	}
	if want := []string{"up No failures", "down TCP Timeout", "unknown "}; !slices.Equal(words, want) {
		t.Errorf("verdicts %q, want %q", words, want)
	}
}

// /explain answers what Direct decides, for the place and the client that the parameters say.
func TestExplainAnswers(t *testing.T) {
	opt := testOptions(t)
	c := *opt.Snapshot().Config
	c.LoadBalancers = []config.LoadBalancer{{ID: "lb", Name: "www.example.com", Enabled: true, DefaultPools: []string{"id-eu"}, SteeringPolicy: "off"}}
	in := balancer.Inputs{Revision: 7, Config: &c, Registry: balancer.NewRegistry(1), Health: opt.Table}
	s := balancer.Build(nil, in, balancer.Changed{Config: true})
	opt.Snapshot = func() *balancer.Snapshot { return s }
	opt.Countries = func(a netip.Addr) ([2]byte, bool) { return [2]byte{'J', 'P'}, a.String() == "192.0.2.9" }
	addr := serveTest(t, opt)
	_, body := ask(t, "GET", "http://"+addr+"/explain?client=192.0.2.9&pop=LAX&path=/a%3Fb=c")
	var report explain.Report
	if err := json.Unmarshal([]byte(body), &report); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	d := report.Attempts[0].Decision
	if report.Path != "/a" || report.Query != "b=c" || report.Place.PoP != "LAX" || report.Place.Country != "JP" || report.Revision != 7 || d.Origin.Name != "a" || len(report.Attempts) != 2 {
		t.Errorf("%s", body)
	}
	for _, p := range s.Pools() {
		if p.Load().Outstanding() != 0 {
			t.Errorf("explaining was counted at %s", p.Config.Name)
		}
	}
	for query, says := range map[string]string{"?client=x": "client is", "?x=1": "x is no parameter", "?path=%zz": "cannot be read", "?a;b": "cannot be read"} {
		if answer, body := ask(t, "GET", "http://"+addr+"/explain"+query); answer.StatusCode != 400 || !strings.Contains(body, says) {
			t.Errorf("%s: %d %s, want 400 with %q", query, answer.StatusCode, body, says)
		}
	}
}

func TestIndexListsEveryEndpoint(t *testing.T) {
	opt := testOptions(t)
	opt.Reload, opt.Drain, opt.Profiling = func() (uint64, []config.Problem) { return 1, nil }, func() {}, true
	addr := serveTest(t, opt)
	_, body := ask(t, "GET", "http://"+addr+"/")
	listed := 0
	for line := range strings.Lines(body) {
		method, path, found := strings.Cut(strings.TrimSpace(line), " ")
		path, _, _ = strings.Cut(strings.TrimSpace(path), " ")
		if !found || !strings.HasPrefix(path, "/") {
			continue
		}
		listed++
		if answer, body := ask(t, method, "http://"+addr+path); answer.StatusCode >= 400 {
			t.Errorf("%s %s is listed and answers %d %s", method, path, answer.StatusCode, body)
		}
	}
	if listed != 11 {
		t.Errorf("%d endpoints are listed, want 11:\n%s", listed, body)
	}
}

func TestCloseBeforeListen(t *testing.T) {
	s, err := New(testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	s.Close(t.Context())
	if _, err := s.Listen(); err == nil {
		t.Error("a closed server listens")
	}
}
