// Package explain tells how a request is decided: every step of the decision with its inputs, and why each other pool and
// origin was not chosen. It asks Direct, the one that serves, and only writes down what that says.
//
//	Snapshot, Request ─► Of ─► Direct(…, Trail{Steps}) ─► Report ─► JSON
//
// It is pure: no request is sent, nothing is counted, no session begins or is prolonged.
package explain
