package gate

import (
	"slices"
	"strconv"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// A Move is a session that another node answered, or that was lost, possibly on the
// same node.
type Move struct {
	At             time.Time // time of the answer that showed it
	From           string    // node id; for an unlisted node its label in quotes; "": unknown
	To             string    // like From; equal to From: the session was lost without moving
	SessionOutcome probes.SessionOutcome
	Session        probes.Fingerprint // session before the move

	Cause  Cause
	Reason phrase.Phrase // cause in a few words, with the evidence
	// Allowed reports whether the policy permits the move. Users may still have lost
	// their session.
	Allowed bool

	last     time.Time // last good answer before
	sent     time.Time // when the request was sent whose answer showed it
	stayed   int       // good answers of From before
	drifts   bool      // it moved again so soon that the balancer may choose a node for each request
	frontend string    // address of the balancer
}

// Kept reports whether the session survived.
func (m Move) Kept() bool { return m.SessionOutcome == probes.SessionKept }

// Lost reports whether the session was gone or stale.
func (m Move) Lost() bool {
	return m.SessionOutcome == probes.SessionLost || m.SessionOutcome == probes.SessionStale
}

// Moved reports whether another node answered.
func (m Move) Moved() bool { return m.From != m.To && m.To != "" }

// A Cause is the reason why a session moved or was lost.
type Cause string

// The causes.
const (
	CauseRestart     Cause = "restart"     // its node did not answer for a while, or its process has changed
	CauseDown        Cause = "down"        // its node did not answer until the end
	CauseDrain       Cause = "drain"       // an operator took the node out
	CauseEjection    Cause = "ejection"    // the balancer ejected a healthy node
	CauseReturn      Cause = "return"      // the node that it had left for such a reason is available again
	CauseShared      Cause = "shared"      // any node may answer
	CauseUnexplained Cause = "unexplained" // its node was healthy and in rotation
)

// moves returns every move of every session with its cause, sorted by time. Where any
// node may answer, moves without another cause are left out.
func (j *judge) moves() (list []Move) {
	for _, client := range j.Sessions {
		var earlier []Move
		for _, m := range j.movesOf(client) {
			m.Cause, m.Reason = j.cause(m, earlier)
			m.Allowed = j.allows(m)
			m.drifts = m.Cause == CauseUnexplained && len(earlier) > 0 && m.stayed < checks.FollowUps(1/float64(len(j.Cluster.Nodes)), j.confidence())
			earlier = append(earlier, m)
			if m.Cause != CauseShared || m.Lost() {
				list = append(list, m)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Move) int { return a.At.Compare(b.At) })
	return list
}

// movesOf returns the moves and losses of the sessions of a watched client.
func (j *judge) movesOf(client WatchedClient) []Move {
	var list []Move
	var owner string
	var stayed int
	var session probes.Fingerprint
	var last time.Time
	for _, sampleRun := range client.Timeline {
		if !sampleRun.First.Good {
			continue
		}
		node := j.nodeOf(sampleRun.First.Label)
		moved := node != "" && owner != "" && node != owner
		if !sampleRun.First.New && (moved || sampleRun.First.lostSession()) {
			to := node
			if to == "" {
				to = owner
			}
			list = append(list, Move{
				At: sampleRun.First.Done(), From: owner, To: to, SessionOutcome: sampleRun.First.SessionOutcome, Session: session,
				last: last, sent: sampleRun.First.At, stayed: stayed, frontend: client.Frontend,
			})
		}
		if node != "" && node != owner {
			owner, stayed = node, 0
		}
		stayed += sampleRun.Count
		if !sampleRun.First.lostSession() && sampleRun.Last.Session != "" {
			session = sampleRun.Last.Session
		}
		last = sampleRun.Last.Done()
	}
	return list
}

// allows reports whether the policy permits a move.
func (j *judge) allows(m Move) bool {
	fails := m.Cause != CauseUnexplained && m.Cause != CauseShared
	switch j.policy() {
	case probes.PolicyShared:
		return !m.Lost()
	case probes.PolicyReplicated:
		return !m.Lost() && fails
	case probes.PolicySticky:
		return fails && m.SessionOutcome != probes.SessionStale
	default:
		return true
	}
}

// restarted reports whether the process of a node has changed since the beginning.
func (j *judge) restarted(node string) bool {
	return j.finalReport.Timelines.Nodes[node].Restarted.After(j.From)
}

// nodeOf returns the node id for a label; for an unlisted node the label in quotes; ""
// for an empty label. Only the last round may know the label of a process that started
// during the watch.
func (j *judge) nodeOf(label string) string {
	if label == "" {
		return ""
	}
	for _, who := range []checks.Identity{j.before, j.after} {
		if node := who.NodeOf(label); node != "" {
			return node
		}
	}
	return strconv.Quote(label)
}
