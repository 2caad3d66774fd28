package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/weirlb/weir/bench/origin"
)

// The bounds of how long an origin may be told to stay away.
const (
	leaveUsually = 20 * time.Second
	leaveMost    = time.Hour
)

// goodbye is the time an answer gets to arrive before the origin behind it vanishes.
const goodbye = 100 * time.Millisecond

// runDemoOrigins runs the origins alone, until ctx ends: the other half of the demo by hand.
func runDemoOrigins(ctx context.Context, program string, out io.Writer, o demoStageOptions) error {
	o.stoppable = true
	s, err := newDemoStage(o)
	if err != nil {
		return exit(exitInput, err)
	}
	defer s.close()
	var running sync.WaitGroup
	defer running.Wait()
	for _, o := range s.origins {
		running.Go(func() { o.comeAndGo(ctx) })
	}
	fmt.Fprintln(out, "Origins, until ctrl-C:")
	for _, o := range s.origins {
		fmt.Fprintf(out, "  %-8s http://%s  of pool %s\n", o.name, o.Addr(), o.pool)
	}
	fmt.Fprintf(out, "\nIn another terminal:\n  %s serve %s\n\nThen:\n", program, s.dir)
	for _, c := range s.requests("127.0.0.1:8080", "127.0.0.1:8081") {
		fmt.Fprintf(out, "  %s\n", c)
	}
	if s.moved {
		fmt.Fprintln(out, "\nSome usual port is taken: `serve` says at start where it listens.")
	}
	<-ctx.Done()
	return nil
}

// requests are the commands that show a running weir, and a failover, by hand.
func (s *demoStage) requests(listen, admin string) []string {
	return []string{
		"curl -i -H 'Host: www.example.com' http://" + listen + "/",
		"curl -s 'http://" + s.origin(demoFails).Addr() + "/stop?for=20s'   # " + demoFails + " is gone for 20 s",
		"curl -s http://" + admin + "/readyz",
		"curl -s http://" + admin + "/pools",
		"curl -s http://" + admin + "/events",
		"curl -s http://" + admin + "/metrics | grep ^weir_",
	}
}

// leave answers, and then the origin goes away for a while: ?for=20s.
func (o *demoOrigin) leave(query string) origin.Action {
	d := leaveUsually
	if text, given := strings.CutPrefix(query, "for="); given {
		var err error
		if d, err = time.ParseDuration(text); err != nil || d <= 0 || d > leaveMost {
			return origin.Answer(http.StatusBadRequest, nil, "ask for /stop?for=20s, an hour at most\n")
		}
	}
	answer := o.say(fmt.Sprintf("%s stops for %v\n", o.name, d))
	return func(x *origin.Exchange) error {
		err := answer(x)
		select {
		case o.leaves <- d:
		default: // it is about to leave anyway
		}
		return err
	}
}

// comeAndGo takes the origin away when it is asked to leave, and brings it back, until ctx ends.
func (o *demoOrigin) comeAndGo(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case d := <-o.leaves:
			if !pause(ctx, goodbye) {
				return
			}
			o.Kill()
			if !pause(ctx, d) {
				return
			}
			if o.Restart() != nil {
				return // its port was taken meanwhile: it stays away
			}
		}
	}
}

// pause answers false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
