// Package explain tells how a request is decided: every step of the decision with its inputs, and why each other pool and
// origin was not chosen. It asks Direct, the one that serves, and only writes down what that says.
//
//	parameters ─► Question ─┐
//	                        ├─► Of ─► Direct(…, Trail{Steps}) ─► Report ─► JSON, Text
//	a running Snapshot ─────┤
//	files ─► Suppose ───────┘
//
// It is pure: no request is sent, nothing is counted, no session begins or is prolonged. A snapshot that nobody runs is made
// of a configuration and of what is supposed to be down (behaviour X1).
package explain
