package checks

import (
	"slices"
	"time"

	"stickwatch/probes"
)

// This file declares what histories store, and what pages, the API and commands show
// of it.

// A Span is a half-open span of time: it includes From and not To.
type Span struct{ From, To time.Time }

// contains reports whether a moment is in the span; a zero moment never is.
func (s Span) contains(moment time.Time) bool {
	return !moment.IsZero() && !moment.Before(s.From) && moment.Before(s.To)
}

// meets reports whether two spans have a moment in common. A zero span meets none.
func (s Span) meets(other Span) bool {
	return !s.From.IsZero() && !other.From.IsZero() && !s.From.After(other.To) && !other.From.After(s.To)
}

// and returns the span from the beginning of the earlier one to the end of the later one. A
// zero span adds nothing.
func (s Span) and(other Span) Span {
	if s.From.IsZero() || !other.From.IsZero() && other.From.Before(s.From) {
		s.From = other.From
	}
	if other.To.After(s.To) {
		s.To = other.To
	}
	return s
}

// A Sample is the stored result of probing a target once.
type Sample struct {
	Target
	At      time.Time
	OK      bool
	Latency time.Duration
	Status  int            // HTTP status; 0: no HTTP answer, or not an HTTP probe
	Failure probes.Failure // "": the answer is complete
}

// A Target is something that is probed repeatedly.
type Target struct {
	Cluster string
	Kind    TargetKind
	Name    string // node id, balancer URL with its address, or dependency name; of a session "": its owner is not known
}

// A TargetKind is the kind of a target.
type TargetKind string

// The kinds of target. Samples of a canary are its requests through the balancer, by
// the id of the node that holds its session. Samples of a session are all requests of
// our clients with a known outcome, by the id of the node that owns the session; a
// sample is OK if its Outcome is Good.
const (
	TargetNode       TargetKind = "node"
	TargetBalancer   TargetKind = "balancer"
	TargetDependency TargetKind = "dependency"
	TargetCanary     TargetKind = "canary"
	TargetSession    TargetKind = "session"
)

// A Point sums up the samples of a target over one step of time.
type Point struct {
	At         time.Time // beginning of the step
	Probes     int
	Failed     int
	Unanswered int           // of Failed: without an answer; of a session: errors
	Mean       time.Duration // latency of the answered probes; 0: none was answered
	Max        time.Duration
}

// An Uptime is the share of a span in which a target was up.
type Uptime struct {
	Target
	Span           // that was requested
	Probes     int // of a session: requests with a known outcome; 0: nothing is known
	Failed     int
	Unanswered int           // of Failed: without an answer; of a session: errors
	Ratio      float64       // of probes that succeeded, in [0, 1]; 0 without Probes
	Longest    time.Duration // longest time without a successful probe
}

// A Latency is how long the answers of a target took in a span, as percentiles of its answered probes with
// an error of at most 5 %. They are those of failed probes, too, if these had an answer.
type Latency struct {
	Target
	P50, P95, P99 time.Duration // 0 without Probes
	Probes        int           // of which the percentiles are
	Unknown       int           // answered probes of which only the mean is known: from before an upgrade, or long ago
}

// SessionUptime sums the uptimes of kind session: the share of the requests of a
// cluster's clients with a good outcome. Longest is that of the worst owner.
func SessionUptime(all []Uptime) Uptime {
	var sum Uptime
	for _, u := range all {
		if u.Kind != TargetSession {
			continue
		}
		sum.Target, sum.Span = Target{Cluster: u.Cluster, Kind: TargetSession}, u.Span
		sum.Probes, sum.Failed, sum.Unanswered = sum.Probes+u.Probes, sum.Failed+u.Failed, sum.Unanswered+u.Unanswered
		sum.Longest = max(sum.Longest, u.Longest)
	}
	if sum.Probes > 0 {
		sum.Ratio = float64(sum.Probes-sum.Failed) / float64(sum.Probes)
	}
	return sum
}

// SessionsUnrecorded reports whether nodes have uptimes and sessions have none, as
// after an upgrade from a version that did not record sessions.
func SessionsUnrecorded(all []Uptime) bool {
	nodes := slices.ContainsFunc(all, func(u Uptime) bool { return u.Kind == TargetNode && u.Probes > 0 })
	return nodes && SessionUptime(all).Probes == 0
}

// A Move is a session that changed its node.
type Move struct {
	At      time.Time
	Cluster string
	From    string // node id
	To      string // node id, or an unlisted node's label in quotes
	Kept    bool   // the session survived; false: it was lost or rolled back
	Session probes.Fingerprint
	Cause   Message // why: "node2 did not answer", "unexplained"
}

// A Deployment is an announced deployment.
type Deployment struct {
	Cluster string
	Span             // To is zero while it is in progress
	Name    string   // announced name of what is deployed
	Nodes   []string // announced nodes; empty: any
}

// A Placement is a span in which one node answered the canaries of an owner at one address
// of the balancer, all with the same outcome. The session map of the page draws it.
type Placement struct {
	Cluster  string
	Balancer string // address of the balancer, as in a Target of kind balancer
	Owner    string // id of the node that opened the sessions
	Span            // from the first to the last request
	Node     string // id of the node that answered, or an unlisted node's label in quotes; "": none; SeveralNodes: in turn
	Outcome  Outcome
}

// PlacementGap is the time without any request from which on it is not known where the
// canaries were. Shorter times are those between two requests.
const PlacementGap = 3 * time.Minute

// SeveralNodes is the node of a placement in which the node changed too often to store each
// change.
const SeveralNodes = "*"
