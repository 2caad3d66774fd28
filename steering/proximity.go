package steering

import "math"

// earth is the radius of the sphere that distances are taken on, in metres: the mean radius, rounded to kilometres.
const earth = 6371e3

// Place is a point on the globe, in degrees north and east.
type Place struct {
	Lat, Lon float64
	Located  bool // Lat and Lon are known
}

// Distance is the great-circle distance of two places on a sphere of 6371 km, in whole metres. Both must be located.
func Distance(a, b Place) int { return metres(a.point().haversine(b.point())) }

// nearest is `proximity`: the open target closest to the request's place. Targets without coordinates come after all
// others, in the order of configuration, and so does everybody when the place is not known; ties go by that order, too
// (behaviour G5). Weights do not matter to it.
//
// Decision: distances are compared in whole metres. Because: coordinates are not given more exactly than that, and the
// last digits of a sine differ from one make of CPU to the next, so that two pools in one city, or either side of a
// place, would take turns at being first. Instead of: comparing the last digits.
type nearest struct {
	points  []point
	located []bool
}

func newNearest(targets []Target) Picker {
	p := &nearest{points: make([]point, len(targets)), located: make([]bool, len(targets))}
	for i, t := range targets {
		p.points[i], p.located[i] = Place{Lat: t.Lat, Lon: t.Lon}.point(), t.Located
	}
	return p
}

func (p *nearest) Pick(in Input, ok Set) int {
	if !in.Place.Located {
		return inOrder{}.Pick(in, ok)
	}
	here := in.Place.point()
	best, first := None, None
	least, closest := math.MaxInt, math.Inf(1)
	for i := range ok.each {
		if first == None {
			first = i
		}
		if !p.located[i] {
			continue
		}
		h := here.haversine(p.points[i])
		if h >= closest { // nor fewer metres, then, and few targets get past this
			continue
		}
		closest = h
		if d := metres(h); d < least {
			best, least = i, d
		}
	}
	if best == None {
		return first
	}
	return best
}

func (p *nearest) Shares(in Input, ok Set, dst []float64) []float64 { return all(p.Pick(in, ok), dst) }

// point is a place as a vector from the middle of a sphere of radius 1. Vectors know of no date line and of no poles.
type point struct{ x, y, z float64 }

func (p Place) point() point {
	north, up := math.Sincos(p.Lat * (math.Pi / 180))
	y, x := math.Sincos(p.Lon * (math.Pi / 180))
	return point{x: up * x, y: up * y, z: north}
}

// haversine of the angle between two vectors: a quarter of the square of the chord between their ends.
func (a point) haversine(b point) float64 {
	dx, dy, dz := a.x-b.x, a.y-b.y, a.z-b.z
	return (dx*dx + dy*dy + dz*dz) / 4
}

// metres is the length of the arc of a haversine.
func metres(haversine float64) int {
	return int(math.Round(2 * earth * math.Asin(math.Sqrt(min(haversine, 1)))))
}
