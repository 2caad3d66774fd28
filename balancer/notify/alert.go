package notify

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

// The types of alerts, in the words of the API's notification policies.
const (
	HealthAlert     = "load_balancing_health_alert"
	EnablementAlert = "load_balancing_pool_enablement_alert"
)

// Alert is one piece of news. It is the same for every webhook and does not change.
type Alert struct {
	Type string    // HealthAlert or EnablementAlert
	Time time.Time // when it became news
	Text string    // one sentence for people
	Data any       // HealthData or EnablementData
	// State and Incident join what belongs together: a subject's getting ill and its recovery have the same Incident.
	// Both are empty in an EnablementAlert, which begins and ends nothing.
	State    string // stateStart or stateEnd
	Incident string // a UUID
}

// The states of an alert, in the words of the page "Webhook payload schema".
const (
	stateStart = "ALERT_STATE_EVENT_START"
	stateEnd   = "ALERT_STATE_EVENT_END"
)

// PoolData is what the data of every alert begin with.
type PoolData struct {
	AccountName string `json:"account_name"`
	AccountTag  string `json:"account_tag"`
	// The load balancer is the first one that names the pool, of those that are enabled; both are "" when none does.
	LoadBalancerID   string `json:"load_balancer_id"`
	LoadBalancerName string `json:"load_balancer_name"`
	PoolID           string `json:"pool_id"`
	PoolName         string `json:"pool_name"`
}

// HealthData are the data of a HealthAlert.
type HealthData struct {
	PoolData
	OriginName  string `json:"origin_name"`  // "" when the pool is the source
	NewHealth   string `json:"new_health"`   // Healthy or Unhealthy
	EventSource string `json:"event_source"` // origin or pool
}

// EnablementData are the data of an EnablementAlert.
type EnablementData struct {
	PoolData
	Enabled bool `json:"enabled"` // since this alert
}

// envelope is the body of a request, in the shape of the page "Webhook payload schema".
type envelope struct {
	Name       string `json:"name"`
	Text       string `json:"text"`
	Data       any    `json:"data"`
	Time       int64  `json:"ts"` // seconds since 1970
	AccountID  string `json:"account_id"`
	PolicyID   string `json:"policy_id"`
	PolicyName string `json:"policy_name"`
	AlertType  string `json:"alert_type"`
	Incident   string `json:"alert_correlation_id,omitempty"`
	State      string `json:"alert_event,omitempty"`
}

// body is the alert as one webhook gets it. A webhook stands for the notification policy that Cloudflare would have, so
// the policy has the webhook's name, and an id that follows from it and stays.
func (a *Alert) body(policy, account string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(envelope{
		Name: policy, Text: a.Text, Data: a.Data, Time: a.Time.Unix(),
		AccountID: account, PolicyID: uuid("policy", policy), PolicyName: policy, AlertType: a.Type,
		Incident: a.Incident, State: a.State,
	})
	if err != nil {
		panic("BUG: an alert that is no JSON: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// uuid makes a name-based UUID (RFC 9562 §5.8): the same parts, the same UUID.
func uuid(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d %s ", len(p), p)
	}
	u := h.Sum(nil)[:16]
	u[6] = u[6]&0x0f | 0x80 // version 8
	u[8] = u[8]&0x3f | 0x80 // the variant of RFC 9562
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// healthWord is new_health.
func healthWord(healthy bool) string {
	if healthy {
		return "Healthy"
	}
	return "Unhealthy"
}

// originText says what became of an origin. "Again" is always right: only what was unhealthy is told to be healthy.
func originText(e *health.Event, o *health.EventOrigin) string {
	who := fmt.Sprintf("Origin %s of pool %s", o.Name, e.Pool.Name)
	if o.Healthy {
		return who + " is healthy again."
	}
	return fmt.Sprintf("%s is unhealthy%s: %s.", who, seenFrom(e), o.FailureReason)
}

// watchText says what a monitor that only watches finds of an origin.
func watchText(e *health.Event, o *health.EventOrigin, monitor string) string {
	who := fmt.Sprintf("Origin %s of pool %s", o.Name, e.Pool.Name)
	if o.Healthy {
		return fmt.Sprintf("%s passes monitor %s again, which only watches.", who, monitor)
	}
	return fmt.Sprintf("%s fails monitor %s%s: %s; it only watches, so traffic stays as it is.", who, monitor, seenFrom(e), o.FailureReason)
}

func seenFrom(e *health.Event) string {
	if e.Region == "" {
		return ""
	}
	return ", seen from " + e.Region
}

// poolText says what became of a pool.
func poolText(p *health.EventPool) string {
	switch {
	case p.State == health.PoolDegraded:
		return fmt.Sprintf("Pool %s is healthy again, though not all of its origins are.", p.Name)
	case p.Healthy:
		return fmt.Sprintf("Pool %s is healthy again.", p.Name)
	case p.MinimumOrigins <= 1:
		return fmt.Sprintf("Pool %s is unhealthy: none of its origins is healthy.", p.Name)
	default:
		return fmt.Sprintf("Pool %s is unhealthy: fewer than %d of its origins are healthy.", p.Name, p.MinimumOrigins)
	}
}

func enablementText(p *config.Pool) string {
	if p.Enabled {
		return fmt.Sprintf("Pool %s was enabled.", p.Name)
	}
	return fmt.Sprintf("Pool %s was disabled.", p.Name)
}
