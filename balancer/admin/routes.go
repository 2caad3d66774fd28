package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/pprof"
	"net/url"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/weirlb/weir/balancer/explain"
	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

// Version says what is running.
type Version struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Go       string `json:"go"`
	FastHTTP string `json:"fasthttp"`
}

// route is an endpoint, with what is said of it at /.
type route struct {
	method, path, about string
	serve               http.HandlerFunc
}

// routes is every endpoint there is.
func (s *Server) routes() http.Handler {
	list := []route{
		{http.MethodGet, "/healthz", "200 while the process lives; needs no token", s.healthz},
		{http.MethodGet, "/readyz", "whether to send traffic: 200 or 503; needs no token", s.readyz},
		{http.MethodGet, "/metrics", "Prometheus metrics", s.metrics()},
		{http.MethodGet, "/pools", "pools and origins as they stand now", s.pools},
		{http.MethodGet, "/explain", "how a request is decided: ?client=…&host=…&path=…", s.explain},
		{http.MethodGet, "/events", "health events, newest first", s.events},
		{http.MethodGet, "/config", "the effective configuration, secrets redacted", s.config},
		{http.MethodGet, "/version", "what is running", s.version},
	}
	if s.opt.Reload != nil {
		list = append(list, route{http.MethodPost, "/-/reload", "read the configuration again: 200, or 422 with the errors", s.reload})
	}
	if s.opt.Drain != nil {
		list = append(list, route{http.MethodPost, "/-/drain", "make /readyz fail and go on serving", s.drain})
	}
	if s.opt.Profiling {
		list = append(list, route{http.MethodGet, "/debug/pprof/", "profiles", pprof.Index})
	}
	mux := http.NewServeMux()
	for _, r := range list {
		mux.HandleFunc(r.method+" "+r.path, r.serve)
	}
	if s.opt.Profiling {
		profiling(mux)
	}
	mux.HandleFunc("GET /{$}", s.index(list))
	return mux
}

// profiling adds those profiles that the index does not serve itself.
func profiling(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}

func (s *Server) index(list []route) http.HandlerFunc {
	text := fmt.Sprintf("weir %s\n\n", s.opt.Version.Version)
	for _, r := range list {
		text += fmt.Sprintf("%-4s %-14s %s\n", r.method, r.path, r.about)
	}
	return func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, text) }
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") }

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	now := s.opt.Readiness.At(time.Now())
	if !now.Ready {
		answer(w, http.StatusServiceUnavailable, now)
		return
	}
	answer(w, http.StatusOK, now)
}

func (s *Server) metrics() http.HandlerFunc {
	return promhttp.HandlerFor(s.opt.Metrics, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}).ServeHTTP
}

func (s *Server) pools(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, Pools(s.opt.Snapshot(), s.opt.Table))
}

// explain decides a request that nobody sent. It changes nothing, so a GET does it.
func (s *Server) explain(w http.ResponseWriter, r *http.Request) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		refuse(w, http.StatusBadRequest, "the query of the URL cannot be read: "+err.Error())
		return
	}
	question, err := explain.ParseQuestion(values)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	answer(w, http.StatusOK, question.Ask(s.opt.Snapshot(), s.opt.Countries, time.Now()))
}

func (s *Server) events(w http.ResponseWriter, _ *http.Request) {
	list := s.opt.Events()
	if list == nil {
		list = []health.Event{}
	}
	answer(w, http.StatusOK, list)
}

// config answers a document that weir reads again as it stands, but for the secrets; so the revision is in the header.
func (s *Server) config(w http.ResponseWriter, _ *http.Request) {
	now := s.opt.Snapshot()
	w.Header().Set("Weir-Revision", formatRevision(now.Revision))
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(now.Config.JSON(true)) // a client that went away has nobody to tell
}

func (s *Server) version(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, s.opt.Version)
}

func (s *Server) reload(w http.ResponseWriter, _ *http.Request) {
	revision, problems := s.opt.Reload()
	errs := slices.DeleteFunc(slices.Clone(problems), func(p config.Problem) bool { return p.Severity != config.Error })
	if len(errs) > 0 {
		answer(w, http.StatusUnprocessableEntity, map[string][]config.Problem{"errors": errs})
		return
	}
	answer(w, http.StatusOK, map[string]uint64{"revision": revision})
}

func (s *Server) drain(w http.ResponseWriter, _ *http.Request) {
	s.opt.Drain()
	answer(w, http.StatusAccepted, map[string]bool{"draining": true})
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // a client that went away has nobody to tell
}

// answer writes v, which must be of a kind that JSON always can.
func answer(w http.ResponseWriter, status int, v any) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic("BUG: an answer of the admin listener is no JSON: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // a client that went away has nobody to tell
}
