package checks

import (
	"cmp"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"stickwatch/probes"
)

// An Outcome is the result of one request of a client, as its user experiences it.
type Outcome string

// The outcomes, the most harmful first. If several apply, the first one counts.
const (
	OutcomeError     Outcome = "error"      // no answer, a time-out, 5xx, or a 4xx that new clients do not get
	OutcomeForeign   Outcome = "foreign"    // the session or the value of another client
	OutcomeLost      Outcome = "lost"       // the session's id or value was gone
	OutcomeStale     Outcome = "stale"      // an older value than was stored
	OutcomeWrongPage Outcome = "wrong_page" // 2xx or 3xx that is not the page
	OutcomeMoved     Outcome = "moved"      // served by another node without loss, under a policy by which clients stay on their node
	OutcomeServed    Outcome = "served"
	OutcomeUnknown   Outcome = "unknown" // the answer does not show it; not counted in ratios
)

// Outcomes lists every Outcome, the most harmful first.
var Outcomes = []Outcome{
	OutcomeError, OutcomeForeign, OutcomeLost, OutcomeStale, OutcomeWrongPage, OutcomeMoved, OutcomeServed, OutcomeUnknown,
}

// Harmful reports whether the client was worse off than with a single server.
func (o Outcome) Harmful() bool {
	switch o {
	case OutcomeError, OutcomeForeign, OutcomeLost, OutcomeStale, OutcomeWrongPage:
		return true
	default:
		return false
	}
}

// LostSession reports whether the client did not get its session, or not as it was.
func (o Outcome) LostSession() bool {
	return o == OutcomeLost || o == OutcomeStale || o == OutcomeForeign
}

// WorseThan reports whether o is more harmful than another outcome.
func (o Outcome) WorseThan(other Outcome) bool {
	return slices.Index(Outcomes, o) < slices.Index(Outcomes, other)
}

// Good reports whether the client was served and kept its session.
func (o Outcome) Good() bool { return o == OutcomeServed || o == OutcomeMoved }

// A Request is one request of a client of ours through the balancer.
type Request struct {
	Cluster  string
	Balancer string             // address of the balancer, as in a Target of kind balancer
	Node     string             // id of the listed node that owns the session; "": not known
	Served   string             // id of the listed node that answered; "": not known
	Canary   bool               // the session was opened in an earlier round
	Session  probes.Fingerprint // first session of the client; "": no id is visible
	At       time.Time
	Latency  time.Duration
	Outcome  Outcome
}

// harmSpan returns the time from the first to the last of some requests.
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

// A pageShape is what is known of the page that clients request, to distinguish it from
// other pages.
type pageShape struct {
	labelled     bool // it carries the label of the node that answers
	showsSession bool // it shows the session id
	named        bool // it has no label, and the balancer names the node
	served       bool // new clients, or nodes asked directly, get it with 2xx or 3xx, or did so in an earlier round
}

// expectedPage derives the page from the answers of nodes that were asked directly,
// or else from those of new clients.
func (ns *nodeStates) expectedPage() pageShape {
	p := pageShape{served: ns.round.past().Balancer.Served}
	asked := 0
	for _, o := range ns.enabled {
		if o.Session == nil || o.Session.Failure != "" || o.Session.Status >= http.StatusBadRequest || !ns.ready(o.Node) {
			continue
		}
		asked++
		p.labelled = p.labelled || o.Session.Label != ""
		p.showsSession = p.showsSession || o.Session.ShowsSession
		p.served = true
	}
	if asked > 0 {
		p.named = !p.labelled && slices.ContainsFunc(ns.round.Traces, func(tr probes.Trace) bool { return len(tr.Steps) > 0 && tr.First().Label != "" })
		return p
	}
	for _, tr := range ns.round.Traces {
		if first := tr.First(); !tr.Continued && first.Failure == "" && first.Answered() && first.Status < http.StatusBadRequest {
			p.served = true
			p.labelled = p.labelled || first.Label != ""
			p.showsSession = p.showsSession || first.ShowsSession
		}
	}
	return p
}

// isWrong reports whether an answer is another page: it shows no node label, although
// the page does, and neither session nor value. Where not the page, but the balancer names the
// node, it is one that gives a new client no session.
func (p pageShape) isWrong(ex probes.Exchange) bool {
	nothing := p.labelled && ex.ShowsNothing()
	if p.named {
		nothing = p.showsSession && ex.Session == "" && !ex.ShowsSession && ex.Value == "" && len(ex.Rejected) == 0
	}
	return nothing && !ex.Truncated && ex.Failure == "" && ex.Answered() && ex.Status < http.StatusBadRequest
}

// outcomeOf returns the outcome of a request.
func (ns *nodeStates) outcomeOf(a *answer) Outcome {
	moved := a.moved() && ns.round.policy().KeepsClients()
	if o := ns.page.outcome(*a.Step, a.sessionOutcome, moved); a.foreign == nil || o == OutcomeError {
		return o
	}
	return OutcomeForeign
}

// outcome returns the outcome of one request by its answer alone.
func (p pageShape) outcome(s probes.Step, sessionOutcome probes.SessionOutcome, moved bool) Outcome {
	missing := s.Status == http.StatusNotFound || s.Status == http.StatusMethodNotAllowed
	switch {
	case s.Failure == probes.FailureCancelled || !completed(s.Exchange):
		return OutcomeUnknown
	case s.Failure != "" || s.Status >= http.StatusInternalServerError:
		return OutcomeError
	case s.LoggedIn == probes.LoggedOut && sessionOutcome == probes.SessionLost:
		return OutcomeLost // also by 401
	case s.Status >= http.StatusBadRequest && (!p.served || s.Kind == probes.StepWrite && missing):
		return OutcomeUnknown // a matter of configuration: there is no such page, or it does not store values
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

// OutcomeOf returns the outcome of the ith request of a client between two rounds, by
// the newest report and the client's own answers.
func (r Report) OutcomeOf(tr probes.Trace, i int, who Identity) Outcome {
	owner, node := who.NodeOf(tr.OpenerLabel), who.NodeOf(tr.Steps[i].Label)
	return r.page.outcome(tr.Steps[i], tr.SessionOutcome(i), r.Session.Policy.KeepsClients() && owner != "" && node != "" && node != owner && !tr.Steps[i].CookieEnded())
}

// requests returns the requests of this round's clients. Requests between two rounds
// have been reported before.
func requests(oc *outcomes) []Request {
	var list []Request
	for _, a := range oc.answers {
		owner := a.trace.firstListed
		if id := oc.nodes.identity.NodeOf(a.trace.OpenerLabel); id != "" {
			owner = id
		}
		list = append(list, Request{
			Cluster: oc.round.Cluster.Name, Balancer: BalancerName(a.trace.URL, a.trace.Balancer), Node: owner, Served: a.listedNode, Canary: a.trace.Continued,
			Session: a.trace.First().Session, At: a.At, Latency: a.Timing.Total, Outcome: a.outcome,
		})
	}
	return list
}

// BalancerLabel returns the name of a balancer address for people: without the address if
// the URL has it.
func BalancerLabel(name string) string {
	text, address, found := strings.Cut(name, " ")
	u, err := url.Parse(text)
	if !found || err != nil {
		return name
	}
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	if net.JoinHostPort(u.Hostname(), port) == address {
		return text
	}
	return name
}

// BalancerName returns the name of a balancer address as in a Target: its URL and the
// dialled address.
func BalancerName(base string, at netip.AddrPort) string {
	if !at.IsValid() {
		return base
	}
	return base + " " + at.String()
}

// setOutcomes sets the outcome of each answer, and finds the answers that show the session of
// another client of ours, or a value that it has stored.
func (oc *outcomes) setOutcomes() {
	given := oc.givenSessions()
	if noSessionSurvives(oc) {
		given = nil // the ids are not those of sessions, such as those in a balancer's cookie with the same name
	}
	for _, a := range oc.allAnswers {
		if n, err := strconv.Atoi(a.Value); err == nil && n > 0 {
			a.foreign = oc.writerOf(n, a.trace)
		}
		a.readForeign = a.foreign != nil
		if !a.readForeign {
			a.foreign = a.givenAnother(given)
		}
		a.outcome = oc.nodes.outcomeOf(a)
	}
}
