package health

// Why an attempt failed, in the headings of Cloudflare's page "Common error codes". Verdicts and events use the same
// words.
const (
	NoFailures          = "No failures"
	TCPConnectionFailed = "TCP connection failed"
	TCPTimeout          = "TCP Timeout"
	NoRoute             = "No route to host error"
	NetworkUnreachable  = "Network Unreachable"
	ConnectionReset     = "Connection Reset by Peer"
	DNSUnknownHost      = "DNS Unknown Host"
	DNSInternal         = "DNS Internal"
	TLSUntrusted        = "TLS untrusted certificate error"
	TLSNameMismatch     = "TLS name mismatch error"
	TLSProtocol         = "TLS protocol error"
	TLSUnrecognizedName = "TLS unrecognized name error"
	TLSHandshakeFailure = "TLS Handshake Failure"
	HTTPTimeout         = "HTTP timeout occurred"
	HTTPInvalidResponse = "HTTP Invalid Response"
	CodeMismatch        = "Response code mismatch error"
	BodyMismatch        = "Response body mismatch error"
	MonitorConfigError  = "Monitor Config Error"
	OtherFailure        = "Other Failure"
)

// Reasons returns every reason, in the order of docs/reasons.md.
func Reasons() []string {
	return []string{
		NoFailures,
		TCPConnectionFailed, TCPTimeout, NoRoute, NetworkUnreachable, ConnectionReset,
		DNSUnknownHost, DNSInternal,
		TLSUntrusted, TLSNameMismatch, TLSProtocol, TLSUnrecognizedName, TLSHandshakeFailure,
		HTTPTimeout, HTTPInvalidResponse, CodeMismatch, BodyMismatch,
		MonitorConfigError, OtherFailure,
	}
}
