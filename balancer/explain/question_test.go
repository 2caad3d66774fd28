package explain

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseQuestion(t *testing.T) {
	got, err := ParseQuestion(url.Values{
		"client": {"::ffff:203.0.113.7"}, "host": {"www.example.com"}, "method": {"POST"}, "path": {"/a/b?x=1&y=?"},
		"header": {"X-One: 1", "x-two:2 "}, "cookie": {"a=1", "__cflb=abc"}, "https": {"true"}, "pop": {"lax"}, "region": {"wnam"},
		"country": {"us"}, "seed": {"0xff"}, "now": {"2026-01-02T03:04:05Z"},
	})
	want := Question{
		Client: netip.MustParseAddr("203.0.113.7"), Host: "www.example.com", Method: "POST", Path: "/a/b", Query: "x=1&y=?",
		Fields: Fields{{"X-One", "1"}, {"x-two", "2"}, {"Cookie", "a=1"}, {"Cookie", "__cflb=abc"}}, HTTPS: true,
		PoP: "lax", Region: "WNAM", Country: "US", Seed: 255, Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
}

// What is wrong is named, with what would be right. Nothing that is not understood is passed over.
func TestParseQuestionRefuses(t *testing.T) {
	for query, says := range map[string]string{
		"client=here":                   `client is "here"; use an IP address`,
		"client=192.0.2.1&client=::1":   "client is given 2 times",
		"clinet=192.0.2.1":              "clinet is no parameter; use client, host,",
		"method=GET%20/":                "method is",
		"path=x":                        "path is",
		"path=/%0a":                     "path is",
		"header=x":                      `use "Name: value"`,
		"header=Host:+a":                "header is",
		"header=X:+a%0d%0aY:+b":         "header is",
		"cookie=x":                      `use "name=value"`,
		"https=perhaps":                 "true or false",
		"pop=not-a-pop":                 "pop is",
		"region=EUROPE":                 "one of WNAM, ENAM",
		"country=DEU":                   "two letters",
		"country=D":                     "two letters",
		"seed=-1":                       "seed is",
		"now=noon":                      "now is",
		"https=true&https=true":         "https is given 2 times",
		"seed=18446744073709551616":     "seed is",
		"region=WEU&country=DE&pop=é":   "pop is",
		"header=%00:+1":                 "header is",
		"host=a.example&host=b.example": "host is given 2 times",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseQuestion(values); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want an error that says %q", query, err, says)
		}
	}
	if q, err := ParseQuestion(url.Values{"client": {""}, "country": {""}}); err != nil || q.Client.IsValid() {
		t.Errorf("empty parameters: %v, want them to be as good as absent", err)
	}
}

func TestFields(t *testing.T) {
	f := Fields{{"Cookie", "a=1; b=2"}, {"X", "1"}, {"cookie", " c=3;a=4"}, {"x", "2"}}
	if string(f.Get("X")) != "1" || f.Get("y") != nil || string(f.Cookie("a")) != "1" || string(f.Cookie("c")) != "3" || f.Cookie("A") != nil {
		t.Error("a field or a cookie is not the one")
	}
	var all []string
	for from := 0; ; {
		value, next, found := f.Next("x", from)
		if !found {
			break
		}
		all = append(all, string(value))
		from = next
	}
	if diff := cmp.Diff([]string{"1", "2"}, all); diff != "" {
		t.Errorf("lines of X: -want +got:\n%s", diff)
	}
}

// A question that leaves everything open is one that the first load balancer in use answers.
func TestDefaults(t *testing.T) {
	s := world(t)
	report := (&Question{}).Ask(s, nil, time.Unix(1000, 0))
	if report.Host != "www.example.com" || report.Method != "GET" || report.Path != "/" || report.Client != netip.MustParseAddr("127.0.0.1") ||
		!report.Time.Equal(time.Unix(1000, 0)) || report.Place.PoP != "FRA" || report.Place.Country != "DE" || report.Seed != "0x0" {
		t.Errorf("%+v", report)
	}
	for name, want := range map[string]string{"*.example.com": "www.example.com", "example.com": "example.com"} {
		s.LoadBalancers()[0].Config.Name = name // the snapshot is this test's own
		if got := someHost(s); got != want {
			t.Errorf("a host of %s: %s, want %s", name, got, want)
		}
	}
}

// The country is what was said, else what the database says, else that of the place (behaviour G7).
func TestCountryOfTheClient(t *testing.T) {
	s := world(t)
	knows := func(netip.Addr) ([2]byte, bool) { return [2]byte{'J', 'P'}, true }
	silent := func(netip.Addr) ([2]byte, bool) { return [2]byte{}, false }
	for _, c := range []struct {
		said string
		by   Countries
		want string
	}{{"", nil, "DE"}, {"", silent, "DE"}, {"", knows, "JP"}, {"US", knows, "US"}, {"XX", knows, "JP"}, {"XX", nil, "DE"}} {
		q := Question{Country: c.said}
		if got := q.Ask(s, c.by, time.Unix(0, 0)).Place.Country; got != c.want {
			t.Errorf("%q: country %s, want %s", c.said, got, c.want)
		}
	}
}
