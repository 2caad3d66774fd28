// Package e2e tells stories with the real program: one file is one story, and nothing in it is simulated but the origins
// and the clients.
//
//	load, clients ──► weir serve (built once, a process of its own) ──► bench/origin: killed, slow, cut off
//	       │                │            │           │                        │
//	       │            access log    /metrics    exit status                 │
//	       └────────────────┴────────────┴─────┬─────┴────────────────────────┘
//	                                  must agree with each other
//
// The configuration is written to a directory in the shape of the API's answers. Every program listens on port 0, says
// on standard error where, is asked for readiness before any traffic, and must end with the exit status that its story
// expects.
//
// Stories come in three sizes: -short, as they are in go test, and WEIR_LONG=1. What depends on the machine is printed;
// what depends on weir is asserted. WEIR_BINARY names a program to test instead of one built from the tree.
package e2e
