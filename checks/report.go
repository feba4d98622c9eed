package checks

import (
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
