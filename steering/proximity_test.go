package steering_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/weirlb/weir/steering"
	"github.com/weirlb/weir/steering/steeringtest"
)

func at(lat, lon float64) steering.Place { return steering.Place{Lat: lat, Lon: lon, Located: true} }

// Airports, as in the worked example of behaviour G5.
var (
	fra = at(50.03, 8.57)
	ams = at(52.31, 4.76)
	iad = at(38.94, -77.46)
	sin = at(1.36, 103.99)
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b steering.Place
		km   int
	}{
		{"FRA to AMS", fra, ams, 367},
		{"FRA to IAD", fra, iad, 6551},
		{"FRA to SIN", fra, sin, 10278},
		{"the same place", sin, sin, 0},
		{"across the date line", at(0, 179.5), at(0, -179.5), 111},
		{"not across the date line", at(0, 179.5), at(0, 170), 1056},
		{"a fifth of a degree across the date line", at(0, 179.9), at(0, -179.9), 22},
		{"180 east is 180 west", at(10, 180), at(10, -180), 0},
		{"all meridians meet at a pole", at(90, 0), at(90, 137), 0},
		{"and at the other", at(-90, -12), at(-90, 100), 0},
		{"over the pole", at(89.5, 10), at(89.5, -170), 111},
		{"pole to pole", at(90, 0), at(-90, 0), 20015},
		{"to the other side of the globe", at(12.5, 30), at(-12.5, -150), 20015},
		{"a quarter of the equator", at(0, -45), at(0, 45), 10008},
	} {
		for _, d := range []int{steering.Distance(c.a, c.b), steering.Distance(c.b, c.a)} {
			if got := int(math.Round(float64(d) / 1000)); got != c.km {
				t.Errorf("%s: %d m; it must be %d km", c.name, d, c.km)
			}
		}
	}
}

// Against the textbook form of the haversine formula, on a grid over the globe.
func TestDistanceIsTheHaversine(t *testing.T) {
	const degree = math.Pi / 180
	haversine := func(a, b steering.Place) float64 {
		s, u := math.Sin((b.Lat-a.Lat)*degree/2), math.Sin((b.Lon-a.Lon)*degree/2)
		h := s*s + math.Cos(a.Lat*degree)*math.Cos(b.Lat*degree)*u*u
		return 2 * 6371e3 * math.Asin(math.Sqrt(min(h, 1)))
	}
	for lat := -90.0; lat <= 90; lat += 15 {
		for lon := -180.0; lon <= 180; lon += 20 {
			for _, from := range []steering.Place{fra, sin, at(0, 0), at(-90, 0), at(0.001, 179.999)} {
				to := at(lat, lon)
				got, want := float64(steering.Distance(from, to)), haversine(from, to)
				if math.Abs(got-want) > 1 { // rounded to metres; near the antipode either formula is good to 0.2 m
					t.Errorf("%v to %v is %v m; the haversine formula says %.1f", from, to, got, want)
				}
			}
		}
	}
}

// Behaviour G5: nearest first; pools without coordinates last, in order; ties by order.
func TestProximityOrder(t *testing.T) {
	nowhere := steering.Place{}
	for _, c := range []struct {
		name  string
		from  steering.Place
		pools []steering.Place
		want  []int
	}{
		{"the worked example, from FRA: AMS, IAD, SIN", fra, []steering.Place{sin, iad, ams}, []int{2, 1, 0}},
		{"longitude wraps", at(0, 179.5), []steering.Place{at(0, 170), at(0, -179.5)}, []int{1, 0}},
		{"without coordinates last, in order", fra, []steering.Place{nowhere, sin, nowhere, ams}, []int{3, 1, 0, 2}},
		{"none has coordinates: failover order", fra, []steering.Place{nowhere, nowhere}, []int{0, 1}},
		{"the request's place is not known: failover order", nowhere, []steering.Place{sin, ams, nowhere}, []int{0, 1, 2}},
		{"two in one city go by order", fra, []steering.Place{iad, ams, ams}, []int{1, 2, 0}},
		{"either side goes by order", at(0, 10), []steering.Place{at(0, 11), at(0, 9)}, []int{0, 1}},
		{"either side, the other way round", at(0, 10), []steering.Place{at(0, 9), at(0, 11)}, []int{0, 1}},
		{"0, 0 is a place", at(1, 1), []steering.Place{ams, at(0, 0)}, []int{1, 0}},
		{"from a pole", at(90, 55), []steering.Place{sin, iad, ams}, []int{2, 1, 0}},
	} {
		targets := make([]steering.Target, len(c.pools))
		for i, p := range c.pools {
			targets[i] = steering.Target{Identity: uint64(i), Lat: p.Lat, Lon: p.Lon, Located: p.Located}
		}
		got := order(t, steering.Proximity, targets, steering.Input{Place: c.from})
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: the order is %v; it must be %v", c.name, got, c.want)
		}
	}
}

func TestCompileRefusesPlacesOffTheGlobe(t *testing.T) {
	for _, p := range []steering.Place{at(90.1, 0), at(-91, 0), at(0, 180.5), at(0, -181), at(math.NaN(), 0), at(0, math.Inf(1))} {
		_, err := steering.Compile(steering.Proximity, []steering.Target{{Lat: p.Lat, Lon: p.Lon, Located: true}})
		if err == nil || !strings.Contains(err.Error(), "it must be -90 to 90 and -180 to 180 degrees") {
			t.Errorf("compiling a target at %v: error %v", p, err)
		}
	}
	if steeringtest.Compile(t, steering.Proximity, []steering.Target{{Lat: 91}}) == nil {
		t.Error("coordinates that are not given count")
	}
}
