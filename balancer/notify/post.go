package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/weirlb/weir/config"
)

// How an alert is delivered (behaviour W6).
const (
	tries      = 5                // attempts per alert
	firstPause = time.Second      // before the second attempt; doubled before each further one
	mostPause  = time.Minute      // whatever a Retry-After asks for
	answerWait = 10 * time.Second // one attempt, from dialling to the answer's end
	dialWait   = 5 * time.Second  // connecting, and likewise the TLS handshake
	idleWait   = 30 * time.Second // an unused connection
	mostHeader = 16 << 10         // bytes of an answer's header
	mostAnswer = 4 << 10          // bytes of an answer's body that are read, to use the connection again
)

const (
	secretField = "cf-webhook-auth" // sent in lower case, as it is documented
	userAgent   = "weir"
)

// newTransport verifies certificates against the system's roots, and goes through the proxy that the environment names.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: dialWait}).DialContext,
		TLSHandshakeTimeout:    dialWait,
		IdleConnTimeout:        idleWait,
		MaxResponseHeaderBytes: mostHeader,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
	}
}

// attempt is how one POST ended.
type attempt struct {
	err    error         // nil: delivered. It names neither the secret nor the URL
	status int           // of the answer; 0 without one
	again  bool          // another attempt may help
	wait   time.Duration // the receiver's own wish, from Retry-After; 0 for none
}

// post makes one attempt. It does without http.Client, which would follow redirects (the next host has no business with
// the secret) and which puts the URL into its errors.
func post(ctx context.Context, via http.RoundTripper, to *target, body []byte) attempt {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.url, bytes.NewReader(body))
	if err != nil {
		return attempt{err: errors.New("the webhook's URL cannot be used")} // err would show it
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", userAgent)
	if to.secret != "" {
		req.Header[secretField] = []string{to.secret}
	}
	if user := req.URL.User; user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	res, err := via.RoundTrip(req)
	switch {
	case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return attempt{err: fmt.Errorf("no answer within %v", answerWait), again: true}
	case err != nil:
		return attempt{err: err, again: true}
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, mostAnswer) // the status has told everything
	return judge(res.StatusCode, res.Header, time.Now())
}

// judge says what an answer means. 2xx is thanks; 429 and 5xx may pass; everything else would be the same next time.
func judge(status int, header http.Header, now time.Time) attempt {
	a := attempt{status: status}
	switch {
	case status >= 200 && status < 300:
		return a
	case status == http.StatusTooManyRequests, status >= 500:
		a.again, a.wait = true, retryAfter(header.Get("Retry-After"), now)
	}
	a.err = fmt.Errorf("the answer was %s", strings.TrimSpace(strconv.Itoa(status)+" "+http.StatusText(status)))
	if status >= 300 && status < 400 {
		a.err = fmt.Errorf("%w, and redirects are not followed; configure the URL it leads to", a.err)
	}
	return a
}

// retryAfter reads a Retry-After (RFC 9110 §10.2.3): seconds, or a date. What cannot be read asks for nothing.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return mostPause // more than four billion seconds
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(at.Sub(now), 0)
}

// pause is the time before the attempt that follows the n-th, counted from 1. A receiver may ask for more patience, up
// to a minute, and never for less.
func pause(n int, asked time.Duration) time.Duration {
	return min(max(firstPause<<(n-1), asked), mostPause)
}

// labelOf is what a webhook is called in reports: its name, else where its URL leads, without what may be a secret.
func labelOf(h *config.Webhook) string {
	if h.Name != "" {
		return h.Name
	}
	u, err := url.Parse(h.URL)
	if err != nil {
		return "an unnamed webhook"
	}
	return u.Scheme + "://" + u.Host
}
