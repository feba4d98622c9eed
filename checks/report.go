package checks

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"stickwatch/probes"
)

// A Verdict is a cluster's state in one word.
type Verdict string

// The verdicts. Inconclusive: the picture could not be taken, or the evidence
// asked for cannot be had; it does not hide a finding at hand.
const (
	Healthy      Verdict = "healthy"
	Degraded     Verdict = "degraded"
	Failing      Verdict = "failing"
	Inconclusive Verdict = "inconclusive"
)

// An Answer to a question that may have none.
type Answer string

// The answers.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown"
)

// A Report is a judged round: what was seen of a cluster and what it means.
type Report struct {
	Cluster  string
	Started  time.Time
	Duration time.Duration
	Verdict  Verdict
	// Doubts are the reasons for which the verdict is inconclusive, or would be
	// but for the findings: one sentence each.
	Doubts []Message

	Balancers    []probes.BalancerObservation
	Nodes        []NodeReport
	Session      SessionReport
	Dependencies []DependencyReport
	Findings     []Finding // causes before what they explain, the most severe first

	Requests []Request // of our clients in this round, with what they came to
	page     pageShape
	// History is what is known by now: the next round's Past.
	History *History
}

// A NodeReport is a node with what was concluded about it.
type NodeReport struct {
	probes.NodeObservation
	Up         bool
	InRotation Answer
	Rotation   Message // why InRotation says so
}

// A SessionReport tells whether sessions stick, and how sure that is.
type SessionReport struct {
	Policy     probes.Policy
	Sticky     Answer
	Shared     Answer
	Confidence float64 // that Sticky is not luck; 0 when Sticky is unknown
	Reason     Message // why Sticky says so
	Canaries   []Canary
	NewClients int    // clients that came new through the balancer
	Moves      []Move // sessions that another node answered, each once a node
}

// A Canary is a walk whose answers are told by node id.
type Canary struct {
	Pinned   string // the node that holds the session; "" when not known
	Client   string // the client address or key presented; "": our own
	Balancer string // the address it went through
	Steps    []CanaryStep
}

// A CanaryStep is one answer a canary got.
type CanaryStep struct {
	At      time.Time
	Kind    probes.StepKind
	Node    string // node id; the label in quotes when no node owns it; "" when the answer does not tell
	Session probes.Fingerprint
	Status  int
	Error   string
}

// A DependencyReport joins what stickwatch saw of a dependency with what the
// nodes say about it.
type DependencyReport struct {
	Name       string
	Up         Answer
	ReportedBy []string // ids of the nodes that say it is unavailable
	Error      string
}

// canaries are the walks that came back, or were aimed at a node, for people.
func canaries(v *outcomes) []Canary {
	var list []Canary
	for _, w := range v.traces {
		if len(w.Steps) < 2 && w.Expected == "" {
			continue
		}
		c := Canary{Pinned: cmp.Or(w.holder, w.Expected), Client: w.Client, Balancer: w.Balancer.String()}
		for _, a := range slices.Concat(w.earlier, w.answers) {
			node := a.node
			if node == "" && a.Label != "" {
				node = strconv.Quote(a.Label)
			}
			c.Steps = append(c.Steps, CanaryStep{
				At: a.At, Kind: a.Kind, Node: node, Session: a.Session, Status: a.Status, Error: a.Error,
			})
		}
		list = append(list, c)
	}
	slices.SortStableFunc(list, func(a, b Canary) int { return cmp.Compare(v.index(a.Pinned), v.index(b.Pinned)) })
	return list
}

// doubts are the reasons for which the picture is not whole enough for a
// verdict.
func doubts(v *rotation, session SessionReport) []Message {
	var list []Message
	if doubt := v.cutShort(); !doubt.IsZero() {
		list = append(list, doubt)
	}
	if doubt := sessionDoubt(v, session); !doubt.IsZero() {
		list = append(list, doubt)
	}
	if v.ExpectVersion != "" && noVersion(v.nodeStates) {
		list = append(list, msg(MsgNoVersion, Args{}))
	}
	if isolated(v.outcomes) {
		list = append(list, msg(MsgIsolated, Args{}))
	}
	return list
}

// sessionDoubt is why it is not known whether the promise about sessions is
// kept; none when it is known, or there is nobody to break it.
func sessionDoubt(v *rotation, session SessionReport) Message {
	if v.policy() == probes.PolicyNone || len(v.destinations()) < 2 {
		return Message{}
	}
	switch {
	case noTestPage(v.nodeStates):
		return msg(MsgNoTestPage, Args{Path: v.Cluster.Session.Path})
	case v.policy() != probes.PolicyShared && session.Sticky == Unknown:
		return msg(MsgStickinessUnknown, Args{Why: &session.Reason})
	case v.policy() == probes.PolicyShared && v.followUps() == 0:
		return msg(MsgNoSession, Args{})
	default:
		return Message{}
	}
}

// cutShort names what stickwatch did not get to ask; none where it asked all.
func (v *outcomes) cutShort() Message {
	nodes, addresses := v.notAsked()
	switch {
	case len(nodes)+len(addresses) == 0 && len(v.frontends) > 0:
		return Message{}
	case len(addresses) == len(v.frontends):
		return msg(MsgCutShortBeforeBalancer, Args{Nodes: nodes})
	default:
		return msg(MsgCutShort, Args{Nodes: nodes, Addresses: addresses})
	}
}

// notAsked are the nodes and the balancer's addresses that stickwatch did not get to
// ask.
func (v *outcomes) notAsked() (nodes, addresses []string) {
	for _, e := range v.frontends {
		if !completed(e.Primary) {
			addresses = append(addresses, e.name)
		}
	}
	return v.nodesWhere(func(id string) bool { return !completed(v.direct[id].Primary) }), addresses
}

// isolated reports whether every attempt failed before it left this machine.
func isolated(v *outcomes) bool {
	local := func(ex probes.Exchange) bool {
		return ex.Failure == probes.FailureDNS || ex.Failure == probes.FailureUnreachable
	}
	for _, o := range v.Nodes {
		if !local(o.Primary) {
			return false
		}
	}
	for _, e := range v.frontends {
		if !local(e.Primary) {
			return false
		}
	}
	return len(v.Nodes)+len(v.frontends) > 0
}
