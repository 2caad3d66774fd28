// Package notify tells webhooks of changes of health, in the envelope of Cloudflare's generic webhooks.
//
//	health.Event ──► Notify ─┐                    what is news (news.go), what a pool's filter lets pass (filter.go)
//	                         ├──► Alert ──► queue of each webhook: bounded, the oldest is dropped
//	config.Config ─► Apply ──┘                │ one goroutine per webhook (hook.go)
//	                 (pools switched          ▼
//	                  on and off)       POST, and again after 1 s, 2 s, 4 s, 8 s (post.go)
//	                                          │
//	                                          ▼
//	                                    OnDelivered, OnFailed, OnRetry; OnDropped
//
// The contract:
//   - Notify and Apply wait for no network. What a webhook cannot take in time is dropped, the oldest first, and told.
//   - A webhook gets its alerts one at a time, in the order in which they happened. Webhooks do not wait for each other.
//   - An alert may arrive twice, when an answer was lost on its way: alert_correlation_id and alert_event tell.
//   - Only changes are told. An origin or a pool that was never unhealthy is not told to be healthy, so that a start is
//     silent when all is well.
//   - Secrets, and what follows the host in a webhook's URL, are in no error and in no report. Certificates are verified,
//     and redirects are not followed.
//
// docs/behaviour.md has the rules, W1 to W7, that comments cite.
package notify
