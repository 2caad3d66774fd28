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

// isCountry reports a country as CF-IPCountry carries it: two capital letters or digits, such as DE, XX or T1.
func isCountry(b []byte) bool {
	return len(b) == 2 && isCapital(b[0]) && (isCapital(b[1]) || b[1] == '1')
}

func isCapital(c byte) bool { return 'A' <= c && c <= 'Z' }

// countries holds every two-letter text once, so that a country from a header costs no allocation.
var countries = func() (all [26 * 26]string) {
	for i := range all {
		all[i] = string([]byte{byte('A' + i/26), byte('A' + i%26)})
	}
	return all
}()

func countryText(b []byte) string {
	if b[1] == '1' {
		return string(b)
	}
	return countries[int(b[0]-'A')*26+int(b[1]-'A')]
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
