package checks

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"stickwatch/probes"
)

// A Verdict is the state of a cluster in one word.
type Verdict string

// The verdicts. Inconclusive means that the round is incomplete or cannot give the
// requested evidence; it never hides a critical finding.
const (
	Healthy      Verdict = "healthy"
	Degraded     Verdict = "degraded"
	Failing      Verdict = "failing"
	Inconclusive Verdict = "inconclusive"
)

// A Tristate is yes, no or not known.
type Tristate string

// The values of a Tristate.
const (
	Yes     Tristate = "yes"
	No      Tristate = "no"
	Unknown Tristate = "unknown"
)

// A Report is a judged round: the observations of a cluster, and the findings.
type Report struct {
	Cluster  string
	Started  time.Time
	Duration time.Duration
	Verdict  Verdict
	// Doubts are the reasons for which the verdict is inconclusive, or would be
	// without a critical finding: one sentence each.
	Doubts []Message

	Balancers    []probes.BalancerObservation
	Nodes        []NodeReport
	Session      SessionReport
	Dependencies []DependencyReport
	Source       probes.SourceState // of the nodes; zero: they are all in the configuration
	Findings     []Finding          // each cause before the findings that it explains, the most severe first

	Requests []Request // of our clients in this round, with their outcomes
	// unanswered is set if clients sent requests, and none got a page. The ledger reads it.
	unanswered bool
	// keptAfter is the longest pause after which a client still had its session. The ledger reads it.
	keptAfter time.Duration
	// checkedAt is when the newest address check was made; zero: there is none. The ledger reads it.
	checkedAt time.Time
	// undecided is set if the address checks show neither that addresses agree nor that they do not.
	// The ledger reads it.
	undecided bool
	page      pageShape
	// Timelines is the Past of the next round.
	Timelines *Timelines `json:"History"` // stored snapshots have the earlier name
}

// A NodeReport is a node with the conclusions about it.
type NodeReport struct {
	*probes.NodeObservation // shared with the round
	Up                      bool
	InRotation              Tristate
	Rotation                Message // why InRotation has its value
}

// A SessionReport says whether sessions stay on their node, and with what confidence.
type SessionReport struct {
	Policy     probes.Policy
	Sticky     Tristate
	Shared     Tristate
	Confidence float64 // that Sticky is not chance; 0 if Sticky is unknown
	Reason     Message // why Sticky has its value
	Canaries   []CanaryTrace
	NewClients int    // new clients through the balancer
	Moves      []Move // sessions that another node answered, once for each node
}

// A CanaryTrace is a client trace with node ids.
type CanaryTrace struct {
	Pinned   string // node that holds the session; "": not known
	Client   string // address or key that the client presented; "": our own
	Balancer string // address that it went through
	Steps    []CanaryStep
}

// A CanaryStep is one answer of a canary.
type CanaryStep struct {
	At      time.Time
	Kind    probes.StepKind
	Node    string // node id; an unlisted label in quotes; "": the answer carries no label
	Session probes.Fingerprint
	Kept    bool // it has the session of the canary, perhaps under another id
	Status  int
	Error   string
}

// A DependencyReport joins the probe of a dependency with the reports of nodes about
// it.
type DependencyReport struct {
	Name       string
	Up         Tristate
	ReportedBy []string // ids of the nodes that report it unavailable
	Error      string
}

// canaries returns the traces with follow-ups or with a target node, in configuration
// order of their nodes.
func canaries(oc *outcomes) []CanaryTrace {
	var list []CanaryTrace
	for _, tr := range oc.traces {
		if len(tr.Steps) < 2 && tr.TargetNode == "" {
			continue
		}
		c := CanaryTrace{Pinned: cmp.Or(tr.holder, tr.TargetNode), Client: tr.Client, Balancer: tr.Balancer.String()}
		answers := tr.allAnswers()
		c.Steps = make([]CanaryStep, 0, len(answers))
		for _, a := range answers {
			node := a.listedNode
			if node == "" && a.Label != "" {
				node = strconv.Quote(a.Label)
			}
			c.Steps = append(c.Steps, CanaryStep{
				At: a.At, Kind: a.Kind, Node: node, Session: a.Session, Kept: a.sessionOutcome == probes.SessionKept || tr.Renews && a.sessionOutcome == probes.SessionUnknown, Status: a.Status, Error: a.Error,
			})
		}
		list = append(list, c)
	}
	slices.SortStableFunc(list, func(a, b CanaryTrace) int { return cmp.Compare(oc.round.index(a.Pinned), oc.round.index(b.Pinned)) })
	return list
}

// doubts returns the reasons for which the observations do not suffice for a verdict.
func doubts(rot *rotation, session SessionReport) []Message {
	if len(rot.round.Cluster.Nodes) == 0 {
		return []Message{msg(MsgNoNodesYet, Args{Name: rot.round.Source.Name})}
	}
	var list []Message
	if doubt := rot.outcomes.cutShort(); !doubt.IsZero() {
		list = append(list, doubt)
	}
	if doubt := sessionDoubt(rot, session); !doubt.IsZero() {
		list = append(list, doubt)
	}
	if doubt := rot.outcomes.loginDoubt(); !doubt.IsZero() {
		list = append(list, doubt)
	}
	if rot.round.ExpectVersion != "" && noVersion(rot.nodes) {
		list = append(list, msg(MsgNoVersion, Args{}))
	}
	if isolated(rot.outcomes) {
		list = append(list, msg(MsgIsolated, Args{}))
	}
	return list
}

// sessionDoubt returns why it is not known whether the session policy is kept; zero
// if it is known, or no session can move.
func sessionDoubt(rot *rotation, session SessionReport) Message {
	if rot.round.policy() == probes.PolicyNone || len(rot.destinations()) < 2 {
		return Message{}
	}
	switch {
	case noTestPage(rot.nodes) && len(unlikeClients(rot.outcomes)) > 0:
		return msg(MsgRefusedDirectly, Args{Path: rot.round.Cluster.Session.Path, Status: rot.nodes.direct[unlikeClients(rot.outcomes)[0]].Session.Status})
	case noTestPage(rot.nodes):
		return msg(MsgNoTestPage, Args{Path: rot.round.Cluster.Session.Path})
	case rot.round.policy() != probes.PolicyShared && session.Sticky == Unknown:
		return msg(MsgStickinessUnknown, Args{Why: &session.Reason})
	case rot.round.policy() == probes.PolicyShared && rot.outcomes.followUps() == 0:
		return msg(MsgNoSession, Args{})
	default:
		return Message{}
	}
}

// cutShort returns what stickwatch did not get to ask in this round; zero if it asked
// everything.
func (oc *outcomes) cutShort() Message {
	nodes, addresses := oc.notAsked()
	switch {
	case len(nodes)+len(addresses) == 0 && len(oc.frontends) > 0:
		return Message{}
	case len(addresses) == len(oc.frontends):
		return msg(MsgCutShortBeforeBalancer, Args{Nodes: nodes})
	default:
		return msg(MsgCutShort, Args{Nodes: nodes, Addresses: addresses})
	}
}

// notAsked returns the nodes and the balancer addresses that stickwatch did not get
// to ask.
func (oc *outcomes) notAsked() (nodes, addresses []string) {
	for _, front := range oc.frontends {
		if !completed(front.Primary) {
			addresses = append(addresses, front.name)
		}
	}
	return oc.round.nodesWhere(func(id string) bool { return !completed(oc.nodes.direct[id].Primary) }), addresses
}

// isolated reports whether every request failed before it left this machine.
func isolated(oc *outcomes) bool {
	local := func(ex probes.Exchange) bool {
		return ex.Failure == probes.FailureDNS || ex.Failure == probes.FailureUnreachable
	}
	for _, o := range oc.round.Nodes {
		if !local(o.Primary) {
			return false
		}
	}
	for _, front := range oc.frontends {
		if !local(front.Primary) {
			return false
		}
	}
	return len(oc.round.Nodes)+len(oc.frontends) > 0
}

func noVersion(ns *nodeStates) bool {
	return !slices.ContainsFunc(ns.enabled, func(o probes.NodeObservation) bool { return o.Version != "" })
}
