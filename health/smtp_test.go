package health

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// mail is a server that says its replies in turn: the greeting, then one to each line. "" is silence, "-" a close.
func mail(heard chan<- string, replies ...string) func(net.Conn) {
	return func(conn net.Conn) {
		in := bufio.NewReader(conn)
		for i, reply := range replies {
			if i > 0 {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if heard != nil {
					heard <- line
				}
			}
			switch reply {
			case "-":
				return
			case "":
				silence(conn)
			}
			_, _ = io.WriteString(conn, reply)
		}
		silence(conn)
	}
}

func TestSMTP(t *testing.T) {
	for family, host := range loopbacks {
		t.Run(family, func(t *testing.T) {
			heard := make(chan string, 2)
			at := startOrigin(t, host, nil, mail(heard,
				"220-mail.example ESMTP\r\n220-no jokes\r\n220 ready\r\n", "250 mail.example\r\n", "221 2.0.0 bye\r\n"))
			m := httpMonitor()
			m.Type = "smtp"
			r := probe(t, &network{}, targetAt(at, m))
			if !r.Passed() || r.IP != at.Addr() || r.ResponseCode != 0 {
				t.Errorf("M3: %+v", r)
			}
			if helo, quit := <-heard, <-heard; !strings.HasPrefix(helo, "HELO ") || quit != "QUIT\r\n" {
				t.Errorf("M3: it said %q and %q", helo, quit)
			}
		})
	}
}

func TestSMTPFailures(t *testing.T) {
	const hello, ok = "220 mail.example\r\n", "250 mail.example\r\n"
	for _, tt := range []struct {
		name    string
		replies []string
		want    string
		detail  string
		retry   bool
	}{
		{"no greeting", []string{""}, TCPTimeout, "the greeting", true},
		{"no reply to HELO", []string{hello, ""}, TCPTimeout, "HELO", true},
		{"no reply to QUIT", []string{hello, ok, ""}, TCPTimeout, "QUIT", true},
		{"half a reply", []string{hello, "250-mail.example\r\n"}, TCPTimeout, "HELO", true},
		{"not at home", []string{"554 no service\r\n"}, CodeMismatch, "the greeting: got 554 no service, expected 220", false},
		{"HELO refused", []string{hello, "550-go\r\n550 away\r\n"}, CodeMismatch, "got 550", false},
		{"HELO misunderstood", []string{hello, "251 mail.example\r\n"}, CodeMismatch, "expected 250", false},
		{"QUIT refused", []string{hello, ok, "250 why\r\n"}, CodeMismatch, "expected 221", false},
		{"closed at once", []string{"-"}, OtherFailure, "the greeting", false},
		{"closed after HELO", []string{hello, "-"}, OtherFailure, "HELO", false},
		{"not SMTP", []string{"HTTP/1.1 400 Bad Request\r\n\r\n"}, OtherFailure, "the greeting", false},
		{"too talkative", []string{strings.Repeat("220-"+strings.Repeat("x", 1000)+"\r\n", 100)}, OtherFailure, "the greeting", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at := startOrigin(t, "127.0.0.1", nil, mail(nil, tt.replies...))
			m := httpMonitor()
			m.Type = "smtp"
			if tt.retry {
				m.Timeout = 100 * time.Millisecond
			}
			r := probe(t, &network{}, targetAt(at, m))
			if r.Reason != tt.want || !strings.Contains(r.Detail, tt.detail) || r.Timeout != tt.retry || r.NoVerdict {
				t.Errorf("M3: got %+v, want %s with %q", r, tt.want, tt.detail)
			}
		})
	}
}

func TestSMTPDoesNotConnect(t *testing.T) {
	at, n := closedPort(t)
	m := httpMonitor()
	m.Type = "smtp"
	if r := probe(t, n, targetAt(at, m)); r.Reason != TCPConnectionFailed || r.Timeout {
		t.Errorf("M3: %+v", r)
	}
	at = startOrigin(t, "127.0.0.1", nil, func(conn net.Conn) { _ = conn.(*net.TCPConn).SetLinger(0) })
	if r := probe(t, n, targetAt(at, m)); r.Reason != ConnectionReset && r.Reason != TCPConnectionFailed {
		t.Errorf("M3: %+v", r)
	}
}
