package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/balancer/admin"
	"github.com/weirlb/weir/balancer/notify"
	"github.com/weirlb/weir/balancer/proxy"
	"github.com/weirlb/weir/balancer/resolve"
	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

// manyOrigins is how many origins have metrics of their own without --metrics-per-origin.
const manyOrigins = 10_000

// adminGoodbye is how long answers of the admin listener may take to finish at the end.
const adminGoodbye = time.Second

// options are what an app is started with: the flags, checked.
type options struct {
	paths        []string
	load         config.Options
	listen       []string // instead of the file's, when there are any
	admin        string   // instead of the file's, unless empty
	originScheme string   // likewise
	accessLog    string   // a file, - for standard output, "" for none
	scale        health.Scale
	seed         uint64
	level        zapcore.Level
	log          *zap.Logger

	explainHeaders, pprof, everyOrigin bool
}

// complete puts the flags in place of what a file says, and fills in what follows from the machine. c was loaded just
// now and nobody else has seen it.
func (o *options) complete(c *config.Config) {
	fillLimits(&c.Weir.Limits, descriptorLimit())
	if len(o.listen) > 0 {
		c.Weir.Listen = nil
		for _, address := range o.listen {
			c.Weir.Listen = append(c.Weir.Listen, config.Listener{Address: address})
		}
	}
	if o.admin != "" {
		c.Weir.Admin.Address = o.admin
	}
	if o.originScheme != "" {
		c.Weir.Origins.Scheme = o.originScheme
	}
}

// app is a running weir: the rooms, wired.
type app struct {
	opt *options
	log *zap.Logger

	writer    *balancer.Writer
	registry  *balancer.Registry
	engine    *health.Engine
	resolver  *resolve.Resolver
	sealer    *balancer.Sealer // of the cookies of sessions
	notifier  *notify.Notifier
	server    *proxy.Server
	admin     *admin.Server
	accessLog *proxy.AccessLog // nil without one
	watcher   *watcher         // nil when there is nothing to watch

	readiness  *admin.Readiness
	metrics    *proxy.Metrics
	probes     *admin.Probes
	reloads    *admin.Reloads
	deliveries *admin.Deliveries

	listening []net.Addr
	adminAddr net.Addr

	reloading sync.Mutex // held by reload; guards what follows
	current   *config.Config
	key       []byte      // of the sealer
	unkept    bool        // it was said that the key ends with the process
	seen      fingerprint // of what was read last, good or bad
	running   sync.WaitGroup
}

// start reads the configuration, puts it in force and listens. Without an app, the exit status says what went wrong,
// and the log why.
func start(o *options) (*app, int) {
	if o.log == nil {
		o.log = zap.NewNop()
	}
	sources, unread := config.ReadPaths(o.paths)
	cfg, problems := loadSources(sources, unread, o.load)
	tell(o.log, problems)
	if cfg == nil {
		o.log.Error("weir does not start: " + config.Summary(problems))
		return nil, exitInput
	}
	o.complete(cfg)
	a := &app{opt: o, log: o.log, current: cfg}
	if err := a.build(sources); err != nil {
		o.log.Error("weir does not start", zap.Error(err))
		a.stop()
		return nil, statusOfStart(err)
	}
	a.greet()
	return a, exitOK
}

// statusOfStart tells an address that cannot be had from input that is wrong.
func statusOfStart(err error) int {
	var network *net.OpError
	if errors.As(err, &network) {
		return exitCutShort
	}
	return exitInput
}

// build makes and wires everything, and listens last: who connects is served.
func (a *app) build(sources []config.Source) (err error) {
	hidden, err := readSecrets(&a.current.Weir, nil)
	if err != nil {
		return err
	}
	a.seen = fingerprintOf(sources, otherFiles(&a.current.Weir)) // now that a key made just now is among them
	rows := countRows(runtime.GOMAXPROCS(0))
	a.registry = balancer.NewRegistry(rows)
	a.metrics, a.probes, a.reloads = proxy.NewMetrics(rows), admin.NewProbes(), &admin.Reloads{}
	if a.opt.accessLog != "" {
		if a.accessLog, err = proxy.OpenAccessLog(a.opt.accessLog, a.log); err != nil {
			return err
		}
	}
	a.sealer = balancer.NewSealer(hidden.key)
	a.buildNotifier()
	a.buildHealth()
	a.buildServer(rows)
	if err := a.buildAdmin(); err != nil {
		return err
	}
	if err := a.server.Apply(&a.current.Weir); err != nil {
		return err
	}
	a.swap(a.current, hidden)
	if err := a.listen(); err != nil {
		return err
	}
	a.reloads.Loaded(time.Now())
	a.watch()
	return nil
}

// countRows is one row of counters per thread, in a power of two.
func countRows(threads int) int {
	n := min(max(threads, 2), 16)
	return min(1<<bits.Len(uint(n-1)), 16)
}

func (a *app) buildHealth() {
	// The engine, the resolver and the writer call each other; none does before the first configuration.
	a.engine = health.NewEngine(health.Options{
		Scale: a.opt.scale, Seed: a.opt.seed,
		OnChange: func(pool string) { a.writer.PoolChanged(pool) },
		OnEvent:  a.onEvent,
		OnProbe:  a.onProbe,
	})
	a.resolver = resolve.New(resolve.Options{Ceiling: a.current.Weir.Timeouts.DNS, OnChange: func(name string) {
		a.log.Debug("a host name has other addresses", zap.String("name", name))
		a.writer.Resolved(name)
	}})
	a.writer = balancer.NewWriter(balancer.WriterOptions{
		Registry: a.registry, Health: a.engine.Table(), Names: a.resolver,
		Sessions: balancer.NewSessions(a.sealer, balancer.DefaultSessions),
	})
	a.readiness = &admin.Readiness{Checks: a.engine.Ready, Started: time.Now()}
}

func (a *app) buildServer(rows int) {
	observe := []func(*proxy.Outcome){a.metrics.Observe}
	if a.accessLog != nil {
		observe = append(observe, a.accessLog.Observe)
	}
	a.server = proxy.New(proxy.Options{
		Snapshot: a.writer.Current, Rows: rows, Seed: a.opt.seed, ExplainHeaders: a.opt.explainHeaders,
		Observe: observe, Log: a.log,
	})
	a.metrics.Watch(a.server)
}

func (a *app) buildAdmin() (err error) {
	a.admin, err = admin.New(admin.Options{
		Config: a.current.Weir.Admin, Readiness: a.readiness, Snapshot: a.writer.Current, Table: a.engine.Table(),
		Events: a.engine.Events, Metrics: a.gatherer(), Version: currentVersion(),
		Countries: a.server.Country,
		Reload:    func() (uint64, []config.Problem) { return a.reload(byRequest) },
		Drain:     a.drain,
		Profiling: a.opt.pprof, Log: a.log,
	})
	return err
}

func (a *app) gatherer() prometheus.Gatherer {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		admin.BuildInfo(currentVersion()), a.metrics, a.probes, a.reloads, a.deliveries,
		&admin.World{Snapshot: a.writer.Current, Table: a.engine.Table(), PerOrigin: a.perOrigin},
	)
	if a.accessLog != nil {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "weir_access_log_dropped_total", Help: "Lines of the access log that could not be written in time, or at all.",
		}, func() float64 { return float64(a.accessLog.Dropped()) }))
	}
	return reg
}

func (a *app) perOrigin(origins int) bool { return a.opt.everyOrigin || origins <= manyOrigins }

// swap puts a configuration in force that nothing can be wrong with any more. The order is part of the promise that no
// request is lost: first the snapshot, so that an origin that stays is served with the health it has; then the checks,
// whose pictures of pools that are gone would otherwise reach a snapshot that still serves them, and before them those
// who are told of their findings; connections to origins that are gone are closed last, when no new request can be given
// one.
func (a *app) swap(c *config.Config, hidden secrets) *balancer.Snapshot {
	a.rekey(c, hidden.key)
	s := a.writer.SetConfig(c)
	perOrigin := a.perOrigin(admin.CountOrigins(s))
	a.metrics.Keep(s, perOrigin)
	a.probes.Keep(s, perOrigin)
	a.deliveries.Keep(webhookNames(&c.Weir))
	a.notifier.Apply(c, hidden.webhooks)
	a.engine.Apply(c)
	a.writer.Flush()
	a.server.Keep(s)
	return s
}

// rekey has cookies signed with a key from now on, and says so once when it will not outlive the process.
func (a *app) rekey(c *config.Config, key []byte) {
	if !bytes.Equal(key, a.key) {
		a.sealer.Rekey(key)
		a.key = key
	}
	if c.Weir.Sessions.KeyFile == "" && pinsByCookie(c) && !a.unkept {
		a.unkept = true
		a.log.Warn("the cookies of sessions are signed with a key that ends with this process, and sessions with it; " +
			"name a file in weir.sessions.key_file, and a key is kept there")
	}
}

func (a *app) listen() error {
	for _, l := range a.current.Weir.Listen {
		addr, err := a.server.Listen(l)
		if err != nil {
			return err
		}
		a.listening = append(a.listening, addr)
	}
	addr, err := a.admin.Listen()
	a.adminAddr = addr
	return err
}

// greet says where weir listens and what it serves.
func (a *app) greet() {
	c := a.current
	origins := 0
	for i := range c.Pools {
		origins += len(c.Pools[i].Origins)
	}
	var urls []string
	for i, addr := range a.listening {
		urls = append(urls, urlOf(len(c.Weir.Listen[i].TLS) > 0, addr))
	}
	a.log.Info(fmt.Sprintf("weir serves %s with %s on %s; admin on %s", plural(len(c.Pools), "pool"), plural(origins, "origin"),
		strings.Join(urls, ", "), urlOf(a.admin.Secure(), a.adminAddr)),
		zap.String("version", currentVersion().Version), zap.String("seed", fmt.Sprintf("%#x", a.opt.seed)))
	for i := range c.LoadBalancers {
		if lb := &c.LoadBalancers[i]; lb.Implicit {
			a.log.Info("no load balancer was given: " + describeImplicit(c, lb))
		}
	}
}

func describeImplicit(c *config.Config, lb *config.LoadBalancer) string {
	var names []string
	for _, id := range lb.DefaultPools {
		names = append(names, poolName(c, id))
	}
	text := "every host is served by " + strings.Join(names, ", then ")
	if lb.FallbackPool != "" {
		text += "; the last resort is " + poolName(c, lb.FallbackPool)
	}
	return text
}

func poolName(c *config.Config, id string) string {
	if p := c.PoolByID(id); p != nil {
		return p.Name
	}
	return id
}

func urlOf(secure bool, addr net.Addr) string {
	if secure {
		return "https://" + addr.String()
	}
	return "http://" + addr.String()
}

// run serves until it is told to stop, and answers the exit status. ctx's end is like TERM.
func (a *app) run(ctx context.Context, signals <-chan os.Signal) int {
	var changed <-chan struct{}
	if a.watcher != nil {
		changed = a.watcher.changed
	}
	for {
		select {
		case <-ctx.Done():
			return a.drainAndStop("its context has ended", signals)
		case <-changed:
			a.running.Go(func() { a.reload(byFile) })
		case s := <-signals:
			switch {
			case isReload(s):
				a.running.Go(func() { a.reload(bySignal) })
			case isReopen(s):
				a.reopen()
			default:
				return a.drainAndStop(s.String(), signals)
			}
		}
	}
}

// drain makes readiness fail; weir goes on serving.
func (a *app) drain() {
	a.readiness.Drain()
	a.log.Info("draining: readiness fails from now on")
}

// drainAndStop lets the requests under way finish, for as long as timeouts.drain says or until another signal to stop
// comes.
func (a *app) drainAndStop(why string, signals <-chan os.Signal) int {
	limit := a.config().Weir.Timeouts.Drain
	a.readiness.Drain()
	a.log.Info("stopping: requests under way may finish", zap.String("because", why),
		zap.Duration("drain", limit), zap.Int("clients", a.server.Clients()))
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	done := make(chan error, 1)
	a.running.Go(func() { done <- a.server.Shutdown(ctx) })
	var err error
	for waiting := true; waiting; {
		select {
		case err = <-done:
			waiting = false
		case s := <-signals:
			if !isReload(s) && !isReopen(s) {
				a.log.Warn("stopping at once", zap.String("because", "a second "+s.String()))
				cancel()
			}
		}
	}
	a.stop()
	if err != nil {
		a.log.Error("draining was cut short: some requests did not finish", zap.Error(err))
		return exitCutShort
	}
	a.log.Info("stopped")
	return exitOK
}

// stop ends everything that start began, in the order in which nothing is used after it has ended.
func (a *app) stop() {
	if a.watcher != nil {
		a.watcher.close()
	}
	if a.server != nil {
		a.server.Close()
	}
	if a.admin != nil {
		ctx, cancel := context.WithTimeout(context.Background(), adminGoodbye)
		a.admin.Close(ctx)
		cancel()
	}
	a.running.Wait()
	if a.engine != nil {
		a.engine.Close()
		a.resolver.Close()
		a.writer.Close()
	}
	if a.notifier != nil {
		a.closeNotifier() // when there are no events any more
	}
	if a.accessLog != nil {
		if err := a.accessLog.Close(); err != nil {
			a.log.Error("the end of the access log", zap.Error(err))
		}
	}
}

func (a *app) reopen() {
	if a.accessLog == nil {
		return
	}
	if err := a.accessLog.Reopen(); err != nil {
		a.log.Error("the access log goes on in the old file", zap.Error(err))
		return
	}
	a.log.Info("the access log was opened again")
}

// config is the configuration in force.
func (a *app) config() *config.Config {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	return a.current
}
