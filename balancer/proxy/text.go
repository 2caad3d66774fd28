package proxy

import (
	"net/http"
	"strings"
)

// statusText is the reason phrase of weir's own answers.
func statusText(status int) string {
	switch status {
	case 520:
		return "Web Server Returned an Unknown Error"
	case 521:
		return "Web Server Is Down"
	case 522:
		return "Connection Timed Out"
	case 523:
		return "Origin Is Unreachable"
	case 524:
		return "A Timeout Occurred"
	case 525:
		return "SSL Handshake Failed"
	case 526:
		return "Invalid SSL Certificate"
	case 530:
		return "Origin DNS Error"
	}
	return http.StatusText(status)
}

// secret reports a field that TRACE must not echo (RFC 9110 §9.3.8).
func secret(name []byte) bool {
	switch strings.ToLower(string(name)) {
	case "authorization", "cookie", "proxy-authorization":
		return true
	}
	return false
}

// headerSafe is s as a field value: names come from configuration and may hold anything.
func headerSafe(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}
