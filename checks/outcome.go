package checks

import (
	"net/http"
	"net/netip"
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
	Balancer string             // the address of the balancer, as a Target of kind balancer names it
	Node     string             // id of the node that owns the session; "": not told
	Session  probes.Fingerprint // that the client was given first; "": no id is visible
	At       time.Time
	Latency  time.Duration
	Outcome  Outcome
}

// harmSpan is from the first to the last of some requests.
func harmSpan(answers []*answer) Span {
	var s Span
	for _, a := range answers {
		if s.From.IsZero() || a.At.Before(s.From) {
			s.From = a.At
		}
		if end := a.At.Add(a.Timing.Total); end.After(s.To) {
			s.To = end
		}
	}
	return s
}

// A pageShape is what is known of the page that clients ask for, so that an answer
// that is something else can be told from it.
type pageShape struct {
	labelled     bool // whoever gives it tells which node that is
	showsSession bool // it shows the session's id itself
	served       bool // new clients, or nodes asked directly, get it with 2xx or 3xx
}

// expectedPage looks at how the nodes answer when they are asked directly, and what
// new clients get.
func (v *nodeStates) expectedPage() pageShape {
	p := pageShape{}
	asked := 0
	for _, o := range v.active {
		if o.Session == nil || o.Session.Failure != "" || o.Session.Status >= http.StatusBadRequest || !v.ready(o.Node) {
			continue
		}
		asked++
		p.labelled = p.labelled || o.Session.Label != ""
		p.showsSession = p.showsSession || o.Session.ShowsSession
		p.served = true
	}
	if asked > 0 {
		return p
	}
	for _, w := range v.Traces {
		if first := w.First(); !w.Continued && first.Failure == "" && first.Answered() && first.Status < http.StatusBadRequest {
			p.served = true
			p.labelled = p.labelled || first.Label != ""
			p.showsSession = p.showsSession || first.ShowsSession
		}
	}
	return p
}

// isWrong reports whether an answer is some other page: it tells neither its node
// nor the session, where the page does, and shows no value.
func (p pageShape) isWrong(ex probes.Exchange) bool {
	return p.labelled && !ex.Truncated && ex.Failure == "" && ex.Answered() && ex.Status < http.StatusBadRequest &&
		ex.Label == "" && ex.Value == "" && !ex.ShowsSession
}

// outcomeOf is what a client met.
func (v *outcomes) outcomeOf(a *answer) Outcome {
	moved := a.moved() && (v.policy() == probes.PolicySticky || v.policy() == probes.PolicyReplicated)
	if o := v.page.outcome(a.Step, a.sessionOutcome, moved); a.foreign == nil || o == OutcomeError {
		return o
	}
	return OutcomeForeign
}

// outcome is what a client met by one step, as far as that step tells.
func (p pageShape) outcome(s probes.Step, sessionOutcome probes.SessionOutcome, moved bool) Outcome {
	missing := s.Status == http.StatusNotFound || s.Status == http.StatusMethodNotAllowed
	switch {
	case s.Failure == probes.FailureCancelled || !completed(s.Exchange):
		return OutcomeUnknown
	case s.Failure != "" || s.Status >= http.StatusInternalServerError:
		return OutcomeError
	case s.Status >= http.StatusBadRequest && (!p.served || s.Kind == probes.StepWrite && missing):
		return OutcomeUnknown // a matter of configuration: there is no such page, or no way to store a value
	case s.Status >= http.StatusBadRequest:
		return OutcomeError
	case s.Kind != probes.StepWrite && p.isWrong(s.Exchange):
		return OutcomeWrongPage
	case sessionOutcome == probes.SessionLost:
		return OutcomeLost
	case sessionOutcome == probes.SessionStale:
		return OutcomeStale
	case moved:
		return OutcomeMoved
	default:
		return OutcomeServed
	}
}

// OutcomeOf is what the ith request of a client came to, for requests between two
// rounds: as far as the newest report and the client's own answers tell.
func (r Report) OutcomeOf(w probes.Trace, i int, who Identity) Outcome {
	owner, node := who.NodeOf(w.OpenedBy), who.NodeOf(w.Steps[i].Label)
	stays := r.Session.Policy == probes.PolicySticky || r.Session.Policy == probes.PolicyReplicated
	return r.page.outcome(w.Steps[i], w.SessionOutcome(i), stays && owner != "" && node != "" && node != owner)
}

// requests are the requests of this round's clients with what they came to. Those
// between two rounds have been told by then.
func requests(v *outcomes) []Request {
	var list []Request
	for _, a := range v.answers {
		owner := a.trace.openedBy
		if id := v.identity.NodeOf(a.trace.OpenedBy); id != "" {
			owner = id
		}
		list = append(list, Request{
			Cluster: v.Cluster.Name, Balancer: BalancerName(a.trace.URL, a.trace.Balancer), Node: owner, Session: a.trace.First().Session,
			At: a.At, Latency: a.Timing.Total, Outcome: a.outcome,
		})
	}
	return list
}

// BalancerName is an address of the balancer as a Target names it: its URL, and
// the address that was dialled.
func BalancerName(url string, at netip.AddrPort) string {
	if !at.IsValid() {
		return url
	}
	return url + " " + at.String()
}
