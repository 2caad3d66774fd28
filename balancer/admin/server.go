package admin

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/balancer/explain"
	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

// The patience with clients of the admin listener.
const (
	headerWait  = 5 * time.Second
	requestWait = 10 * time.Second
	answerWait  = 30 * time.Second
	idleWait    = 60 * time.Second
	maxHeader   = 16 << 10
	maxBody     = 4 << 10
)

// Options are what a Server shows and whom it asks. All fields but Countries, Log, Reload, Drain and Profiling are
// required.
type Options struct {
	Config    config.Admin
	Readiness *Readiness
	Snapshot  func() *balancer.Snapshot // the current one
	Table     *health.Table
	Events    func() []health.Event // newest first
	Metrics   prometheus.Gatherer
	Version   Version
	// Countries finds where clients are, as for requests. nil: nobody knows.
	Countries explain.Countries
	// Reload reads the configuration again and puts it in force; on errors nothing has changed. nil: there is none.
	Reload func() (revision uint64, errs []config.Problem)
	// Drain makes readiness fail. nil: there is none.
	Drain func()
	// Profiling serves /debug/pprof.
	Profiling bool
	Log       *zap.Logger
}

// Server is the admin listener.
type Server struct {
	opt   Options
	token *[sha256.Size]byte // of the token; nil: none is needed
	tls   *tls.Config
	http  *http.Server

	mu      sync.Mutex
	serving sync.WaitGroup
	closed  bool
}

// New reads the token and the certificates that the configuration names. It refuses an address that other machines can
// reach when there is no token.
func New(opt Options) (*Server, error) {
	if opt.Log == nil {
		opt.Log = zap.NewNop()
	}
	if err := opt.Config.Check(); err != nil {
		return nil, fmt.Errorf("%w; use a loopback address, or give it admin.token_file", err)
	}
	s := &Server{opt: opt}
	if err := s.readToken(); err != nil {
		return nil, err
	}
	if err := s.readCertificates(); err != nil {
		return nil, err
	}
	complaints, err := zap.NewStdLogAt(opt.Log, zap.WarnLevel)
	if err != nil {
		panic("BUG: the level is one of zap's: " + err.Error())
	}
	s.http = &http.Server{
		Handler:           s.gate(s.routes()),
		ReadHeaderTimeout: headerWait, ReadTimeout: requestWait, WriteTimeout: answerWait, IdleTimeout: idleWait,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       complaints,
	}
	return s, nil
}

// readToken keeps a digest only: digests compare in constant time, whatever the length of what was sent.
func (s *Server) readToken() error {
	file := s.opt.Config.TokenFile
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading admin.token_file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return fmt.Errorf("reading admin.token_file: %s is empty; put a long random text there", file)
	}
	digest := sha256.Sum256([]byte(token))
	s.token = &digest
	return nil
}

func (s *Server) readCertificates() error {
	if len(s.opt.Config.TLS) == 0 {
		return nil
	}
	s.tls = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	for _, c := range s.opt.Config.TLS {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return fmt.Errorf("reading certificate %s and key %s of the admin listener: %w", c.Cert, c.Key, err)
		}
		s.tls.Certificates = append(s.tls.Certificates, pair)
	}
	return nil
}

// Secure reports whether the listener speaks TLS.
func (s *Server) Secure() bool { return s.tls != nil }

// Listen serves the configured address and answers the address taken.
func (s *Server) Listen() (net.Addr, error) {
	listening := net.ListenConfig{}
	l, err := listening.Listen(context.Background(), "tcp", s.opt.Config.Address)
	if err != nil {
		return nil, fmt.Errorf("listening for the admin endpoints: %w", err)
	}
	addr := l.Addr()
	if s.tls != nil {
		l = tls.NewListener(l, s.tls)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = l.Close() // nobody has seen it yet
		return nil, errors.New("listening for the admin endpoints: the server is closed")
	}
	s.serving.Go(func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.opt.Log.Error("the admin listener has ended", zap.Error(err))
		}
	})
	return addr, nil
}

// Close lets answers under way finish for as long as ctx allows, and returns when nothing of the server runs any more.
func (s *Server) Close(ctx context.Context) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // cuts off what is left; its errors are those of connections that are gone
	}
	s.serving.Wait()
}
