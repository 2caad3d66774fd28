package health

// quorum joins the statuses of several vantage points, or of several regions, into one: Up when more than half are up,
// so that a tie is not a majority (behaviour H10). Unknown ones are not up, but the answer is Down only when they
// could no longer make it Up, and Unknown until then.
func quorum(statuses []Status) Status {
	var up, open int
	for _, s := range statuses {
		switch s {
		case Up:
			up++
		case Unknown:
			open++
		case Down:
		default:
			panic("BUG: no such status")
		}
	}
	switch n := len(statuses); {
	case 2*up > n:
		return Up
	case n == 0 || 2*(up+open) > n:
		return Unknown
	default:
		return Down
	}
}
