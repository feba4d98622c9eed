package checks

import (
	"fmt"
	"slices"
	"time"
)

// A Damping says how many rounds in a row it takes to believe a change. Its
// zero value believes each round.
type Damping struct {
	Appear int // rounds that must see what may be one lost packet; 0: 1
	Vanish int // rounds that must miss a finding; 0: 1
}

// losable are the findings that one lost or late packet can bring about. What
// an answer says outright, such as a session that is gone, needs no second look.
var losable = []Code{
	BalancerDown, BalancerError, NodeDown, DependencyDown, DependencyDisputed, PageFailing,
	HandshakeBroken, UpgradeRefused, NodeFailingInRotation, Slow,
}

// throughSessions are the findings that only clients which were answered can
// tell: a round that is in doubt says nothing of their end.
var throughSessions = []Code{
	SessionDrift, SessionLost, SessionRollback, SessionNotShared, NodeEjected, BalancerSplit, HandshakeBroken, UpgradeRefused,
}

// A Ledger remembers which findings of a cluster hold from one round to the
// next. It is not safe for concurrent use.
type Ledger struct {
	damping Damping
	entries []*entry // in the order of first sight
}

// An entry is a finding that holds, or may be about to.
type entry struct {
	Standing
	stands bool      // it has been believed
	seen   int       // rounds in a row
	missed int       // rounds in a row
	gone   time.Time // when the first of the rounds that missed it began
}

// NewLedger returns a ledger in which the given findings stand, as they did
// when they were last written down.
func NewLedger(d Damping, standing ...Standing) *Ledger {
	l := &Ledger{damping: Damping{Appear: max(1, d.Appear), Vanish: max(1, d.Vanish)}}
	for _, s := range standing {
		l.entries = append(l.entries, &entry{Standing: s, stands: true})
	}
	return l
}

// Standing returns what holds, in the order of first sight.
func (l *Ledger) Standing() []Standing {
	var list []Standing
	for _, e := range l.entries {
		if e.stands {
			list = append(list, e.Standing)
		}
	}
	return list
}

// Settled reports whether no finding waits for another round to be believed, or
// to be believed gone.
func (l *Ledger) Settled() bool {
	return !slices.ContainsFunc(l.entries, func(e *entry) bool { return !e.stands || e.missed > 0 })
}

// Update takes in a round and returns what it changed.
func (l *Ledger) Update(r Report) []Change {
	var changes []Change
	seen := make(map[string]bool)
	for _, f := range r.Findings {
		if seen[f.Key()] {
			continue
		}
		seen[f.Key()] = true
		if c, changed := l.see(f, r.Started); changed {
			changes = append(changes, c)
		}
	}
	l.entries = slices.DeleteFunc(l.entries, func(e *entry) bool {
		if seen[e.Key()] || (len(r.Doubts) > 0 && slices.Contains(throughSessions, e.Code)) {
			return false
		}
		c, over := e.miss(r.Started, l.damping.Vanish)
		if over && e.stands {
			changes = append(changes, c)
		}
		return over
	})
	return changes
}

// see takes in a finding that a round has made.
func (l *Ledger) see(f Finding, at time.Time) (Change, bool) {
	i := slices.IndexFunc(l.entries, func(e *entry) bool { return e.Key() == f.Key() })
	if i < 0 {
		i = len(l.entries)
		l.entries = append(l.entries, &entry{Standing: Standing{Finding: f, Since: at}})
	}
	e := l.entries[i]
	altered := e.Severity != f.Severity || e.ExplainedBy != f.ExplainedBy || !slices.Equal(e.Nodes, f.Nodes)
	e.Finding, e.Last, e.missed = f, at, 0
	e.seen++
	switch need := l.rounds(f.Code); {
	case e.stands && altered:
		return Change{Altered, e.Standing, at, "its severity, cause or nodes are others than before"}, true
	case e.stands || e.seen < need:
		return Change{}, false
	default:
		e.stands = true
		return Change{Appeared, e.Standing, e.Since, "seen by " + plural(e.seen, "round", "rounds in a row")}, true
	}
}

// rounds is how many rounds in a row must make a finding.
func (l *Ledger) rounds(code Code) int {
	if slices.Contains(losable, code) {
		return l.damping.Appear
	}
	return 1
}

// miss takes in that a round has not made the finding, and reports whether it
// is over. One that was not believed yet is forgotten at once.
func (e *entry) miss(at time.Time, need int) (Change, bool) {
	e.seen = 0
	if e.missed++; e.missed == 1 {
		e.gone = at
	}
	if e.stands && e.missed < need {
		return Change{}, false
	}
	return Change{Gone, e.Standing, e.gone, fmt.Sprintf("missed by %s", plural(e.missed, "round", "rounds in a row"))}, true
}
