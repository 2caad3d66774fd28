package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/weirlb/weir/balancer/explain"
	"github.com/weirlb/weir/balancer/geoip"
	"github.com/weirlb/weir/config"
)

// explainWait is how long a running weir may take to explain.
const explainWait = 30 * time.Second

// mostReport is more than any report has: of the largest pools there can be.
const mostReport = 256 << 20

func newExplainCommand() *cobra.Command {
	var o explainOptions
	cmd := &cobra.Command{
		Use:   "explain FILE|DIR... | --url URL",
		Short: "Tell how a request is decided, and why not otherwise",
		Long: `Explain tells every step of the decision on one request: rules, lists of pools, the session, health by region, load
shedding, weights, loads and probabilities, and why each other pool and origin was not chosen; then where the request
would go if the origin refused the connection. No request is sent.

With files, every monitored origin is taken to be up but for those that --down and --region-down name, host names are
taken to resolve, and nothing is under way. With --url, the admin listener of a running weir is asked.

  weir explain examples --down eu-1
  weir explain --url http://127.0.0.1:8081 --client 203.0.113.7 --path /cart --cookie "__cflb=…"`,
		RunE: func(cmd *cobra.Command, paths []string) error {
			return o.run(cmd.Context(), paths, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.add(cmd.Flags())
	return cmd
}

// explainOptions are the flags as they were given. Those of the question are read by explain, for files and for a
// running weir alike.
type explainOptions struct {
	one              map[string]*string // parameters of the question, by flag
	headers, cookies []string
	https, strict    bool
	down, regionDown []string
	url, token       string
	output           string
}

func (o *explainOptions) add(flags *pflag.FlagSet) {
	flags.SortFlags = false
	o.one = map[string]*string{}
	for _, f := range [][2]string{
		{"client", "the client's address (default 127.0.0.1)"},
		{"host", "the Host of the request (default the first that a load balancer is for)"},
		{"method", "its method (default GET)"},
		{"path", "its path, with ?query if any (default /)"},
	} {
		o.one[f[0]] = flags.String(f[0], "", f[1])
	}
	flags.StringArrayVar(&o.headers, "header", nil, `a header field, "Name: value"; repeatable`)
	flags.StringArrayVar(&o.cookies, "cookie", nil, `a cookie, "name=value"; repeatable`)
	flags.BoolVar(&o.https, "https", false, "the request arrives over TLS")
	for _, f := range [][2]string{
		{"pop", "the code of the data centre that handles it (default that of weir.location)"},
		{"region", "the region that handles it (default that of the data centre)"},
		{"country", "the client's country (default by weir.geoip, else that of the data centre)"},
		{"seed", "what random draws come from, as the access log shows it (default 0)"},
		{"now", "the time, as in 2026-01-02T15:04:05Z (default now)"},
	} {
		o.one[f[0]] = flags.String(f[0], "", f[1])
	}
	flags.StringArrayVar(&o.down, "down", nil, "an origin that is down, ORIGIN or POOL/ORIGIN; repeatable")
	flags.StringArrayVar(&o.regionDown, "region-down", nil, "one that is down as seen from a region, REGION=POOL/ORIGIN; repeatable")
	flags.BoolVar(&o.strict, "strict", false, "read the files as serve --strict does")
	flags.StringVar(&o.url, "url", "", "ask the weir whose admin listener is there, instead of reading files")
	flags.StringVar(&o.token, "token-file", "", "holds the admin token, for --url")
	flags.StringVarP(&o.output, "output", "o", "text", "text or json")
}

func (o *explainOptions) run(ctx context.Context, paths []string, out, errs io.Writer) error {
	if err := o.check(paths); err != nil {
		return err
	}
	values := o.values()
	question, err := explain.ParseQuestion(values)
	if err != nil {
		return usage("--%w", err)
	}
	var report explain.Report
	if o.url != "" {
		report, err = o.ask(ctx, values)
	} else {
		report, err = o.suppose(&question, paths, errs)
	}
	if err != nil {
		return err
	}
	if o.output == "json" {
		text, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			panic("BUG: a report is no JSON: " + err.Error())
		}
		fmt.Fprintln(out, string(text))
		return nil
	}
	fmt.Fprint(out, report.Text())
	return nil
}

// check finds flags that do not fit together.
func (o *explainOptions) check(paths []string) error {
	switch {
	case o.output != "text" && o.output != "json":
		return usage("-o %s is not known; use text or json", o.output)
	case o.url == "" && len(paths) == 0:
		return usage("explain needs a FILE or DIR to read, or --url to ask")
	case o.url != "" && len(paths) > 0:
		return usage("explain reads files or asks --url, not both")
	case o.url != "" && len(o.down)+len(o.regionDown) > 0:
		return usage("--down and --region-down are for files; a running weir knows what is down")
	}
	return nil
}

// values are the flags as parameters of the question.
func (o *explainOptions) values() url.Values {
	values := url.Values{}
	for name, value := range o.one {
		if *value != "" {
			values.Set(name, *value)
		}
	}
	for _, h := range o.headers {
		values.Add("header", h)
	}
	for _, c := range o.cookies {
		values.Add("cookie", c)
	}
	if o.https {
		values.Set("https", "true")
	}
	return values
}

// suppose explains on files. What is wrong with them is told on errs.
func (o *explainOptions) suppose(q *explain.Question, paths []string, errs io.Writer) (report explain.Report, err error) {
	cfg, problems := loadPaths(paths, config.Options{Strict: o.strict})
	if cfg == nil {
		for _, p := range problems {
			if isError(p) {
				fmt.Fprintln(errs, p)
			}
		}
		return report, exit(exitInput, errors.New(config.Summary(problems)))
	}
	key, err := readSessionKey(cfg.Weir.Sessions.KeyFile)
	if err != nil {
		return report, exit(exitInput, err)
	}
	var countries explain.Countries
	if file := cfg.Weir.GeoIP.Database; file != "" {
		d, err := geoip.Open(file)
		if err != nil {
			return report, exit(exitInput, err)
		}
		countries = countriesOf(d)
	}
	s, err := explain.Suppose(cfg, explain.Supposition{Down: o.down, RegionDown: o.regionDown}, key)
	if err != nil {
		return report, usage("--%w", err)
	}
	return q.Ask(s, countries, time.Now()), nil
}

// ask has a running weir explain.
func (o *explainOptions) ask(ctx context.Context, values url.Values) (report explain.Report, err error) {
	at, err := url.Parse(o.url)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return report, usage("--url %s is no http or https URL", o.url)
	}
	at = at.JoinPath("explain")
	at.RawQuery = values.Encode()
	ctx, cancel := context.WithTimeout(ctx, explainWait)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), http.NoBody)
	if err != nil {
		return report, usage("--url: %w", err)
	}
	if o.token != "" {
		token, err := os.ReadFile(o.token)
		if err != nil {
			return report, exit(exitInput, fmt.Errorf("reading --token-file: %w", err))
		}
		q.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	// One exchange, and no redirects: the token is for this address alone.
	tr := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	answer, err := tr.RoundTrip(q)
	if err != nil {
		return report, exit(exitInput, fmt.Errorf("asking %s: %w", o.url, err))
	}
	defer answer.Body.Close()
	return readReport(answer, o.url)
}

func readReport(answer *http.Response, where string) (report explain.Report, err error) {
	text, err := io.ReadAll(io.LimitReader(answer.Body, mostReport))
	if err != nil {
		return report, exit(exitInput, fmt.Errorf("reading the answer of %s: %w", where, err))
	}
	if answer.StatusCode != http.StatusOK {
		var refusal struct{ Error string }
		if json.Unmarshal(text, &refusal) != nil || refusal.Error == "" {
			refusal.Error = "is that a weir's admin listener?"
		}
		return report, exit(exitInput, fmt.Errorf("%s answers %s: %s", where, answer.Status, refusal.Error))
	}
	if err := json.Unmarshal(text, &report); err != nil || len(report.Attempts) == 0 {
		return report, exit(exitInput, fmt.Errorf("%s answers no report; is that a weir's admin listener?", where))
	}
	return report, nil
}

// countriesOf is a database as explain asks it.
func countriesOf(d *geoip.Database) explain.Countries {
	return func(a netip.Addr) (code [2]byte, known bool) { return d.Country(a) }
}
