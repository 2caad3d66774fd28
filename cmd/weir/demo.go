package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap/zapcore"

	"github.com/weirlb/weir/bench/load"
)

// The bounds of how long a demo lasts. In less than demoBrisk there is no time for probes every three seconds, as the
// examples have them.
const (
	demoLeast = 10 * time.Second
	demoMost  = time.Hour
	demoBrisk = 20 * time.Second
)

// demoRate is how many requests a second the demo sends.
const demoRate = 200

// exitNotShown is the status of a demo in which something was not as it should be.
const exitNotShown = 1

// demoOptions are what a demo is run with.
type demoOptions struct {
	length  time.Duration
	stage   demoStageOptions
	program string // as it was called
	out     io.Writer
	errOut  io.Writer
}

func newDemoCommand() *cobra.Command {
	var origins bool
	o := demoOptions{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show it working, on origins of its own",
		Long: `Demo starts a few small origins, serves the example pools in front of them, sends traffic, and shows how it splits
while an origin stops, comes back, gets another weight, and becomes slow. It judges itself what it shows: the exit status
is 1 when something was not as it should be.

With --origins it runs the origins alone, for a weir serve of your own.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.length < demoLeast || o.length > demoMost {
				return usage("--for %v is out of range; give %v to %v: a failover and a recovery take some seconds each", o.length, demoLeast, demoMost)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			o.program, o.out, o.errOut = os.Args[0], cmd.OutOrStdout(), cmd.ErrOrStderr()
			if origins {
				return runDemoOrigins(ctx, o.program, o.out, o.stage)
			}
			return runDemo(ctx, &o)
		},
	}
	cmd.Flags().DurationVar(&o.length, "for", demoUsually, "how long to show it, 10s or more")
	cmd.Flags().BoolVar(&origins, "origins", false, "run the origins alone, until ctrl-C")
	return cmd
}

// runDemo shows the demo until its time is over or ctx ends.
func runDemo(ctx context.Context, o *demoOptions) error {
	o.stage.fast = o.length < demoBrisk
	s := &demoShow{opt: o, began: time.Now(), weight: demoWeight, screen: newDemoScreen(o.out)}
	defer s.screen.close()
	if err := s.open(); err != nil {
		s.screen.close()
		fmt.Fprint(o.errOut, s.log.String())
		return err
	}
	err := s.play(ctx)
	s.interrupted = ctx.Err() != nil
	s.end()
	s.screen.close()
	return s.report(err)
}

// demoShow is a demo under way: a stage, a weir in front of it, traffic, and somebody who watches.
//
//	script ──► stage: origins, files          tally ◄── answers ── traffic
//	  ▲                  ▲                      │                     │
//	  │                  └── app, as weir serve runs it ◄─────────────┘
//	  │                           │ /pools /events
//	  └──────────────────────── view ──────────► frame ──► screen
type demoShow struct {
	opt   *demoOptions
	began time.Time
	log   demoLog // what the app logs, for when something goes wrong

	stage  *demoStage
	app    *app
	window *demoWindow
	tally  *demoTally
	script *demoScript
	screen demoScreen

	served  sync.WaitGroup
	endApp  context.CancelFunc
	status  int // of the app
	unquiet error

	view        *demoView
	told        int64 // the newest event that was told
	events      []demoEvent
	outages     []demoOutage
	weight      string // of demoStays, in the file
	slowed      bool
	interrupted bool
}

// demoOutage is one stop of an origin, from the script's side and from weir's; a zero time is what did not happen.
type demoOutage struct {
	from, gone time.Time // stopping took from here to there
	noticed    time.Time // its pool failed over
	back       time.Time
	trusted    time.Time // its pool serves again
}

// open starts everything but the traffic.
func (s *demoShow) open() (err error) {
	if s.stage, err = newDemoStage(s.opt.stage); err != nil {
		return exit(exitCutShort, fmt.Errorf("starting the demo's origins: %w", err))
	}
	a, status := start(&options{
		paths: []string{s.stage.dir}, explainHeaders: true, seed: rand.Uint64(),
		log: newLogger(&s.log, zapcore.InfoLevel, formatConsole),
	})
	if a == nil {
		s.stage.close()
		return exit(status, errors.New("the demo's weir does not start; its log is above"))
	}
	s.app = a
	ctx, cancel := context.WithCancel(context.Background())
	s.endApp = cancel
	s.served.Go(func() { s.status = a.run(ctx, nil) })
	s.window = newDemoWindow("http://" + a.adminAddr.String())
	return nil
}

// end stops everything, in the order in which nobody misses anybody.
func (s *demoShow) end() {
	s.window.close()
	s.endApp()
	s.served.Wait()
	s.unquiet = s.app.registry.Quiet()
	s.stage.close()
}

// demoStep is how often the demo looks, and draws.
const demoStep = 200 * time.Millisecond

// play shows the script. An error is one of the demo itself: what is shown is judged later.
func (s *demoShow) play(ctx context.Context) error {
	s.screen.say(s.hello())
	if err := s.window.ready(ctx); err != nil {
		return unlessEnded(ctx, err)
	}
	s.tally = newDemoTally(time.Now())
	s.script = newDemoScript(s.acts(), s.opt.length, s.tally.enter, func(act int, title string) {
		s.screen.act(s.elapsed(), act, title)
	})
	left := time.Until(s.began.Add(s.opt.length))
	if left <= 0 {
		return errors.New("the time was over before every origin had been probed; give --for more")
	}
	s.note(demoPlainly, "every origin was probed from every region; traffic begins")
	run, err := load.Start(ctx, s.tally.traffic(s.app.listening[0].String(), demoRate, left))
	if err != nil {
		return err
	}
	defer run.Wait()
	for s.elapsed() < s.opt.length {
		if err := s.step(ctx); err != nil {
			return unlessEnded(ctx, err)
		}
		if !pause(ctx, demoStep) {
			break
		}
	}
	return nil
}

// unlessEnded forgets an error that only says that ctx ended.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (s *demoShow) elapsed() time.Duration { return time.Since(s.began) }

// step looks, tells what is new, and moves on.
func (s *demoShow) step(ctx context.Context) error {
	view, err := s.window.look(ctx)
	if err != nil {
		return err
	}
	first := s.view == nil
	s.view = view
	s.tell(first)
	if err := s.script.step(s.elapsed(), view); err != nil {
		return err
	}
	s.screen.show(s.frame())
	return nil
}

// tell turns the events that are new into lines. Those of the first probes are no news.
func (s *demoShow) tell(first bool) {
	for i := len(s.view.events) - 1; i >= 0; i-- {
		e := &s.view.events[i]
		if e.ID <= s.told {
			continue
		}
		s.told = e.ID
		if first {
			continue
		}
		for _, line := range s.view.lines(e, s.stage.cfg) {
			line.at = e.Time.Sub(s.began)
			s.happened(line)
		}
		s.followOutage(e.Pool.Name, e.Pool.Changed, e.Pool.Healthy, e.Time)
	}
}

// note tells of something that happens now.
func (s *demoShow) note(mood demoMood, format string, args ...any) {
	s.happened(demoEvent{s.elapsed(), mood, fmt.Sprintf(format, args...)})
}

func (s *demoShow) happened(e demoEvent) {
	s.events = append(s.events, e)
	s.screen.event(e)
}

// hello says what the demo is made of, before anything moves.
func (s *demoShow) hello() []string {
	lines := []string{
		fmt.Sprintf("weir demo, for %v: %s in %s, on files in %s", s.opt.length, plural(len(s.stage.origins), "origin"),
			plural(len(s.stage.cfg.Pools), "pool"), s.stage.dir),
		fmt.Sprintf("clients: http://%s   admin: http://%s", s.app.listening[0], s.app.adminAddr),
	}
	if s.stage.moved {
		lines = append(lines, "some of the usual ports are taken: free ones are used, and the files name them")
	}
	if s.opt.stage.fast {
		lines = append(lines, "to fit the time, origins are probed every second, not every three as the example files have it")
	}
	return lines
}

// demoLog keeps the end of a log.
type demoLog struct {
	mu   sync.Mutex
	text []byte
}

// demoLogKeeps is how much of the log is kept.
const demoLogKeeps = 16 << 10

// Write is for io.Writer.
func (l *demoLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	l.text = l.text[max(0, len(l.text)-demoLogKeeps):]
	return len(p), nil
}

// String is the end of the log.
func (l *demoLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}
