package config

// Options says how strictly input is read.
type Options struct {
	// Strict applies Cloudflare's own limits and turns warnings about unknown fields and dangling ids into errors.
	Strict bool
}

// Source is one file's name and content.
type Source struct {
	Name string
	Data []byte
}

// Severity of a Problem.
type Severity uint8

const (
	Error Severity = iota
	Warning
	// Note marks what is legal and kept but cannot act here; shown by weir check -v.
	Note
)

// Problem is one thing wrong, or surprising, in the input.
type Problem struct {
	Severity Severity
	Pos      Position
	Pointer  string // JSON pointer from the document's root
	What     string // what is wrong
	Want     string // what would be right
}
