package checks

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"stickwatch/probes"
)

// Traffic is what clients met: through all addresses of the balancer, or
// through one.
type traffic struct {
	traces  []*trace
	answers []*answer
}

// A nodeAtAddress is a node that answered through an address of the balancer.
type nodeAtAddress struct {
	node string
	at   netip.AddrPort
}

// outcomes is the second stage: which node answered each request of a client, and how
// the request came out.
type outcomes struct {
	*nodeStates

	allNamed     bool      // every node is known by the name that its answers give
	traffic                // through all addresses of the balancer, in this round
	allAnswers   []*answer // those of this round, and earlier ones to sessions that are carried over rounds
	frontends    []frontend
	lastAnswerAt map[nodeAtAddress]time.Time // when the latest request that it answered began
}

// readTraces returns the second stage of a round.
func readTraces(nodes *nodeStates) *outcomes {
	v := &outcomes{nodeStates: nodes, lastAnswerAt: make(map[nodeAtAddress]time.Time)}
	v.allNamed = v.everyNodeNamed()
	for _, w := range v.Traces {
		t := v.resolve(w)
		v.add(t)
		v.allAnswers = append(append(v.allAnswers, t.earlier...), t.answers...)
	}
	for _, b := range v.Balancers {
		v.frontends = append(v.frontends, v.frontendOf(b))
	}
	v.setOutcomes()
	return v
}

// everyNodeNamed reports whether every node told its label when asked directly,
// or answered under a name that is known to be its.
func (v *outcomes) everyNodeNamed() bool {
	met := make(map[string]bool)
	for _, w := range v.Traces {
		for _, s := range w.Steps {
			if s.OK() {
				met[v.identity.NodeOf(s.Label)] = true
			}
		}
	}
	unnamed := v.nodesWhere(func(id string) bool { return v.identity.direct[id] == "" && !met[id] })
	return len(unnamed) == 0
}

func (t *traffic) add(w *trace) {
	t.traces = append(t.traces, w)
	t.answers = append(t.answers, w.answers...)
}

// answeredSince reports whether node answered a request through an address of
// the balancer that began no earlier than t.
func (v *outcomes) answeredSince(node string, at netip.AddrPort, t time.Time) bool {
	last, ok := v.lastAnswerAt[nodeAtAddress{node, at}]
	return ok && !last.Before(t)
}

// answersFrom counts the answers that node gave through the balancer. One to a
// session of earlier rounds does not count where the balancer's cookie may have
// brought it there: a node that is being drained keeps those it has.
func (t traffic) answersFrom(node string) int {
	count := 0
	for _, a := range t.answers {
		if a.node == node && a.Status < 500 && !(a.trace.Continued && a.trace.mayBePinned) {
			count++
		}
	}
	return count
}

// holdsPinned reports whether node answers clients of earlier rounds whom a cookie of the
// balancer has brought there.
func (t traffic) holdsPinned(node string) bool {
	return slices.ContainsFunc(t.answers, func(a *answer) bool {
		return a.node == node && a.OK() && a.trace.Continued && a.trace.mayBePinned
	})
}

// attributedAnswers counts the answers through the balancer that tell who gave them.
func (t traffic) attributedAnswers() int {
	count := 0
	for _, a := range t.answers {
		if a.Label != "" && a.Status < 500 {
			count++
		}
	}
	return count
}

// newClients counts the clients that came new and were told who answered, by
// node; those of strangers are under "".
func (t traffic) newClients() map[string]int {
	met := make(map[string]int)
	for _, w := range t.traces {
		if first := w.First(); !w.Continued && first.OK() && first.Label != "" {
			met[w.openedBy]++
		}
	}
	return met
}

// allMetOneNode reports whether all new clients met one and the same node.
func (t traffic) allMetOneNode() bool {
	met := t.newClients()
	return len(met) == 1 && met[""] == 0
}

// followUps counts the answers to clients that came back.
func (t traffic) followUps() int {
	count := 0
	for _, a := range t.answers {
		if a.cameBack() && a.Answered() {
			count++
		}
	}
	return count
}

// A trace is a client's walk with the nodes that it met.
type trace struct {
	probes.Trace
	owner       string    // who opened its session, however many rounds ago; home where that is not told
	holder      string    // who opened its session, as an answer's servingNode; "": not told
	openedBy    string    // the listed node among homes; "": a stranger, or not told
	mayBePinned bool      // what the client presents may hold it on a node that gets no new ones
	earlier     []*answer // to a session that is carried over rounds, since the round before this one
	answers     []*answer // of this round
}

// An answer is a step of a walk with the node that gave it.
type answer struct {
	probes.Step
	trace          *trace
	sessionOutcome probes.SessionOutcome
	outcome        Outcome
	foreign        *trace   // the other client whose value it shows; nil: it shows none
	node           string   // "": not told, or by none that is listed
	servingNode    string   // the node; else, where every node is known by name, the stranger's label in quotes
	failedNode     string   // the node to which a failed answer is due; "": it did not fail, or nobody can tell
	upstreamsTried []string // nodes that were tried before, and did not answer
}

// cameBack reports whether the client came back to see its session.
func (a *answer) cameBack() bool { return a.Kind == probes.StepFollow || a.Kind == probes.StepReturn }

// moved reports whether an answer came from another node than the session's.
func (a *answer) moved() bool {
	return a.servingNode != "" && a.trace.holder != "" && a.servingNode != a.trace.holder
}

// stayedCount counts the follow-ups that were answered by the session's own node.
// It is not ok for a client that did not come back.
func (w *trace) stayedCount() (count int, ok bool) {
	if len(w.Steps) < 2 || !w.First().OK() {
		return 0, false
	}
	for _, a := range w.answers {
		if a.cameBack() && a.servingNode != "" && a.servingNode == w.holder {
			count++
		}
	}
	return count, true
}

// onlyMet reports whether node gave every answer.
func (w *trace) onlyMet(node string) bool {
	return !slices.ContainsFunc(w.answers, func(a *answer) bool { return a.node != node })
}

// resolve finds the node behind every step of w.
func (v *outcomes) resolve(w probes.Trace) *trace {
	out := &trace{Trace: w, holder: v.servingNode(w.First().Label), openedBy: v.identity.NodeOf(w.First().Label)}
	method := v.Cluster.Balancer.Method
	out.owner = cmp.Or(v.servingNode(w.OpenedBy), out.holder)
	out.mayBePinned = method == probes.MethodCookie || method == probes.MethodUnknown
	for i, step := range w.Steps {
		if w.Continued && i == 0 {
			continue // an answer of rounds that have been judged
		}
		a := &answer{Step: step, trace: out, sessionOutcome: w.SessionOutcome(i), node: v.identity.NodeOf(step.Label), upstreamsTried: v.identity.FailedOver(step.Label)}
		a.servingNode = cmp.Or(v.servingNode(step.Label), v.otherLabel(out, step.Label))
		if step.Kind != probes.StepWrite && v.page.isWrong(step.Exchange) {
			a.sessionOutcome = probes.SessionUnknown // what is not the page does not show the session
		}
		a.failedNode = v.attributeFailure(a, i > 0)
		if step.At.Before(v.Started) && w.Continued {
			out.earlier = append(out.earlier, a)
		} else {
			out.answers = append(out.answers, a)
		}
		if seen := (nodeAtAddress{a.node, w.Balancer}); a.node != "" && a.OK() && step.At.After(v.lastAnswerAt[seen]) {
			v.lastAnswerAt[seen] = step.At
		}
	}
	return out
}

// servingNode is who gave an answer: a listed node; else, where every node is known
// by name, the stranger's label in quotes; "" when that is not told.
func (v *outcomes) servingNode(label string) string {
	if v.unlistedNode(label) {
		return strconv.Quote(label)
	}
	return v.identity.NodeOf(label)
}

// otherLabel is a label in quotes that is not known, and not of the node that opened a
// session: that one is known by name. "" where the label may be its own.
func (v *outcomes) otherLabel(w *trace, label string) string {
	if w.openedBy == "" || label == "" || v.identity.Ambiguous(label) {
		return ""
	}
	return strconv.Quote(label)
}

// unlistedNode reports whether a label is of no listed node. While some node is not
// known by name, a strange one may be its.
func (v *outcomes) unlistedNode(label string) bool {
	return label != "" && v.allNamed && v.identity.NodeOf(label) == "" && !v.identity.Ambiguous(label)
}

// A frontend is one address of the balancer. Each is a balancer of its own,
// with a view of its own of which nodes are well.
type frontend struct {
	probes.BalancerObservation
	name string // its URL, with the address where the URL has several
	traffic
}

// plain is every exchange at the frontend that belongs to no walk.
func (e frontend) plain() []probes.Exchange {
	return append([]probes.Exchange{e.Primary}, e.Pages...)
}

// answered reports whether anything came back.
func (e frontend) answered() bool {
	return slices.ContainsFunc(e.plain(), probes.Exchange.Answered) ||
		slices.ContainsFunc(e.answers, func(a *answer) bool { return a.Answered() })
}

// page names a page at the frontend.
func (e frontend) page(path string) string {
	return strings.TrimSuffix(e.URL, "/") + path + strings.TrimPrefix(e.name, e.URL)
}

// frontendOf gathers what clients met at one address.
func (v *outcomes) frontendOf(b probes.BalancerObservation) frontend {
	e := frontend{BalancerObservation: b, name: v.frontendName(b.URL, b.Address)}
	for _, w := range v.traces {
		if w.Balancer == b.Address && w.URL == b.URL {
			e.add(w)
		}
	}
	return e
}

// frontendName is the URL, with the address where the URL has a name for a
// host: it may resolve to several today and to one tomorrow, and a finding's
// key must stay the same.
func (v *outcomes) frontendName(rawURL string, at netip.AddrPort) string {
	u, err := url.Parse(rawURL)
	if err != nil || !at.IsValid() {
		return rawURL
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return rawURL
	}
	return fmt.Sprintf("%s (%s)", rawURL, at)
}
