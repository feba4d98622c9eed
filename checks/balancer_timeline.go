package checks

import (
	"slices"
	"time"
)

// A BalancerTimeline is what earlier rounds knew of the balancer as a whole.
type BalancerTimeline struct {
	Agreed bool // the newest answers that could show it followed the configured arithmetic
	// Scatters is true if new clients with several addresses have met several nodes, and the balancer keeps them there.
	// By the number of connections it may also send all new ones to one node.
	Scatters     bool
	Served       bool                 // clients have been served the page that they request
	Titles       map[string]titles    // of the configured pages, by path
	LastKeptAt   time.Time            `json:"Kept"` // when an answer last had the session of its client; zero: never
	LastLostAt   time.Time            `json:"Lost"` // when session_lost was last found; zero: never
	Unlisted     map[string]time.Time // when each name of an unlisted node was first met, if the nodes have a source
	LastDriftAt  time.Time            `json:"Drifted"` // when a session last drifted; zero: never
	LastForgotAt time.Time            `json:"Forgot"`  // when the balancer had last forgotten clients that paused; zero: never
	Returns      idleReturns          // of clients that the balancer did not forget
	Remapped     Remapping
	Waited       waits
	Sticky       stickiness // as the newest round found that could exclude chance
}

// A stickiness is the conclusion that the balancer keeps clients on their nodes.
type stickiness struct {
	At         time.Time // zero: no round has found it
	Confidence float64
}

// idleReturns are the newest answers to clients that came back after a pause to their own node, while another
// node got clients, too. The newest is the last.
type idleReturns struct {
	Until time.Time // end of the last round that counted; zero: none has
	Kept  []idleReturn
}

type idleReturn struct {
	At    time.Time
	Pause time.Duration
}

// keptReturns is the maximum number of returns that are kept.
const keptReturns = 8

// with returns the returns with those of a round.
func (ir idleReturns) with(rem *remaps) idleReturns {
	counted := ir.Until
	ir.Until = rem.round.Started.Add(rem.round.Duration)
	if len(rem.round.nodesWhere(func(id string) bool { return rem.rotation.states[id].In == Yes })) < 2 {
		return ir // no client could have gone elsewhere
	}
	ir.Kept = slices.Clone(ir.Kept)
	for _, a := range rem.outcomes.allAnswers {
		if a.At.After(counted) && a.answeredBy() && !a.moved() && a.pauseBefore() >= shortestPause {
			ir.Kept = append(ir.Kept, idleReturn{a.At, a.pauseBefore()})
		}
	}
	ir.Kept = ir.Kept[max(0, len(ir.Kept)-keptReturns):]
	return ir
}

// refute reports whether a balancer that forgets clients after such a pause would not have sent all of those
// that came back within forgottenFor to their own of so many nodes.
func (ir idleReturns) refute(pause time.Duration, now time.Time, nodes int) bool {
	luck := 1.0
	for _, kept := range ir.Kept {
		if kept.Pause >= pause && now.Sub(kept.At) <= forgottenFor {
			luck /= float64(nodes)
		}
	}
	return luck <= plausible
}

// The titles of one page in all rounds so far.
type titles struct {
	OfNodes []string // the different ones that nodes gave when asked directly, without numbers, at most maxTitles
	Passed  bool     // clients got one of them through the balancer
}

// oneRemapping is the longest time between the moves of clients that several rounds see of one event. All
// of them were still on their nodes after the move before.
const oneRemapping = 30 * time.Second

// updateBalancer returns the timeline of the balancer with this round's observations.
func (rem *remaps) updateBalancer() BalancerTimeline {
	balancerTimeline := rem.round.past().Balancer
	for _, m := range rem.movement.drifts {
		if m.At.After(balancerTimeline.LastDriftAt) {
			balancerTimeline.LastDriftAt = m.At
		}
	}
	if rem.forgot {
		balancerTimeline.LastForgotAt = rem.round.Started
		balancerTimeline.Returns.Kept = nil
	}
	balancerTimeline.Returns = balancerTimeline.Returns.with(rem)
	if !balancerTimeline.Scatters && rem.round.policy().KeepsClients() && rem.outcomes.severalAddresses() {
		_, balancerTimeline.Scatters = rem.rotation.independent(rem.outcomes.traffic)
	}
	placed, _ := rem.placedByHash()
	if rem.nodes.oracle != nil && len(placed) >= 2 {
		balancerTimeline.Agreed = rem.round.fits(rem.round.Cluster.Nodes, placed)
	}
	if rem.refuted(balancerTimeline.Remapped) {
		balancerTimeline.Remapped = Remapping{}
	}
	if rem.remap == nil {
		return balancerTimeline
	}
	r := rem.remap.Remapping
	r.Last = r.At
	if old := balancerTimeline.Remapped; rem.round.Started.Sub(old.At) <= eventReportedFor && r.At.Sub(old.Last) <= oneRemapping {
		r.At, r.Moved, r.Of, r.Lost = old.At, max(old.Moved, r.Moved), max(old.Of, r.Of), max(old.Lost, r.Lost)
		if !old.Change.IsZero() {
			r.Change = old.Change
		}
		r.Nodes = rem.round.nodesWhere(func(id string) bool { return slices.Contains(old.Nodes, id) || slices.Contains(r.Nodes, id) })
		r.Evidence, r.Cause = old.Evidence, old.Cause
	}
	balancerTimeline.Remapped = r
	return balancerTimeline
}
