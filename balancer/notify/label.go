package notify

import "github.com/weirlb/weir/config"

// Label is what reports call a webhook: its name, else the scheme and host of its URL.
func Label(h *config.Webhook) string { return labelOf(h) }
