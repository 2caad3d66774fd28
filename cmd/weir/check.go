package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/weirlb/weir/config"
)

func newCheckCommand() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check FILE|DIR...",
		Short: "Tell everything that is wrong or surprising in a configuration",
		Long: `Check reads what serve would read and tells everything it finds in one run, as

  file:line:col: error|warning: /pointer: what is wrong; what would be right

and how much it was on the last line. The exit status is 1 when there is an error. "-" is standard input.`,
		RunE: func(cmd *cobra.Command, paths []string) error {
			if len(paths) == 0 {
				return usage("check needs a FILE or DIR to read")
			}
			return o.run(paths, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.strict, "strict", false, "apply Cloudflare's own limits; unknown fields and dangling ids are errors")
	flags.BoolVarP(&o.verbose, "verbose", "v", false, "tell also what is accepted and cannot act here")
	flags.StringVarP(&o.output, "output", "o", "text", "text or json")
	return cmd
}

type checkOptions struct {
	strict, verbose bool
	output          string
}

func (o *checkOptions) run(paths []string, out io.Writer) error {
	if o.output != "text" && o.output != "json" {
		return usage("-o %s is not known; use text or json", o.output)
	}
	_, problems := loadPaths(paths, config.Options{Strict: o.strict})
	wrong := slices.ContainsFunc(problems, isError)
	if !o.verbose {
		problems = slices.DeleteFunc(problems, func(p config.Problem) bool { return p.Severity == config.Note })
	}
	if o.output == "json" {
		printJSON(out, problems)
	} else {
		printText(out, problems)
	}
	if wrong {
		return said(exitInput)
	}
	return nil
}

func isError(p config.Problem) bool { return p.Severity == config.Error }

func printText(out io.Writer, problems []config.Problem) {
	for _, p := range problems {
		fmt.Fprintln(out, p)
	}
	fmt.Fprintln(out, config.Summary(problems))
}

func printJSON(out io.Writer, problems []config.Problem) {
	report := struct {
		Problems []config.Problem `json:"problems"`
		Summary  string           `json:"summary"`
	}{problems, config.Summary(problems)}
	if problems == nil {
		report.Problems = []config.Problem{}
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		panic("BUG: problems are no JSON: " + err.Error())
	}
	fmt.Fprintln(out, string(text))
}
