// Package examples holds the JSON of this directory, so that a binary can serve it wherever it runs. README.md says what
// each file is.
//
//	pools.json monitors.json load_balancers.json weir.json ──► Files ──► weir demo
package examples

import "embed"

// Files holds the configuration: the *.json of this directory itself.
//
//go:embed *.json
var Files embed.FS
