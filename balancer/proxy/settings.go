package proxy

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"slices"

	"github.com/weirlb/weir/balancer/geoip"
	"github.com/weirlb/weir/balancer/proxy/wire"
	"github.com/weirlb/weir/config"
)

// settings is what the proxy takes from a configuration, ready to use. It is a value: a reload replaces it whole, and
// an exchange keeps the one it began with.
type settings struct {
	timeouts timeouts
	limits   config.Limits
	wire     wire.Limits
	scheme   string      // of origins: client, http, https
	originIO *tls.Config // the same one as long as its settings are
	// countries tells where clients are that nobody has said it of; nil without a database.
	countries *geoip.Database
}

// timeouts are config.Timeouts in nanoseconds, as deadlines are.
type timeouts struct {
	connect, firstByte, originWrite, originGap, originIdle       int64
	clientHeader, clientGap, clientWrite, clientIdle, tunnelIdle int64
}

func newSettings(w *config.Weir) (*settings, error) {
	s := &settings{limits: w.Limits, scheme: w.Origins.Scheme}
	l := &w.Limits
	s.wire = wire.Limits{URI: l.URI, Field: l.HeaderField, Header: l.Header, Fields: l.HeaderFields}
	t := &w.Timeouts
	s.timeouts = timeouts{
		connect: int64(t.Connect), firstByte: int64(t.FirstByte), originWrite: int64(t.OriginWrite),
		originGap: int64(t.OriginGap), originIdle: int64(t.OriginIdle),
		clientHeader: int64(t.ClientHeader), clientGap: int64(t.ClientGap), clientWrite: int64(t.ClientWrite),
		clientIdle: int64(t.ClientKeepAlive), tunnelIdle: int64(t.TunnelIdle),
	}
	var err error
	if s.originIO, err = originTLS(&w.Origins); err != nil {
		return nil, err
	}
	if w.GeoIP.Database != "" {
		s.countries, err = geoip.Open(w.GeoIP.Database)
	}
	return s, err
}

// originTLS is how TLS is spoken to origins; the server name is added per connection.
func originTLS(o *config.Origins) (*tls.Config, error) {
	c := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		NextProtos:         []string{"http/1.1"},
		ClientSessionCache: tls.NewLRUClientSessionCache(0),
		InsecureSkipVerify: o.Verify != nil && !*o.Verify, //nolint:gosec // asked for by name in the configuration
	}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading origins.ca_file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading origins.ca_file: %s holds no PEM certificate", o.CAFile)
		}
	}
	if o.ClientCert != "" {
		cert, err := tls.LoadX509KeyPair(o.ClientCert, o.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("reading origins.client_cert: %w", err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}

// keepTrust keeps how TLS was spoken to origins until now if nothing of it has changed. What changed is another one:
// no request goes over a connection that was made under it.
func (s *settings) keepTrust(before *settings) {
	if before != nil && sameTrust(before.originIO, s.originIO) {
		s.originIO = before.originIO
	}
}

func sameTrust(a, b *tls.Config) bool {
	return a.InsecureSkipVerify == b.InsecureSkipVerify && a.RootCAs.Equal(b.RootCAs) &&
		slices.EqualFunc(a.Certificates, b.Certificates, func(a, b tls.Certificate) bool {
			return slices.EqualFunc(a.Certificate, b.Certificate, bytes.Equal)
		})
}

// after is the deadline d from now; none for no time.
func after(d int64) int64 {
	if d <= 0 {
		return 0
	}
	return mono() + d
}

func loadCertificates(files []config.Certificate) ([]tls.Certificate, error) {
	var out []tls.Certificate
	for _, f := range files {
		c, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			return nil, fmt.Errorf("reading certificate %s and key %s: %w", f.Cert, f.Key, err)
		}
		out = append(out, c)
	}
	return out, nil
}
