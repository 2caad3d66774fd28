// Package config turns JSON into a Config: one complete, checked, immutable value in the words of Cloudflare's API.
//
//	files ─► ReadPaths ─► []Source ─► Load ─┬─► *Config ──► Store ──► health, balancer
//	                                        └─► []Problem ─► people
//
//	inside Load:  text ─► tree of nodes with positions ─► objects, by tables of fields ─► defaults
//	                  ─► references between objects ─► implicit load balancer ─► lint
//
// Load reports everything it finds in one run. It answers a nil Config when any Problem is an error, so that a Config
// in hand is always whole: every default filled in, every enum canonical, every id unique. Nothing changes a Config
// afterwards; a new one replaces it.
//
// Conditions of rules are judged by the checker that Options hands in, so that this room needs not know their language.
// pops.go and regions.go say where data centres and countries are, approximately.
//
// The tables in fields_*.go read and write each member from one line, defaults.go holds every default with the
// sentence it comes from, inert.go every field that is kept without acting. The package starts no goroutine, reads no
// clock and logs nothing. Only ReadPaths touches files.
package config
