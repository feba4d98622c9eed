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

// traffic is the requests of clients through all addresses of the balancer, or
// through one.
type traffic struct {
	traces  []*trace
	answers []*answer
}

// A nodeAtAddress is a node that answered through one address of the balancer.
type nodeAtAddress struct {
	node string
	at   netip.AddrPort
}

// outcomes is the second stage: which node answered each request of a client, and how
// the request came out.
type outcomes struct {
	round *Round
	nodes *nodeStates

	unnamed      []string  // ids of the nodes that are not known by the name that their answers give
	traffic                // through all addresses of the balancer, in this round
	allAnswers   []*answer // those of this round, and earlier ones to sessions that are carried over rounds
	frontends    []frontend
	lastAnswerAt map[nodeAtAddress]time.Time // when the latest request that it answered began
	slowConnects []slowConnect               // recent ones, oldest first
	waits        waits
}

// readTraces returns the second stage of a round.
func readTraces(nodes *nodeStates) *outcomes {
	oc := &outcomes{round: nodes.round, nodes: nodes, lastAnswerAt: make(map[nodeAtAddress]time.Time)}
	oc.unnamed = oc.unnamedNodes()
	for _, tr := range oc.round.Traces {
		t := oc.resolve(tr)
		oc.add(t)
		oc.allAnswers = append(append(oc.allAnswers, t.earlier...), t.answers...)
	}
	for _, b := range oc.round.Balancers {
		oc.frontends = append(oc.frontends, oc.frontendOf(b))
	}
	oc.setOutcomes()
	oc.slowConnects = oc.recentSlowConnects()
	oc.waits = oc.countWaits()
	return oc
}

// unnamedNodes returns the nodes that did not report their label when asked directly, and did not answer under a
// name that is known to be their own.
func (oc *outcomes) unnamedNodes() []string {
	met := make(map[string]bool)
	for _, tr := range oc.round.Traces {
		for _, s := range tr.Steps {
			if s.OK() {
				met[oc.nodes.identity.NodeOf(s.Label)] = true
			}
		}
	}
	return oc.round.nodesWhere(func(id string) bool { return oc.nodes.identity.reported[id] == "" && !met[id] })
}

func (t *traffic) add(tr *trace) {
	t.traces = append(t.traces, tr)
	t.answers = append(t.answers, tr.answers...)
}

// answeredSince reports whether a node answered, through an address of the balancer,
// a request that was sent at t or later.
func (oc *outcomes) answeredSince(node string, at netip.AddrPort, t time.Time) bool {
	last, ok := oc.lastAnswerAt[nodeAtAddress{node, at}]
	return ok && !last.Before(t)
}

// answersFrom counts the answers of a node through the balancer. An answer to a
// session of earlier rounds does not count if the balancer's cookie may have directed
// it there: a draining node keeps the sessions it has.
func (t traffic) answersFrom(node string) int {
	count := 0
	for _, a := range t.answers {
		if a.listedNode == node && a.Status < 500 && (!a.trace.Continued || !a.trace.mayBePinned) {
			count++
		}
	}
	return count
}

// holdsPinned reports whether a node answers clients of earlier rounds that a cookie
// of the balancer may have directed there.
func (t traffic) holdsPinned(node string) bool {
	return slices.ContainsFunc(t.answers, func(a *answer) bool {
		return a.listedNode == node && a.OK() && a.trace.Continued && a.trace.mayBePinned
	})
}

// labelledAnswers counts the answers through the balancer that carry a node label.
func (t traffic) labelledAnswers() int {
	count := 0
	for _, a := range t.answers {
		if a.Label != "" && a.Status < 500 {
			count++
		}
	}
	return count
}

// newClients counts new clients by the node that answered them; unlisted nodes are
// counted under "". Clients whose answer carries no label do not count.
func (t traffic) newClients() map[string]int {
	met := make(map[string]int)
	for _, tr := range t.traces {
		if first := tr.First(); !tr.Continued && first.OK() && first.Label != "" {
			met[tr.firstListed]++
		}
	}
	return met
}

// allMetOneNode reports whether all new clients were answered by one node.
func (t traffic) allMetOneNode() bool {
	met := t.newClients()
	return len(met) == 1 && met[""] == 0
}

// followUps counts the answers to follow-up requests.
func (t traffic) followUps() int {
	count := 0
	for _, a := range t.answers {
		if a.isFollowUp() && a.Answered() {
			count++
		}
	}
	return count
}

// A trace is a client trace with the nodes that answered it.
type trace struct {
	probes.Trace
	opener      string    // node that opened the session, in whichever round; holder if that is not known
	holder      string    // servingNode of the first answer of the trace; "": not known
	firstListed string    // id of the listed node that gave the first answer; "": an unlisted node, or not known
	mayBePinned bool      // the client presents something that may keep it on a node that gets no new clients
	earlier     []*answer // answers between the previous round and this one, of a session that is carried over rounds
	answers     []*answer // answers of this round
}

// allAnswers returns the answers since the previous round.
func (t *trace) allAnswers() []*answer { return slices.Concat(t.earlier, t.answers) }

// An answer is a request of a trace with the node that answered it.
type answer struct {
	*probes.Step
	trace          *trace
	sessionOutcome probes.SessionOutcome
	outcome        Outcome
	foreign        *trace   // the other client whose session or value it shows; nil: none
	readForeign    bool     // it shows a value that the other client stored
	listedNode     string   // id of the listed node that answered; "": not known, or not listed
	servingNode    string   // listedNode; or an unlisted node's label in quotes, if every listed node is known by name
	suspects       []string // nodes of which one is the cause of a failed answer; nil: it did not fail, or none is known
	failedNode     string   // the one that a failed answer is attributed to; "": it did not fail, or the node is not known
	upstreamsTried []string // nodes that the balancer tried before, without an answer
}

// isFollowUp reports whether the request is a follow-up that presents the session.
func (a *answer) isFollowUp() bool {
	return (a.Kind == probes.StepFollow || a.Kind == probes.StepReturn) && !a.CookieEnded()
}

// moved reports whether another node than the holder of the session answered.
func (a *answer) moved() bool { return a.answeredByOther(a.trace.holder) }

// answeredByOther reports whether another node than that one answered a request with the session.
func (a *answer) answeredByOther(node string) bool {
	return a.servingNode != "" && node != "" && a.servingNode != node && !a.CookieEnded()
}

// stayedCount counts the follow-ups that the holder of the session answered. It is
// not ok for a client without follow-ups.
func (t *trace) stayedCount() (count int, ok bool) {
	if len(t.Steps) < 2 || !t.First().OK() {
		return 0, false
	}
	for _, a := range t.answers {
		if a.isFollowUp() && a.servingNode != "" && a.servingNode == t.holder {
			count++
		}
	}
	return count, true
}

// onlyMet reports whether node gave every answer of this round.
func (t *trace) onlyMet(node string) bool {
	return !slices.ContainsFunc(t.answers, func(a *answer) bool { return a.listedNode != node })
}

// resolve returns a trace with the node that answered each request.
func (oc *outcomes) resolve(tr probes.Trace) *trace {
	out := &trace{Trace: tr, holder: cmp.Or(oc.servingNode(tr.First().Label), oc.nodes.formerLabel(tr)), firstListed: oc.nodes.identity.NodeOf(tr.First().Label)}
	method := oc.round.Cluster.Balancer.Method
	out.opener = cmp.Or(oc.servingNode(tr.OpenerLabel), out.holder)
	out.mayBePinned = method == probes.MethodCookie || method == probes.MethodUnknown
	for i := range tr.Steps {
		if tr.Continued && i == 0 {
			continue // an earlier round has judged it
		}
		step := &tr.Steps[i]
		a := &answer{Step: step, trace: out, sessionOutcome: tr.SessionOutcome(i), listedNode: oc.nodes.identity.NodeOf(step.Label), upstreamsTried: oc.nodes.identity.FailedOver(step.Label)}
		a.servingNode = cmp.Or(oc.servingNode(step.Label), oc.nodes.otherLabel(out, step.Label))
		if step.Kind != probes.StepWrite && oc.nodes.page.isWrong(step.Exchange) {
			a.sessionOutcome = probes.SessionUnknown // an answer that is not the page does not show the session
		}
		a.suspects = oc.failingNodesOf(a, i > 0)
		a.failedNode = only(a.suspects)
		if step.At.Before(oc.round.Started) && tr.Continued {
			out.earlier = append(out.earlier, a)
		} else {
			out.answers = append(out.answers, a)
		}
		if seen := (nodeAtAddress{a.listedNode, tr.Balancer}); a.listedNode != "" && a.OK() && step.At.After(oc.lastAnswerAt[seen]) {
			oc.lastAnswerAt[seen] = step.At
		}
	}
	return out
}

// IsUnlisted reports whether a node, as a trace or a Move names it, is not in the
// configuration: its label stands in quotes.
func IsUnlisted(node string) bool { return strings.HasPrefix(node, `"`) }

// servingNode returns who gave an answer: the id of a listed node, or the label of an
// unlisted one in quotes if every node is known by name; "": not known.
func (oc *outcomes) servingNode(label string) string {
	if oc.isUnlistedLabel(label) {
		return strconv.Quote(label)
	}
	return oc.nodes.identity.NodeOf(label)
}

// formerLabel returns the unknown label of a client's first answer in quotes if a node that is
// known by name answered the client later, so that the label is another node's; otherwise "".
func (ns *nodeStates) formerLabel(tr probes.Trace) string {
	label := tr.First().Label
	if label == "" || ns.identity.Ambiguous(label) || !slices.ContainsFunc(tr.Steps, func(s probes.Step) bool { return ns.identity.NodeOf(s.Label) != "" }) {
		return ""
	}
	return strconv.Quote(label)
}

// otherLabel returns an unknown label in quotes if the node that opened the session
// is known by name, so that the label is another node's; otherwise "".
func (ns *nodeStates) otherLabel(tr *trace, label string) string {
	if tr.firstListed == "" || label == "" || ns.identity.Ambiguous(label) {
		return ""
	}
	return strconv.Quote(label)
}

// isUnlistedLabel reports whether a label belongs to no listed node. It is false while
// some listed node is not known by name: the label may be its own.
func (oc *outcomes) isUnlistedLabel(label string) bool {
	return label != "" && len(oc.unnamed) == 0 && oc.nodes.identity.NodeOf(label) == "" && !oc.nodes.identity.Ambiguous(label)
}

// A frontend is one address of the balancer. Each address is judged as a balancer of
// its own, which may regard other nodes as healthy.
type frontend struct {
	probes.BalancerObservation
	name string // see frontendName
	traffic
}

// plain returns the exchanges at the frontend that belong to no client trace.
func (f frontend) plain() []probes.Exchange {
	return append([]probes.Exchange{f.Primary}, f.Pages...)
}

// answered reports whether any request was answered.
func (f frontend) answered() bool {
	return slices.ContainsFunc(f.plain(), probes.Exchange.Answered) ||
		slices.ContainsFunc(f.answers, func(a *answer) bool { return a.Answered() })
}

// page returns the URL of a page at the frontend, with its address.
func (f frontend) page(path string) string {
	return strings.TrimSuffix(f.URL, "/") + path + strings.TrimPrefix(f.name, f.URL)
}

// isOf reports whether a client uses the frontend. Several URLs may have one address.
func (f frontend) isOf(tr *trace) bool { return tr.Balancer == f.Address && tr.URL == f.URL }

// frontendOf returns the frontend with the client traces that went through it.
func (oc *outcomes) frontendOf(b probes.BalancerObservation) frontend {
	front := frontend{BalancerObservation: b, name: frontendName(b.URL, b.Address)}
	for _, tr := range oc.traces {
		if front.isOf(tr) {
			front.add(tr)
		}
	}
	return front
}

// frontendName returns the URL, with the address if the URL has a host name. The
// address is part of the name even while the host resolves to a single one, so that
// keys of findings stay the same.
func frontendName(rawURL string, at netip.AddrPort) string {
	u, err := url.Parse(rawURL)
	if err != nil || !at.IsValid() {
		return rawURL
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return rawURL
	}
	return fmt.Sprintf("%s (%s)", rawURL, at)
}

// sinceLastKept returns the time from the last earlier answer that had the session to the end of this
// one. The balancer may have tried the client's node until then.
func (a *answer) sinceLastKept() Span {
	s := Span{a.trace.First().At, a.At.Add(a.Timing.Total)}
	for i, step := range a.trace.Steps {
		if step.At.Before(a.At) && step.At.After(s.From) && a.trace.SessionOutcome(i) == probes.SessionKept {
			s.From = step.At
		}
	}
	return s
}

// shortestPause is the shortest time without a request that counts as a pause.
const shortestPause = 20 * time.Second

// pauseBefore returns how long the client had sent no request before this one.
func (a *answer) pauseBefore() time.Duration {
	last := a.trace.First().At
	for _, s := range a.trace.Steps {
		if s.At.Before(a.At) && s.At.After(last) {
			last = s.At
		}
	}
	return a.At.Sub(last)
}

// idleSince reports whether the client had paused since before a moment, so that it
// meets the consequences only now.
func (a *answer) idleSince(moment time.Time) bool {
	return !moment.IsZero() && a.pauseBefore() >= shortestPause && a.At.Add(-a.pauseBefore()).Before(moment)
}
