package main

import (
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/weirlb/weir/config"
)

// trigger is what asked for a reload.
type trigger string

const (
	byFile    trigger = "a file changed"
	bySignal  trigger = "SIGHUP"
	byRequest trigger = "POST /-/reload"
)

// reload reads the configuration again and puts it in force, or changes nothing and says why (behaviour O1). It
// answers the revision in force. A change of files that leaves their content as it was is none.
func (a *app) reload(why trigger) (revision uint64, problems []config.Problem) {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	revision = a.writer.Current().Revision
	if slices.Contains(a.opt.paths, config.StdinName) {
		return revision, a.refuse(why, []config.Problem{{
			What: "the configuration came from standard input, which cannot be read again", Want: "a file",
		}})
	}
	sources, unread := config.ReadPaths(a.opt.paths)
	cfg, problems := loadSources(sources, unread, a.opt.load)
	var err error
	var hidden secrets
	if cfg != nil {
		a.opt.complete(cfg)
		hidden, err = readSecrets(&cfg.Weir, a.key) // first: a key that it makes is among the files
	}
	if !a.isNew(sources, cfg) && why == byFile {
		return revision, nil
	}
	if cfg == nil {
		return revision, a.refuse(why, problems)
	}
	if err == nil {
		err = a.server.Apply(&cfg.Weir)
	}
	if err != nil {
		return revision, a.refuse(why, append(problems, config.Problem{What: err.Error(), Want: "files that can be read"}))
	}
	return a.accept(why, cfg, hidden, problems), nil
}

// isNew reports whether what was read differs from what was read last, and remembers it.
func (a *app) isNew(sources []config.Source, cfg *config.Config) bool {
	of := a.current
	if cfg != nil {
		of = cfg
	}
	print := fingerprintOf(sources, otherFiles(&of.Weir))
	known := print == a.seen
	a.seen = print
	return !known
}

// accept puts a configuration in force that is known to be good.
func (a *app) accept(why trigger, cfg *config.Config, hidden secrets, problems []config.Problem) uint64 {
	old := a.current
	s := a.swap(cfg, hidden)
	a.current = cfg
	a.reloads.Loaded(time.Now())
	if a.watcher != nil {
		a.watcher.follow(watched(a.opt.paths, cfg))
	}
	tell(a.log, problems)
	changes := config.Diff(old, cfg)
	a.log.Info("the configuration was reloaded", zap.String("because", string(why)), zap.Uint64("revision", s.Revision),
		zap.Int("changes", len(changes)))
	for _, line := range changes {
		a.log.Info("changed: " + line)
	}
	for _, what := range needRestart(&old.Weir, &cfg.Weir) {
		a.log.Warn(what + " has changed and takes effect at the next start; everything else is in force")
	}
	return s.Revision
}

// refuse leaves everything as it is and makes that visible.
func (a *app) refuse(why trigger, problems []config.Problem) []config.Problem {
	a.reloads.Failed()
	tell(a.log, problems)
	a.log.Error("the configuration was not reloaded; the one before stays in force",
		zap.String("because", string(why)), zap.String("found", config.Summary(problems)))
	return problems
}

// needRestart names the settings that a reload cannot apply.
func needRestart(old, now *config.Weir) []string {
	var changed []string
	if !slices.Equal(addresses(old.Listen), addresses(now.Listen)) {
		changed = append(changed, "listen")
	}
	if old.Admin.Address != now.Admin.Address || old.Admin.TokenFile != now.Admin.TokenFile || !slices.Equal(old.Admin.TLS, now.Admin.TLS) {
		changed = append(changed, "admin")
	}
	if old.State != now.State {
		changed = append(changed, "state")
	}
	if old.Timeouts.DNS != now.Timeouts.DNS {
		changed = append(changed, "timeouts.dns")
	}
	return changed
}

// addresses are those of the listeners, marked where they speak TLS: that cannot be changed under connections.
func addresses(list []config.Listener) []string {
	var all []string
	for _, l := range list {
		all = append(all, urlOf(len(l.TLS) > 0, addressText(l.Address)))
	}
	return all
}

// addressText is an address that is known as text.
type addressText string

func (t addressText) Network() string { return "tcp" }
func (t addressText) String() string  { return string(t) }

// tell logs what was found in a configuration. Notes are for weir check -v.
func tell(log *zap.Logger, problems []config.Problem) {
	for _, p := range problems {
		switch p.Severity {
		case config.Error:
			log.Error(p.String())
		case config.Warning:
			log.Warn(p.String())
		case config.Note:
			log.Debug(p.String())
		}
	}
}
