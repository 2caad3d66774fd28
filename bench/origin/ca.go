package origin

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// CA is a certificate authority of its own, made for one test or one demo; its key never leaves the process.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCA makes an authority.
func NewCA() (*CA, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	template := template("Weir bench authority", nil, time.Now().Add(24*time.Hour))
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	cert, err := sign(template, template, key, key)
	if err != nil {
		return nil, err
	}
	return &CA{cert: cert, key: key}, nil
}

// Pool holds the authority, for who is to trust it.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

// PEM is the authority's certificate, as a file for ca_file holds it.
func (ca *CA) PEM() []byte { return certPEM(ca.cert.Raw) }

// Server is what a server with a good certificate for these host names and addresses uses. A server with the wrong name
// is Server("wrong.invalid").
func (ca *CA) Server(names ...string) (*tls.Config, error) {
	return ca.server(names, time.Now().Add(24*time.Hour))
}

// Expired is Server with a certificate that ended an hour ago.
func (ca *CA) Expired(names ...string) (*tls.Config, error) {
	return ca.server(names, time.Now().Add(-time.Hour))
}

// Untrusted is Server with a certificate by an authority that nobody knows.
func (*CA) Untrusted(names ...string) (*tls.Config, error) {
	stranger, err := NewCA()
	if err != nil {
		return nil, err
	}
	return stranger.Server(names...)
}

// ServerAskingClients is Server for clients that show a certificate by this authority; see Client.
func (ca *CA) ServerAskingClients(names ...string) (*tls.Config, error) {
	config, err := ca.Server(names...)
	if err != nil {
		return nil, err
	}
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, ca.Pool()
	return config, nil
}

// Client is a certificate for a client.
func (ca *CA) Client(name string) (tls.Certificate, error) {
	return ca.issue([]string{name}, time.Now().Add(24*time.Hour))
}

// WriteFiles writes a good certificate and its key as PEM into a folder and returns the two paths, as a TLS listener's
// configuration wants them.
func (ca *CA) WriteFiles(folder string, names ...string) (certFile, keyFile string, err error) {
	cert, err := ca.issue(names, time.Now().Add(24*time.Hour))
	if err != nil {
		return "", "", err
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return "", "", fmt.Errorf("encode a key: %w", err)
	}
	certFile, keyFile = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	if err := os.WriteFile(certFile, certPEM(cert.Certificate[0]), 0o600); err != nil {
		return "", "", fmt.Errorf("write a certificate: %w", err)
	}
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	if err := os.WriteFile(keyFile, keyPEM, 0o600); err != nil {
		return "", "", fmt.Errorf("write a key: %w", err)
	}
	return certFile, keyFile, nil
}

func (ca *CA) server(names []string, until time.Time) (*tls.Config, error) {
	cert, err := ca.issue(names, until)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{cert},
		NextProtos:   []string{"http/1.1"},
		MinVersion:   tls.VersionTLS12,
	}, nil
}

func (ca *CA) issue(names []string, until time.Time) (tls.Certificate, error) {
	key, err := newKey()
	if err != nil {
		return tls.Certificate{}, err
	}
	cert, err := sign(template("Weir bench", names, until), ca.cert, key, ca.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}, nil
}

func template(subject string, names []string, until time.Time) *x509.Certificate {
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: subject},
		NotBefore:    until.Add(-48 * time.Hour),
		NotAfter:     until,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			cert.IPAddresses = append(cert.IPAddresses, ip)
		} else {
			cert.DNSNames = append(cert.DNSNames, name)
		}
	}
	return cert
}

func sign(template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read back a certificate: %w", err)
	}
	return cert, nil
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return key, nil
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
