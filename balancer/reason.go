package balancer

// Reason is why a decision came out as it did, one token of a closed set: docs/reasons.md lists every one.
type Reason uint8
