package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/weirlb/weir/balancer/admin"
)

// version is set by the build: -ldflags "-X main.version=v1.2.3".
var version = ""

func newVersionCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := currentVersion()
			switch output {
			case "json":
				text, err := json.MarshalIndent(v, "", "  ")
				if err != nil {
					panic("BUG: a version is no JSON: " + err.Error())
				}
				fmt.Fprintln(cmd.OutOrStdout(), string(text))
			case "text":
				fmt.Fprintf(cmd.OutOrStdout(), "weir %s\ncommit %s\ngo %s\nfasthttp %s\n", v.Version, v.Commit, v.Go, v.FastHTTP)
			default:
				return usage("-o %s is not known; use text or json", output)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// currentVersion is what the build left in the binary; "unknown" where it left nothing.
func currentVersion() admin.Version {
	v := admin.Version{Version: version, Commit: "unknown", Go: runtime.Version(), FastHTTP: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	if v.Version == "" {
		v.Version = info.Main.Version
	}
	if v.Version == "" {
		v.Version = "(devel)"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Commit = s.Value
		}
	}
	for _, d := range info.Deps {
		if d.Path == "github.com/valyala/fasthttp" {
			v.FastHTTP = d.Version
		}
	}
	return v
}
