package notify

import "github.com/weirlb/weir/config"

// source is where an alert comes from, event_source in its data.
type source string

const (
	fromOrigin source = "origin"
	fromPool   source = "pool"
)

// options are those of the class that a source belongs to; nil lets everything pass.
func (s source) options(f *config.NotificationFilter) *config.FilterOptions {
	switch {
	case f == nil:
		return nil
	case s == fromPool:
		return f.Pool
	default:
		return f.Origin
	}
}

// muted reports whether a pool's notification_filter silences a source altogether (behaviour W3).
func muted(f *config.NotificationFilter, s source) bool {
	o := s.options(f)
	return o != nil && o.Disable
}

// passes reports whether a pool's notification_filter lets news of health pass (behaviour W3).
func passes(f *config.NotificationFilter, s source, healthy bool) bool {
	o := s.options(f)
	return o == nil || !o.Disable && (o.Healthy == nil || *o.Healthy == healthy)
}
