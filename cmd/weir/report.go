package main

import (
	"fmt"

	"go.uber.org/zap"

	"github.com/weirlb/weir/health"
)

// onEvent logs a change of health in one line that needs no neighbours.
func (a *app) onEvent(e health.Event) {
	a.probes.Changed(e)
	a.notifier.Notify(e)
	fields := []zap.Field{zap.String("pool", e.Pool.Name), zap.String("reason", e.Reason)}
	if e.Region != "" {
		fields = append(fields, zap.String("region", e.Region))
	}
	if e.Detail != "" {
		fields = append(fields, zap.String("detail", e.Detail))
	}
	for _, o := range e.Origins {
		a.log.Info(originNews(&e, &o),
			append(fields, zap.String("origin", o.Name), zap.String("address", o.Address))...)
	}
	if e.Pool.Changed {
		a.log.Info(fmt.Sprintf("pool %s: %s, was %s", e.Pool.Name, e.Pool.State, e.Pool.Was), fields...)
	}
}

// originNews says what became of an origin. What a monitor finds that only watches changes nothing (behaviour M4).
func originNews(e *health.Event, o *health.EventOrigin) string {
	word := "down"
	if o.Healthy {
		word = "up"
	}
	if e.MonitoringOnly {
		return fmt.Sprintf("monitor %s, which only watches, finds origin %s of pool %s %s", e.Monitor, o.Name, e.Pool.Name, word)
	}
	return fmt.Sprintf("origin %s of pool %s is %s", o.Name, e.Pool.Name, word)
}

// onProbe logs an attempt, for those who ask for it.
func (a *app) onProbe(r health.ProbeResult) {
	a.probes.Probed(r)
	if entry := a.log.Check(zap.DebugLevel, "probe"); entry != nil {
		entry.Write(zap.String("pool", r.Pool), zap.String("origin", r.Origin), zap.String("region", r.Region),
			zap.String("result", r.Result.Reason), zap.String("detail", r.Result.Detail),
			zap.Int("code", r.Result.ResponseCode), zap.Duration("took", r.Result.RTT), zap.Duration("late", r.Late))
	}
}
