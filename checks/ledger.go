package checks

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// An ActiveFinding is a finding that is active from one round to the next.
type ActiveFinding struct {
	Finding
	Since time.Time // first evidence of the round that found it first; without a time, the start of that round
	Last  time.Time // start of the newest round that found it
}

// WithTimes returns f with all its times changed, as for another clock.
func (f ActiveFinding) WithTimes(change func(time.Time) time.Time) ActiveFinding {
	f.Finding, f.Since, f.Last = f.Finding.WithTimes(change), change(f.Since), change(f.Last)
	return f
}

// A ChangeKind says how an active finding changed.
type ChangeKind string

// The kinds of change.
const (
	Appeared ChangeKind = "appeared"
	Altered  ChangeKind = "altered" // another severity, cause or set of nodes
	Gone     ChangeKind = "gone"
)

// A Change is a difference that a round made to the active findings.
type Change struct {
	Kind ChangeKind
	ActiveFinding
	// At is when the change happened, which may be a few rounds ago: of Appeared,
	// Since; of Altered, the start of the round; of Gone, the start of the first round
	// that missed the finding.
	At     time.Time
	Reason string // why it is accepted, in one line
}

// A Damping says how many rounds in a row confirm a change. Its zero value accepts
// each round.
type Damping struct {
	Appear int // rounds that must find what one lost packet may cause; 0: 1
	Vanish int // rounds that must miss a finding; 0: 1
	// MinHarm is how long errors must harm clients, other than through lost sessions,
	// before the finding is active: usually two canary intervals. Shorter errors are
	// recorded and not notified. Errors that are at most half as long again apart, three
	// canary intervals, count as one span: nodes that restart one after the other, or
	// again and again, harm clients by another finding each time. 0: no minimum.
	MinHarm time.Duration
}

// A Ledger records which findings of a cluster are active. It is not safe for concurrent use.
type Ledger struct {
	damping Damping
	ended   time.Time // end of the newest round
	harm    Span      // when clients' requests failed most recently, by whichever findings; zero: never
	entries []*entry  // oldest first
}

// An entry is a finding that is active, or waits for confirmation.
type entry struct {
	ActiveFinding
	active       bool      // it has been confirmed
	found        time.Time // start of the first round that found it
	cause        string    // key of the active cause when it was last reported; "": none
	proven       bool      // requests show that it, or a finding that it explains, has lasted long enough
	altered      bool      // the newest round changed its severity or nodes
	newest       Severity  // as the newest round found it
	differs      int       // rounds in a row that found it more severe than it is reported, or less severe, since changed
	changed      time.Time // first evidence of the first of them
	judged       time.Time // end of the newest round that found it
	checked      time.Time // checkedAt of the newest round that found it or missed it
	foundRounds  int       // rounds in a row that found it
	absentRounds int       // rounds in a row that have not found it
	missed       int       // those of them that count: not the ones with doubts, if these may hide it
	gone         time.Time // start of the first of the rounds that missed it
}

// NewLedger returns a ledger in which the given findings are active, as they were
// stored.
func NewLedger(d Damping, active ...ActiveFinding) *Ledger {
	l := &Ledger{damping: Damping{Appear: max(1, d.Appear), Vanish: max(1, d.Vanish), MinHarm: d.MinHarm}}
	for _, found := range active {
		l.entries = append(l.entries, &entry{ActiveFinding: found, active: true, judged: found.Last})
	}
	for _, e := range l.entries {
		e.cause = l.activeCause(e)
	}
	return l
}

// Active returns the active findings, oldest first, each with its nearest active cause.
func (l *Ledger) Active() []ActiveFinding {
	var list []ActiveFinding
	for _, e := range l.entries {
		if e.active {
			list = append(list, l.reported(e))
		}
	}
	return list
}

// reported returns an active finding as it is reported. A cause that is not active is
// replaced by the nearest one that is: otherwise both would seem to have causes of their
// own.
func (l *Ledger) reported(e *entry) ActiveFinding {
	f := e.ActiveFinding
	f.ExplainedBy = cmp.Or(l.activeCause(e), f.ExplainedBy)
	return f
}

// HasPending reports whether a finding waits for another round, to become active, more or
// less severe, or to end.
func (l *Ledger) HasPending() bool {
	return slices.ContainsFunc(l.entries, func(e *entry) bool { return !e.active || e.missed > 0 || e.differs > 0 })
}

// Update adds a complete round and returns what it changed.
func (l *Ledger) Update(report Report) []Change {
	l.ended = report.Started.Add(report.Duration)
	l.extendHarm(report.Findings)
	seen := make(map[string]bool)
	for _, f := range report.Findings {
		if !seen[f.Key()] {
			seen[f.Key()] = true
			l.record(f, report.Started)
		}
	}
	l.explainByMissed(seen)
	l.markProven()
	changes := l.confirmFound(l.withWaiting(seen), report.Started)
	l.entries = slices.DeleteFunc(l.entries, func(e *entry) bool {
		if seen[e.Key()] {
			return false
		}
		if e.judgedAlready(report) || report.undecided && e.Code == BalancerSplit {
			return false
		}
		e.checked = report.checkedAt
		e.absentRounds++
		if e.active && !e.canBeMissed(report) {
			return false
		}
		if len(report.Doubts) > 0 && e.Code.has(throughSessions) {
			e.missed = 0     // a round without doubts must miss it first
			return !e.active // an unconfirmed finding is dropped
		}
		c, over := e.missRound(report.Started, l.damping.Vanish)
		if over && e.active {
			changes = append(changes, c)
		}
		return over
	})
	return changes
}

// judgedAlready reports whether a round that has not found the finding has the checks of an earlier
// one, and no others that could show it.
func (e *entry) judgedAlready(report Report) bool {
	return !e.observed.checkedAt.IsZero() && !report.checkedAt.IsZero() && !report.checkedAt.After(e.checked)
}

// canBeMissed reports whether a round could have found the finding again: what only answered clients show is
// not found while none is answered, and what only clients meet that have paused is met again after another
// pause at the earliest.
func (e *entry) canBeMissed(report Report) bool {
	if report.unanswered && e.Code.has(throughSessions) {
		return report.Started.Sub(e.Last) > longestWait
	}
	return report.keptAfter >= e.observed.pause || report.Started.Sub(e.Last) > min(e.observed.pause*3/2, longestWait)
}

// longestWait is how long a finding stays active that no client could have met again. The idle
// canaries that matter most pause for up to five minutes.
const longestWait = 10 * time.Minute

// UpdatePartial adds an incomplete round and returns what it changed. It accepts only
// what clients' failed requests prove to have lasted: new findings with their causes, and
// that an active one is more severe. All others wait for the end of the round.
func (l *Ledger) UpdatePartial(report Report) []Change {
	l.ended = report.Started.Add(report.Duration)
	l.extendHarm(report.Findings)
	found, proven := make(map[string]bool), make(map[string]bool)
	for _, f := range report.Findings {
		found[f.Key()] = true
		lasted := l.harmedLongEnough(l.harmOf(f))
		for key := f.Key(); lasted && key != "" && !proven[key]; {
			proven[key] = true
			at := slices.IndexFunc(report.Findings, func(f Finding) bool { return f.Key() == key })
			if key = ""; at >= 0 { // a cause may have ended
				key = report.Findings[at].ExplainedBy
			}
		}
	}
	recorded, before := make(map[string]bool), make(map[string]entry)
	for _, f := range report.Findings {
		e := l.entry(f.Key())
		isNew := e == nil || !e.active
		if proven[f.Key()] && !recorded[f.Key()] && (isNew || !e.Severity.AtLeast(f.Severity) && l.harmedLongEnough(l.harmOf(f))) {
			recorded[f.Key()] = true
			if e != nil {
				before[f.Key()] = *e
			}
			l.record(f, report.Started)
		}
	}
	l.explainByMissed(found)
	l.markProven()
	changes := l.confirmFound(recorded, report.Started)
	for key := range recorded { // the round counts when it is complete
		e := l.entry(key)
		e.foundRounds, e.differs = before[key].foundRounds, min(before[key].differs, e.differs)
	}
	return changes
}

// extendHarm adds the failed requests that findings report to the newest harm, or begins
// another one.
func (l *Ledger) extendHarm(findings []Finding) {
	var spans []Span
	for _, f := range findings {
		if !f.observed.harm.From.IsZero() {
			spans = append(spans, f.observed.harm)
		}
	}
	slices.SortFunc(spans, func(a, b Span) int { return a.From.Compare(b.From) })
	for _, s := range spans {
		if l.joins(s) {
			s.From = l.harm.From
		}
		if s.To.After(l.harm.To) {
			l.harm = s
		}
	}
}

// joins reports whether failed requests belong to the newest harm.
func (l *Ledger) joins(s Span) bool {
	return l.harm.From.Before(s.From) && s.From.Sub(l.harm.To) <= 3*l.damping.MinHarm/2
}

// harmOf returns from when to when clients' requests have failed by a finding,
// including the harm that it continues and the preceding rounds in a row that found it.
func (l *Ledger) harmOf(f Finding) Span {
	if f.observed.harm.From.IsZero() {
		return f.observed.harm
	}
	if l.joins(f.observed.harm) {
		f.observed.harm.From = l.harm.From
	}
	if e := l.entry(f.Key()); e != nil && e.missed == 0 && !e.observed.harm.From.IsZero() && e.observed.harm.From.Before(f.observed.harm.From) {
		f.observed.harm.From = e.observed.harm.From
	}
	return f.observed.harm
}

// harmedLongEnough reports whether requests have failed for long enough.
func (l *Ledger) harmedLongEnough(s Span) bool {
	return l.damping.MinHarm > 0 && s.To.Sub(s.From) >= l.damping.MinHarm
}

// record adds a finding of a round.
func (l *Ledger) record(finding Finding, at time.Time) {
	finding.observed.harm = l.harmOf(finding)
	since := at
	if !finding.observed.firstEvidence.IsZero() {
		since = finding.observed.firstEvidence
	}
	e := l.entry(finding.Key())
	if e == nil {
		e = &entry{ActiveFinding: ActiveFinding{Finding: finding, Since: since}, found: at, judged: l.ended}
		l.entries = append(l.entries, e)
	}
	if !e.When.IsZero() && (finding.When.After(e.judged) || finding.Began.After(e.When)) {
		e.Since, e.found = since, at // it happened again, as a new event
	}
	e.altered = !slices.Equal(e.Nodes, finding.Nodes) && !finding.Code.has(throughSessions)       // there, the nodes depend on chance
	again := !finding.observed.checkedAt.IsZero() && !finding.observed.checkedAt.After(e.checked) // confirms nothing
	differed := e.differs > 0 && e.worse() == !e.Severity.AtLeast(finding.Severity)
	switch e.newest = finding.Severity; {
	case again:
	case e.newest == e.Severity:
		e.differs = 0
	case differed:
		e.differs++
	default:
		e.differs, e.changed = 1, since
	}
	finding.Severity = e.Severity
	e.Finding, e.Last, e.judged, e.absentRounds, e.missed = finding, at, l.ended, 0, 0
	if !again {
		e.foundRounds++
	}
	e.checked = finding.observed.checkedAt
}

// explainByMissed names causes among the active findings that a round has missed, for those
// that it has found without a cause, if they are new or had that cause before. One round
// without it is no end of a cause, and its effects would seem to be causes themselves.
func (l *Ledger) explainByMissed(found map[string]bool) {
	for _, e := range l.entries {
		if !found[e.Key()] || e.ExplainedBy != "" {
			continue
		}
		mayExplain := func(cause *entry) bool {
			stays := cause.active && !found[cause.Key()] && cause.absentRounds+1 < l.damping.Vanish
			return stays && (!e.active || e.cause == cause.Key()) && !l.explains(e, cause)
		}
		for _, possible := range causes[e.Code] {
			at := slices.IndexFunc(l.entries, func(cause *entry) bool {
				return cause.Code == possible.code && mayExplain(cause) && possible.fits(e.Finding, cause.Finding)
			})
			if at >= 0 {
				e.ExplainedBy = l.entries[at].Key()
				break
			}
		}
	}
}

// explains reports whether one entry is the other, or explains it over any number of causes.
func (l *Ledger) explains(cause, effect *entry) bool {
	for range l.entries {
		if effect == nil || effect == cause {
			return effect != nil
		}
		effect = l.entry(effect.ExplainedBy)
	}
	return false
}

// worse reports whether the newest round found it more severe than it is reported.
func (e *entry) worse() bool { return !e.Severity.AtLeast(e.newest) }

// adjust makes a finding as severe as enough rounds in a row have found it: more severe as it
// becomes active, and less severe as it ends. One lost packet to the only node that is left
// makes all others critical, too, and one answer from a node that fails does not mend it.
func (l *Ledger) adjust(e *entry, at time.Time) {
	needs := l.damping.Vanish
	switch {
	case e.worse() && !e.proven:
		needs = l.rounds(e.Finding)
	case e.worse() || !e.active:
		needs = 1
	}
	if e.differs < needs {
		return
	}
	if e.Severity == Info { // it was only informative until now
		e.Since, e.found = e.changed, at
	}
	e.Severity, e.differs, e.altered = e.newest, 0, true
}

// entry returns the entry of a finding; nil: none.
func (l *Ledger) entry(key string) *entry {
	i := slices.IndexFunc(l.entries, func(e *entry) bool { return e.Key() == key })
	if i < 0 {
		return nil
	}
	return l.entries[i]
}

// confirmFound returns the changes of the findings that a round has found. A cause that is
// not active changes nothing, since each round may name another one.
func (l *Ledger) confirmFound(seen map[string]bool, at time.Time) []Change {
	appeared := make(map[*entry]bool)
	for _, e := range l.entries {
		if seen[e.Key()] {
			l.adjust(e, at)
		}
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
			changes = append(changes, Change{Appeared, l.reported(e), e.Since, "seen by " + plural(e.foundRounds, "round", "rounds in a row")})
		case e.altered || e.cause != before:
			changes = append(changes, Change{Altered, l.reported(e), at, "its severity, cause or nodes are others than before"})
		}
	}
	return changes
}

// activeCause returns the key of the nearest active finding that explains an entry,
// directly or through causes that are not active; "": none.
func (l *Ledger) activeCause(e *entry) string {
	cause := l.entry(e.ExplainedBy)
	for range l.entries { // as many as there are, because causes of several rounds may form a circle
		if cause == nil || cause == e {
			return ""
		}
		if cause.active {
			return cause.Key()
		}
		cause = l.entry(cause.ExplainedBy)
	}
	return ""
}

// confirmed reports whether enough rounds have found a finding and its cause. An effect
// waits for its cause, because without it the effect looks like a cause itself. It waits for
// at most Appear-1 further rounds, because the cause may never be confirmed; an event waits
// no longer than MinHarm after its moment, because a round at slow nodes is long. steps bounds
// the chain of causes.
func (l *Ledger) confirmed(e *entry, steps int) bool {
	if e.active || steps == 0 {
		return true
	}
	needs := l.rounds(e.Finding)
	if e.proven {
		needs = 1
	} else if e.Code.has(clientErrors) && l.damping.MinHarm > 0 && (!e.observed.harm.From.IsZero() || e.Last.Sub(e.found) < l.damping.MinHarm) {
		return false // failed requests say exactly how long it lasts; without any, the starts of the rounds do
	}
	if e.foundRounds < needs {
		return false
	}
	cause := l.entry(e.ExplainedBy)
	overdue := !e.When.IsZero() && l.ended.Sub(e.When) > l.damping.MinHarm
	return cause == nil || e.foundRounds >= needs+l.damping.Appear-1 || overdue || l.confirmed(cause, steps-1)
}

// markProven marks the entries that need no further round because clients' requests
// have failed for long enough, and their causes.
func (l *Ledger) markProven() {
	for _, e := range l.entries {
		e.proven = false
	}
	for _, e := range l.entries {
		if !l.harmedLongEnough(e.observed.harm) {
			continue
		}
		for at := e; at != nil && !at.proven; at = l.entry(at.ExplainedBy) {
			at.proven = true
		}
	}
}

// withWaiting returns the keys of found findings with those of critical ones about sessions that a round has missed, and that
// waited only for their causes: a client that lost its session cannot show it again. They and their causes need no further round.
func (l *Ledger) withWaiting(found map[string]bool) map[string]bool {
	all := maps.Clone(found)
	for _, e := range l.entries {
		loses := e.Severity == Critical && (e.Code.has(throughSessions) || e.Code == BalancerRemapped) && !e.Code.has(clientErrors)
		if e.active || all[e.Key()] || !loses || e.foundRounds < l.rounds(e.Finding) {
			continue
		}
		for at := e; at != nil && !at.active && !at.proven; at = l.entry(at.ExplainedBy) {
			at.proven, all[at.Key()] = true, true
		}
	}
	return all
}

// rounds returns how many rounds in a row must find a finding. Sessions that address checks lead
// elsewhere need a second round, because one may catch a balancer that has just ejected a node. Lost packets need no second
// round, because several rounds prove them.
func (l *Ledger) rounds(f Finding) int {
	if (f.Code.has(needsSecondRound) || !f.observed.checkedAt.IsZero()) && f.Target != lostPacketsTarget {
		return l.damping.Appear
	}
	return 1
}

// missRound adds a round that has not found the entry, and reports whether the
// finding ends. An unconfirmed one ends at once.
func (e *entry) missRound(at time.Time, need int) (Change, bool) {
	e.foundRounds, e.differs = 0, 0
	e.missed++
	if e.missed == 1 {
		e.gone = at
		if at.Before(e.Since) { // its first evidence came during the round that does not find it
			e.gone = e.Since
		}
	}
	if e.active && e.missed < need {
		return Change{}, false
	}
	ended := e.ActiveFinding
	ended.ExplainedBy = cmp.Or(e.cause, ended.ExplainedBy) // as it was reported last
	return Change{Gone, ended, e.gone, fmt.Sprintf("missed by %s", plural(e.missed, "round", "rounds in a row"))}, true
}
