package checks

import (
	"net/http"
	"time"

	"stickwatch/probes"
)

// An Outcome is what one request of a client came to, as the person in front of
// the browser met it.
type Outcome string

// The outcomes, the more harmful first: where several fit, the first counts.
const (
	OutcomeError     Outcome = "error"      // no answer, a time-out, 5xx, or a 4xx that new clients do not get
	OutcomeForeign   Outcome = "foreign"    // the session or the value of another client
	OutcomeLost      Outcome = "lost"       // the session's id or value was gone
	OutcomeStale     Outcome = "stale"      // an older value than was stored
	OutcomeWrongPage Outcome = "wrong_page" // 2xx or 3xx that is not the page
	OutcomeMoved     Outcome = "moved"      // served by another node than its own, and nothing was lost; only where a policy says that clients stay
	OutcomeServed    Outcome = "served"
	OutcomeUnknown   Outcome = "unknown" // the answer does not tell; left out of ratios
)

// Outcomes lists every Outcome, the most harmful first.
var Outcomes = []Outcome{
	OutcomeError, OutcomeForeign, OutcomeLost, OutcomeStale, OutcomeWrongPage, OutcomeMoved, OutcomeServed, OutcomeUnknown,
}

// Harmful reports whether the client was worse off than one of a single server.
func (o Outcome) Harmful() bool {
	switch o {
	case OutcomeError, OutcomeForeign, OutcomeLost, OutcomeStale, OutcomeWrongPage:
		return true
	default:
		return false
	}
}

// Good reports whether the client was served and kept its session.
func (o Outcome) Good() bool { return o == OutcomeServed || o == OutcomeMoved }

// A Request is one request of a client of ours through the balancer.
type Request struct {
	Cluster  string
	Balancer string // the address of the balancer, as a Target of kind balancer names it
	Node     string // id of the node that owns the session; "": not told
	At       time.Time
	Latency  time.Duration
	Outcome  Outcome
}

// Affected is how many clients a finding concerns.
type Affected struct {
	Share float64 // of clients, estimated, in [0, 1]
	Of    int     // how many observed clients that is estimated from; 0: not known
}

// refused reports whether an answer is a client error that is not the page.
func refused(ex probes.Exchange) bool {
	return ex.Status >= http.StatusBadRequest && ex.Status < http.StatusInternalServerError
}
