package admin

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Deliveries counts what became of notifications, by webhook. The series of webhooks that a configuration has no longer
// are forgotten by Keep.
type Deliveries struct {
	mu       sync.Mutex
	webhooks []string // of the configuration in force
	counts   map[deliveryKey]uint64
}

type deliveryKey struct{ webhook, result string }

// deliveryResults are the values of label result.
var deliveryResults = []string{"delivered", "retried", "failed", "dropped"}

// NewDeliveries counts from zero.
func NewDeliveries() *Deliveries { return &Deliveries{counts: map[deliveryKey]uint64{}} }

// Delivered counts a notification that its webhook has taken.
func (d *Deliveries) Delivered(webhook string) { d.count(webhook, "delivered") }

// Retried counts an attempt that failed and is followed by another one.
func (d *Deliveries) Retried(webhook string) { d.count(webhook, "retried") }

// Failed counts a notification that was tried and given up.
func (d *Deliveries) Failed(webhook string) { d.count(webhook, "failed") }

// Dropped counts a notification that was never tried.
func (d *Deliveries) Dropped(webhook string) { d.count(webhook, "dropped") }

// count passes over what is left of webhooks that are gone.
func (d *Deliveries) count(webhook, result string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if slices.Contains(d.webhooks, webhook) {
		d.counts[deliveryKey{webhook, result}]++
	}
}

// Keep tells which webhooks there are. It is told before they are given anything to deliver.
func (d *Deliveries) Keep(webhooks []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.webhooks = webhooks
	for key := range d.counts {
		if !slices.Contains(webhooks, key.webhook) {
			delete(d.counts, key)
		}
	}
}

var deliveriesDesc = describe("notifications_total", "Notifications by what became of them at a webhook; retried counts attempts.", "webhook", "result")

// Describe is for prometheus.Collector.
func (d *Deliveries) Describe(to chan<- *prometheus.Desc) { to <- deliveriesDesc }

// Collect is for prometheus.Collector. A webhook has all of its series from the start, so that the first failure is an
// increase.
func (d *Deliveries) Collect(to chan<- prometheus.Metric) {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := map[string]bool{} // several webhooks may have one name
	for _, webhook := range d.webhooks {
		if seen[webhook] {
			continue
		}
		seen[webhook] = true
		for _, result := range deliveryResults {
			count(to, deliveriesDesc, d.counts[deliveryKey{webhook, result}], webhook, result)
		}
	}
}

var _ prometheus.Collector = (*Deliveries)(nil)
