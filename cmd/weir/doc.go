// Weir runs a Cloudflare load balancer on this machine. This package wires the rooms together and knows flags,
// variables, signals and exit statuses; it decides nothing about traffic.
//
//	main ─► root command ─┬─ serve ─► app: config ─► health ─┬─► balancer.Writer ─► proxy.Server
//	                      ├─ check                 │ resolver ──┘          │
//	                      ├─ explain               └─► notify.Notifier     └─► admin.Server
//	                      ├─ demo                                              ▲
//	                      └─ version               explain --url ──────────────┘
//
//	signals, changed files, POST /-/reload ─► app.reload: read, check, prepare; then swap, or change nothing
//
// Exit status: 0 fine, or stopped by a signal after draining; 1 the input is wrong; 2 usage; 3 an address cannot be
// bound, or draining was cut short. Results go to standard output, everything else to standard error.
package main
