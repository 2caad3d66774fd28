package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit statuses. docs/operating.md lists them.
const (
	exitOK       = 0
	exitInput    = 1 // the input is wrong
	exitUsage    = 2
	exitCutShort = 3 // an address cannot be bound, draining was cut short
)

// exitError ends the program with a status. A nil err has nothing more to say: it was said already.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func exit(status int, err error) error { return &exitError{status, err} }

// said is an exit whose reason the user has seen.
func said(status int) error {
	if status == exitOK {
		return nil
	}
	return exit(status, nil)
}

func usage(format string, args ...any) error { return exit(exitUsage, fmt.Errorf(format, args...)) }

// run is the program: arguments and streams in, exit status out.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(append([]string{}, args...)) // cobra takes nil for "those of the process"
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return statusOf(root.ExecuteContext(context.Background()), stderr)
}

// statusOf tells an error, unless it was told, and answers its exit status. Whatever cobra finds wrong is usage.
func statusOf(err error, stderr io.Writer) int {
	if err == nil {
		return exitOK
	}
	var e *exitError
	if !errors.As(err, &e) {
		e = &exitError{exitUsage, err}
	}
	if e.err != nil {
		fmt.Fprintf(stderr, "weir: %v\n", e.err)
	}
	if e.status == exitUsage {
		fmt.Fprintln(stderr, "Try 'weir --help'.")
	}
	return e.status
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "weir",
		Short: "Run a Cloudflare load balancer on this machine",
		Long: `Weir reads the pool JSON that Cloudflare's API returns, probes the origins, fails over, steers and proxies.

Every flag has a variable: --access-log is WEIR_ACCESS_LOG. A flag beats the variable, the variable beats the file.`,
		Args:              cobra.NoArgs,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return fromEnvironment(cmd.Flags(), os.LookupEnv) },
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newServeCommand(), newCheckCommand(), newExplainCommand(), newDemoCommand(), newVersionCommand())
	return root
}

// fromEnvironment sets the flags that were not given from their variables. An empty variable is one that is not set.
func fromEnvironment(flags *pflag.FlagSet, lookup func(string) (string, bool)) error {
	var wrong error
	flags.VisitAll(func(f *pflag.Flag) {
		value, there := lookup(variable(f.Name))
		if f.Changed || !there || value == "" || f.Name == "help" || wrong != nil {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			wrong = usage("%s is %q: %w", variable(f.Name), value, errors.Unwrap(err))
		}
	})
	return wrong
}

// variable is the name of a flag's variable.
func variable(flag string) string {
	return "WEIR_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
