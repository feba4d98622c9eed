package checks

import (
	"fmt"
	"slices"
	"time"
)

// A ActiveFinding is a finding that holds from one round to the next.
type ActiveFinding struct {
	Finding
	Since time.Time // when the first round that saw it began
	Last  time.Time // when the newest round that saw it began
}

// A ChangeKind says what became of a standing finding.
type ChangeKind string

// The kinds of change.
const (
	Appeared ChangeKind = "appeared"
	Altered  ChangeKind = "altered" // another severity, cause or set of nodes
	Gone     ChangeKind = "gone"
)

// A Change is the difference that a round made to what stands.
type Change struct {
	Kind ChangeKind
	ActiveFinding
	// At is when it came true, which may be a few rounds ago: of Appeared, Since;
	// of Gone, when the first round that missed the finding began.
	At     time.Time
	Reason string // why it is believed, in one line
}

// A Damping says how many rounds in a row it takes to believe a change. Its
// zero value believes each round.
type Damping struct {
	Appear int // rounds that must see what may be one lost packet; 0: 1
	Vanish int // rounds that must miss a finding; 0: 1
	// Last is for how long rounds must see what harms clients by errors alone, and
	// not their sessions: two canary intervals, as a rule. What is over sooner is
	// recorded and nobody is told. 0: it may be over at once.
	Last time.Duration
}

// confirmTwice are the findings that one lost or late packet can bring about. What
// an answer says outright, such as a session that is gone, needs no second look.
var confirmTwice = []Code{
	BalancerDown, BalancerError, NodeDown, DependencyDown, DependencyDisputed, PageFailing,
	HandshakeBroken, UpgradeRefused, NodeFailingInRotation, SessionFailing, Slow,
}

// errorFindings are the findings that say that clients get errors, and not that they
// lose anything.
var errorFindings = []Code{
	BalancerDown, BalancerError, PageFailing, NodeFailingInRotation, SessionFailing, HandshakeBroken,
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
	ActiveFinding
	active  bool      // it has been believed
	cause   string    // key of the cause that stood when it was last reported; "": none did
	proven  bool      // requests before the newest round show that it, or what it explains, has lasted
	altered bool      // the newest round gave it another severity or other nodes
	seen    int       // rounds in a row
	missed  int       // rounds in a row
	gone    time.Time // when the first of the rounds that missed it began
}

// NewLedger returns a ledger in which the given findings stand, as they did
// when they were last written down.
func NewLedger(d Damping, standing ...ActiveFinding) *Ledger {
	l := &Ledger{damping: Damping{Appear: max(1, d.Appear), Vanish: max(1, d.Vanish), Last: d.Last}}
	for _, s := range standing {
		l.entries = append(l.entries, &entry{ActiveFinding: s, active: true})
	}
	for _, e := range l.entries {
		e.cause = l.activeCause(e)
	}
	return l
}

// Active returns what holds, in the order of first sight.
func (l *Ledger) Active() []ActiveFinding {
	var list []ActiveFinding
	for _, e := range l.entries {
		if e.active {
			list = append(list, e.ActiveFinding)
		}
	}
	return list
}

// Settled reports whether no finding waits for another round to be believed, or
// to be believed gone.
func (l *Ledger) Settled() bool {
	return !slices.ContainsFunc(l.entries, func(e *entry) bool { return !e.active || e.missed > 0 })
}

// Update takes in a round and returns what it changed.
func (l *Ledger) Update(r Report) []Change {
	seen := make(map[string]bool)
	for _, f := range r.Findings {
		if !seen[f.Key()] {
			seen[f.Key()] = true
			l.see(f, r.Started)
		}
	}
	l.markProven()
	changes := l.settle(seen, r.Started)
	l.entries = slices.DeleteFunc(l.entries, func(e *entry) bool {
		if seen[e.Key()] {
			return false
		}
		if len(r.Doubts) > 0 && slices.Contains(throughSessions, e.Code) {
			e.missed = 0     // its end is looked for anew when there is no doubt any more
			return !e.active // and what was not believed yet is forgotten
		}
		c, over := e.missRound(r.Started, l.damping.Vanish)
		if over && e.active {
			changes = append(changes, c)
		}
		return over
	})
	return changes
}

// Glimpse takes in what a round that goes on has seen so far, and returns what that
// changed. Only what clients' failed requests prove to have lasted counts, with its
// causes, and only if it is new: all else waits for the round's end.
func (l *Ledger) Glimpse(r Report) []Change {
	proven := make(map[string]bool)
	for _, f := range r.Findings {
		lasted := l.lasted(l.harmOf(f))
		for key := f.Key(); lasted && key != "" && !proven[key]; {
			proven[key] = true
			at := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Key() == key })
			key = r.Findings[at].ExplainedBy
		}
	}
	for _, f := range r.Findings {
		if e := l.entry(f.Key()); proven[f.Key()] && (e == nil || !e.active) {
			l.see(f, r.Started)
		} else {
			delete(proven, f.Key())
		}
	}
	l.markProven()
	changes := l.settle(proven, r.Started)
	for key := range proven {
		l.entry(key).seen-- // the round is not over
	}
	return changes
}

// harmOf is from when to when clients' requests have failed by a finding, the rounds
// in a row that made it before included.
func (l *Ledger) harmOf(f Finding) Span {
	if e := l.entry(f.Key()); e != nil && e.missed == 0 && !e.harm.From.IsZero() && e.harm.From.Before(f.harm.From) {
		f.harm.From = e.harm.From
	}
	return f.harm
}

// lasted reports whether requests have failed for long enough.
func (l *Ledger) lasted(s Span) bool {
	return l.damping.Last > 0 && s.To.Sub(s.From) >= l.damping.Last
}

// see takes in a finding that a round has made.
func (l *Ledger) see(f Finding, at time.Time) {
	f.harm = l.harmOf(f)
	e := l.entry(f.Key())
	if e == nil {
		e = &entry{ActiveFinding: ActiveFinding{Finding: f, Since: at}}
		l.entries = append(l.entries, e)
	}
	switch {
	case !e.When.IsZero() && f.When.After(e.Last):
		e.Since = at // it happened again, and what was known of it before is another event
	case e.Severity == Info && f.Severity.AtLeast(Warning):
		e.Since = at // until now it was nothing to act on
	}
	e.altered = e.Severity != f.Severity ||
		!slices.Equal(e.Nodes, f.Nodes) && !slices.Contains(throughSessions, f.Code) // there, chance says which nodes
	e.Finding, e.Last, e.missed = f, at, 0
	e.seen++
}

// entry returns what is known of a finding; nil: nothing.
func (l *Ledger) entry(key string) *entry {
	i := slices.IndexFunc(l.entries, func(e *entry) bool { return e.Key() == key })
	if i < 0 {
		return nil
	}
	return l.entries[i]
}

// settle returns what became of the findings that a round has made. A cause that
// does not stand is no change of its effect: its name may be another one in every
// round.
func (l *Ledger) settle(seen map[string]bool, at time.Time) []Change {
	appeared := make(map[*entry]bool)
	for _, e := range l.entries {
		if seen[e.Key()] && !e.active && l.confirmed(e, len(l.entries)) {
			appeared[e] = true
		}
	}
	for e := range appeared {
		e.active = true
	}
	var changes []Change
	for _, e := range l.entries {
		if !seen[e.Key()] || !e.active {
			continue
		}
		before := e.cause
		e.cause = l.activeCause(e)
		switch {
		case appeared[e]:
			changes = append(changes, Change{Appeared, e.ActiveFinding, e.Since, "seen by " + plural(e.seen, "round", "rounds in a row")})
		case e.altered || e.cause != before:
			changes = append(changes, Change{Altered, e.ActiveFinding, at, "its severity, cause or nodes are others than before"})
		}
	}
	return changes
}

// activeCause is the key of what explains a finding, if that stands.
func (l *Ledger) activeCause(e *entry) string {
	if cause := l.entry(e.ExplainedBy); cause != nil && cause.active {
		return e.ExplainedBy
	}
	return ""
}

// confirmed reports whether enough rounds have made a finding, and its cause: an effect
// that is reported before its cause looks like a cause. A cause delays its effect
// by no more rounds than any finding needs, because it may never ripen itself.
// Causes are followed for so many steps.
func (l *Ledger) confirmed(e *entry, steps int) bool {
	if e.active || steps == 0 {
		return true
	}
	needs := l.rounds(e.Code)
	if e.proven {
		needs = 1
	} else if slices.Contains(errorFindings, e.Code) && e.Last.Sub(e.Since) < l.damping.Last {
		return false
	}
	if e.seen < needs {
		return false
	}
	cause := l.entry(e.ExplainedBy)
	return cause == nil || e.seen >= needs+l.damping.Appear-1 || l.confirmed(cause, steps-1)
}

// markProven notes which findings need no other round, because clients' requests have
// failed for long enough, and with them the causes of these.
func (l *Ledger) markProven() {
	for _, e := range l.entries {
		e.proven = false
	}
	for _, e := range l.entries {
		if !l.lasted(e.harm) {
			continue
		}
		for at := e; at != nil && !at.proven; at = l.entry(at.ExplainedBy) {
			at.proven = true
		}
	}
}

// rounds is how many rounds in a row must make a finding.
func (l *Ledger) rounds(code Code) int {
	if slices.Contains(confirmTwice, code) {
		return l.damping.Appear
	}
	return 1
}

// missRound takes in that a round has not made the finding, and reports whether it
// is over. One that was not believed yet is forgotten at once.
func (e *entry) missRound(at time.Time, need int) (Change, bool) {
	e.seen = 0
	if e.missed++; e.missed == 1 {
		e.gone = at
	}
	if e.active && e.missed < need {
		return Change{}, false
	}
	return Change{Gone, e.ActiveFinding, e.gone, fmt.Sprintf("missed by %s", plural(e.missed, "round", "rounds in a row"))}, true
}
