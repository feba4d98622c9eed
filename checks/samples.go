package checks

import (
	"slices"
	"time"

	"stickwatch/probes"
)

// This file is the vocabulary in which the past is told: what a history keeps,
// and what pages, the API and commands show of it.

// A Span of time holds From and not To.
type Span struct{ From, To time.Time }

// A Sample is one probe of one target, in the few words that are kept of it.
type Sample struct {
	Target
	At      time.Time
	OK      bool
	Latency time.Duration
	Status  int            // HTTP status; 0: no HTTP answer, or none was asked for
	Failure probes.Failure // "": the answer came in whole
}

// A Target is what is probed again and again.
type Target struct {
	Cluster string
	Kind    TargetKind
	Name    string // node id, balancer URL with its address, dependency name; of a session "": its owner is not known
}

// A TargetKind says what a target is.
type TargetKind string

// The kinds of target. A canary's samples are its requests through the
// balancer, under the id of the node that holds its session. A session's are all
// requests of our clients of which the outcome is known, under the id of the node
// that owns the session: one is OK when its Outcome is Good.
const (
	TargetNode       TargetKind = "node"
	TargetBalancer   TargetKind = "balancer"
	TargetDependency TargetKind = "dependency"
	TargetCanary     TargetKind = "canary"
	TargetSession    TargetKind = "session"
)

// A Point is a target over one step of time.
type Point struct {
	At     time.Time // its beginning
	Probes int
	Failed int
	Mean   time.Duration // latency of the probes that were answered; 0: none was
	Max    time.Duration
}

// An Uptime is how much of a span a target was up for.
type Uptime struct {
	Target
	Span        // that was asked for
	Probes  int // of a session: requests with a known outcome; none: nothing is known
	Failed  int
	Ratio   float64       // of probes that were answered well, in [0, 1]; 0 without Probes
	Longest time.Duration // the longest time without a good answer
}

// SessionUptime sums the uptimes of kind session: how much of what clients of a
// cluster asked for came to a good outcome. Longest is that of the worst owner.
func SessionUptime(all []Uptime) Uptime {
	var sum Uptime
	for _, u := range all {
		if u.Kind != TargetSession {
			continue
		}
		sum.Target, sum.Span = Target{Cluster: u.Cluster, Kind: TargetSession}, u.Span
		sum.Probes, sum.Failed = sum.Probes+u.Probes, sum.Failed+u.Failed
		sum.Longest = max(sum.Longest, u.Longest)
	}
	if sum.Probes > 0 {
		sum.Ratio = float64(sum.Probes-sum.Failed) / float64(sum.Probes)
	}
	return sum
}

// SessionsUnrecorded reports whether nodes have uptimes and sessions have none,
// as before an upgrade to a version that records sessions.
func SessionsUnrecorded(all []Uptime) bool {
	nodes := slices.ContainsFunc(all, func(u Uptime) bool { return u.Kind == TargetNode && u.Probes > 0 })
	return nodes && SessionUptime(all).Probes == 0
}

// A Move is a session that changed its node.
type Move struct {
	At      time.Time
	Cluster string
	From    string // node id
	To      string // node id, or a stranger's label in quotes
	Kept    bool   // the session went along; false: it was lost, or came back older
	Session probes.Fingerprint
	Cause   Message // why: "node2 did not answer", "unexplained"
}

// A Deployment is a stretch of time that somebody has announced.
type Deployment struct {
	Cluster string
	Span             // To is zero while it goes on
	Name    string   // what was deployed, as it was announced
	Nodes   []string // that it changes, as announced; empty: any
}
