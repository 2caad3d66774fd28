package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

func newServeCommand() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve FILE|DIR...",
		Short: "Serve a configuration",
		Long: `Serve probes the origins of a configuration and proxies traffic to them. It reads JSON as Cloudflare's API returns it:
answers, objects, arrays or whole documents, from files and from the *.json of directories; "-" is standard input.

Signals: TERM and INT drain, then stop; a second one stops at once. HUP reloads. USR1 opens the access log again.
Changed files are reloaded by themselves.`,
		RunE: func(cmd *cobra.Command, paths []string) error {
			if len(paths) == 0 {
				return usage("serve needs a FILE or DIR to read")
			}
			o, err := f.options(cmd.Flags(), paths)
			if err != nil {
				return err
			}
			signals := make(chan os.Signal, 8)
			signal.Notify(signals, handled...)
			defer signal.Stop(signals)
			o.log = newLogger(cmd.ErrOrStderr(), o.level, f.logFormat)
			defer o.log.Sync()
			return said(serve(cmd.Context(), o, signals))
		},
	}
	f.add(cmd.Flags())
	return cmd
}

// serve starts an app, runs it until it is told to stop, and answers the exit status.
func serve(ctx context.Context, o *options, signals <-chan os.Signal) int {
	a, status := start(o)
	if a == nil {
		return status
	}
	return a.run(ctx, signals)
}

// serveFlags are the flags as they were given.
type serveFlags struct {
	listen                                     []string
	admin, profile, probeScale, seed           string
	accessLog, logLevel, logFormat             string
	originScheme, engine                       string
	strict, explainHeaders, pprof, everyOrigin bool
}

func (f *serveFlags) add(flags *pflag.FlagSet) {
	flags.SortFlags = false
	flags.StringSliceVar(&f.listen, "listen", nil, "an address for clients; repeatable (default from the file, else 127.0.0.1:8080)")
	flags.StringVar(&f.admin, "admin", "", "the address of the admin listener (default from the file, else 127.0.0.1:8081)")
	flags.BoolVar(&f.strict, "strict", false, "apply Cloudflare's own limits; unknown fields and dangling ids are errors")
	flags.StringVar(&f.profile, "profile", "", "timeouts that the file does not give: cloudflare (the default) or sidecar")
	flags.StringVar(&f.probeScale, "probe-scale", "1", "vantage points per region: 1, or full for three as at Cloudflare")
	flags.StringVar(&f.seed, "seed", "", "a number that makes every draw reproducible (default a fresh one, logged at start)")
	flags.StringVar(&f.accessLog, "access-log", "", "write one line of JSON per request to this file; - is standard output")
	flags.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	flags.StringVar(&f.logFormat, "log-format", formatAuto, "console, json, or auto: console on a terminal")
	flags.BoolVar(&f.explainHeaders, "explain-headers", false, "add Weir-Pool, Weir-Origin and Weir-Reason to answers")
	flags.StringVar(&f.originScheme, "origin-scheme", "", "how origins are spoken to: client (as the client does), http or https (default from the file)")
	flags.StringVar(&f.engine, "engine", "auto", "auto or fasthttp; both are fasthttp today")
	flags.BoolVar(&f.pprof, "pprof", false, "serve /debug/pprof on the admin listener")
	flags.BoolVar(&f.everyOrigin, "metrics-per-origin", false, "keep metrics per origin also above 10,000 origins")
}

// options checks the flags' values.
func (f *serveFlags) options(flags *pflag.FlagSet, paths []string) (*options, error) {
	o := &options{
		paths: paths, listen: f.listen, admin: f.admin, originScheme: f.originScheme, accessLog: f.accessLog,
		explainHeaders: f.explainHeaders, pprof: f.pprof, everyOrigin: f.everyOrigin,
	}
	var err error
	if o.level, err = parseLogging(f.logLevel, f.logFormat); err != nil {
		return nil, err
	}
	o.load.Strict = f.strict
	if o.load.Profile, err = config.ParseProfile(f.profile); err != nil {
		return nil, usage("--profile: %w", err)
	}
	if o.scale, err = health.ParseScale(f.probeScale); err != nil {
		return nil, usage("--probe-scale: %w", err)
	}
	if o.seed, err = parseSeed(f.seed); err != nil {
		return nil, err
	}
	return o, f.words(flags)
}

// words checks what must be one of a few words, or an address.
func (f *serveFlags) words(flags *pflag.FlagSet) error {
	switch f.originScheme {
	case "", "client", "http", "https":
	default:
		return usage("--origin-scheme %s is not known; use client, http or https", f.originScheme)
	}
	if f.engine != "auto" && f.engine != "fasthttp" {
		return usage("--engine %s is not known; use auto or fasthttp", f.engine)
	}
	for _, address := range f.listen {
		if err := config.CheckAddress(address); err != nil {
			return usage("--listen: %w", err)
		}
	}
	if flags.Changed("admin") {
		if err := config.CheckAddress(f.admin); err != nil {
			return usage("--admin: %w", err)
		}
	}
	return nil
}

// parseSeed takes a number, decimal or as the access log shows it (0x…); nothing is a fresh one.
func parseSeed(s string) (uint64, error) {
	if s == "" {
		return rand.Uint64(), nil
	}
	seed, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		return 0, usage("--seed %s is no number from 0 to %d", s, uint64(1<<64-1))
	}
	return seed, nil
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
