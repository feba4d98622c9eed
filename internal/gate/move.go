package gate

import (
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A Move is a session that another node answered, or that was lost, if only
// where it was.
type Move struct {
	At             time.Time // of the answer that showed it
	From           string    // node id; the label in quotes of one that is not listed; "": not told
	To             string    // likewise; From: it was lost without moving
	SessionOutcome probes.SessionOutcome
	Session        probes.Fingerprint // before

	Cause  Cause
	Reason string // the cause in a few words, with what shows it
	// Allowed: the policy lets that happen. Users may still have been thrown out.
	Allowed bool

	last     time.Time // the last good answer before
	frontend string    // address of the balancer
}

// Kept reports whether the session went along.
func (m Move) Kept() bool { return m.SessionOutcome == probes.SessionKept }

// Lost reports whether the session was gone, or came back older.
func (m Move) Lost() bool {
	return m.SessionOutcome == probes.SessionLost || m.SessionOutcome == probes.SessionStale
}

// Moved reports whether another node answered.
func (m Move) Moved() bool { return m.From != m.To && m.To != "" }

// A Cause is why a session moved or was lost.
type Cause string

// The causes.
const (
	CauseRestart     Cause = "restart"     // its node did not answer for a while, or is another process since
	CauseDown        Cause = "down"        // its node does not answer, up to the end
	CauseDrain       Cause = "drain"       // an operator took the node out
	CauseEjection    Cause = "ejection"    // the balancer took the node out, which is well
	CauseReturn      Cause = "return"      // the node that it had left for such a reason is back
	CauseShared      Cause = "shared"      // any node may answer
	CauseUnexplained Cause = "unexplained" // its node was well and in rotation
)

// moves finds every move of every session, in order of time, and why. Where any
// node may answer, those for no other reason are counted alone.
func (j *judge) moves() (list []Move, scattered int) {
	for _, client := range j.Sessions {
		var earlier []Move
		for _, m := range j.movesOf(client) {
			m.Cause, m.Reason = j.cause(m, earlier)
			m.Allowed = j.allows(m)
			earlier = append(earlier, m)
			if m.Cause == CauseShared && !m.Lost() {
				scattered++
				continue
			}
			list = append(list, m)
		}
	}
	slices.SortStableFunc(list, func(a, b Move) int { return a.At.Compare(b.At) })
	return list, scattered
}

// movesOf finds where a lane's sessions changed their node, or were lost.
func (j *judge) movesOf(client WatchedClient) []Move {
	var list []Move
	var owner string
	var session probes.Fingerprint
	var last time.Time
	for _, s := range client.Timeline {
		if !s.First.Good {
			continue
		}
		node := j.nodeOf(s.First.Label)
		moved := node != "" && owner != "" && node != owner
		if !s.First.New && (moved || s.First.lostSession()) {
			to := node
			if to == "" {
				to = owner
			}
			list = append(list, Move{
				At: s.First.Done(), From: owner, To: to, SessionOutcome: s.First.SessionOutcome, Session: session, last: last, frontend: client.Frontend,
			})
		}
		if node != "" {
			owner = node
		}
		if !s.First.lostSession() && s.Last.Session != "" {
			session = s.Last.Session
		}
		last = s.Last.Done()
	}
	return list
}

// allows reports whether the policy lets a move happen as it did.
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

// restarted reports whether a node is another process than it was at first.
func (j *judge) restarted(node string) bool {
	return j.finalReport.History.Nodes[node].Restarted.After(j.From)
}

// node is who answers to a label: a listed node; else the label in quotes; ""
// where none is told. A process that was begun since may have a name that only
// the closing picture knows.
func (j *judge) nodeOf(label string) string {
	if label == "" {
		return ""
	}
	for _, who := range []checks.Identity{j.before, j.after} {
		if node := who.NodeOf(label); node != "" {
			return node
		}
	}
	return quoted(label)
}
