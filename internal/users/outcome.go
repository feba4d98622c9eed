package users

import "slices"

// An Outcome is the result of one request from the user's point of view.
type Outcome string

// The outcomes, the most severe first. A request has the first one that applies.
const (
	Error     Outcome = "error"      // no answer, time-out, 4xx or 5xx
	Foreign   Outcome = "foreign"    // another user's session or value
	Lost      Outcome = "lost"       // the session id or the value is gone
	Stale     Outcome = "stale"      // an older value
	WrongPage Outcome = "wrong_page" // 2xx or 3xx that is not the page
	Moved     Outcome = "moved"      // served by another node although sessions are sticky
	Served    Outcome = "served"
	Unknown   Outcome = "unknown" // the answer shows too little
)

// Outcomes lists every Outcome, the most severe first.
var Outcomes = []Outcome{Error, Foreign, Lost, Stale, WrongPage, Moved, Served, Unknown}

// Harmful reports whether a user notices the outcome.
func (o Outcome) Harmful() bool {
	return slices.Contains([]Outcome{Error, Foreign, Lost, Stale, WrongPage}, o)
}
