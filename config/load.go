package config

// Options says how strictly input is read.
type Options struct {
	// Strict applies Cloudflare's own limits and turns warnings about unknown fields and dangling ids into errors.
	Strict bool
	// Profile chooses the timeouts and limits that the weir section does not give; "" is ProfileCloudflare.
	Profile Profile
	// CheckCondition reports what is wrong with a rule's condition, and the byte of expr at which it is; nil leaves
	// conditions unchecked. proxied is what the load balancer says of itself: every one is served as proxied here.
	CheckCondition func(expr string, proxied bool) (offset int, err error)
}

// Source is one file's name and content.
type Source struct {
	Name string
	Data []byte
}
