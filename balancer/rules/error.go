package rules

import (
	"errors"
	"fmt"
)

// Error says why a condition cannot be evaluated.
type Error struct {
	Offset  int    // byte of the condition, from 0; its length when something is missing at the end
	Message string // what is wrong
	Want    string // what would be right
}

func (e *Error) Error() string { return fmt.Sprintf("at byte %d: %s; %s", e.Offset, e.Message, e.Want) }

// Check reports what is wrong with a condition and at which byte. It is what a reader of configuration asks, which states
// positions itself: the error does not repeat the offset. Weir serves every load balancer as proxied, so that it does not
// matter whether this one is.
func Check(condition string, _ bool) (offset int, err error) {
	if _, err = Compile(condition); err == nil {
		return 0, nil
	}
	var e *Error
	if !errors.As(err, &e) {
		panic("BUG: compiling a condition failed with " + err.Error())
	}
	return e.Offset, errors.New(e.Message + "; " + e.Want)
}
