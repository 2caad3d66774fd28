package config

// Options says how strictly input is read.
type Options struct {
	// Strict applies Cloudflare's own limits and turns warnings about unknown fields and dangling ids into errors.
	Strict bool
	// Profile chooses the timeouts and limits that the weir section does not give; "" is ProfileCloudflare.
	Profile Profile
}

// Source is one file's name and content.
type Source struct {
	Name string
	Data []byte
}
