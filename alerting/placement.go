package alerting

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"stickwatch/checks"
)

// position finds the incident of a family, or opens one, and brings it up to date.
// A family that only informs, and belongs to no incident, has none, nor has what a
// failure has cost that was notified.
func (d *openIncidents) position(at time.Time, cluster string, f causeGroup, changed map[string]bool) {
	i := d.home(at, cluster, f)
	if i == nil {
		if !f.worst().AtLeast(checks.Warning) || d.failures.explain(cluster, f) {
			return
		}
		i = d.begin(at, cluster, f)
	}
	i.join(cluster)
	for _, s := range f.members {
		d.admit(at, i, cluster, s, changed[s.Key()])
	}
	if cause := i.Cause.Key(); cause != f.root && f.rooted() && i.ledBy(cluster, cause) && f.has(cause) {
		i.lead(cluster, f.root)
		d.note(i, i.Findings[0].event(at, EventExplained, ReasonCauseFound), true)
	}
	if i.Host == "" {
		i.Host = i.sharedHost()
	}
	if worst := f.worst(); !i.Severity.AtLeast(worst) {
		i.Severity = worst
		d.note(i, Event{
			At: at, Kind: EventWorsened, Detail: string(worst), Reason: ReasonWorse,
			Text: fmt.Sprintf("it is %s now", worst),
		}, true)
	}
}

// home returns the open incident that a family belongs to, or nil: the one that
// its root is part of, though that may be over by now, or one that the family
// turns out to explain, or one that has the same trouble. When these are several they
// are one from now on, the oldest.
func (d *openIncidents) home(at time.Time, cluster string, f causeGroup) *Incident {
	root := d.where(cluster, f.root)
	var oldest *Incident
	for _, i := range d.open {
		switch {
		case i.State == Resolved:
		case i != root && !d.mergedBy(i, cluster, f) && !(f.has(i.Cause.Key()) && i.ledBy(cluster, i.Cause.Key())):
		case oldest == nil:
			oldest = i
		default:
			d.merge(at, i, oldest)
		}
	}
	if oldest == nil && f.worst().AtLeast(checks.Warning) {
		return d.grouped(cluster, f)
	}
	return oldest
}

// begin opens an incident for a family.
func (d *openIncidents) begin(at time.Time, cluster string, f causeGroup) *Incident {
	first := f.members[0]
	i := &Incident{
		ID: incidentID(at, cluster, first.Key()), Cluster: cluster, State: Pending, Severity: f.worst(),
		Cause: first.Finding, Started: first.Since,
	}
	for _, s := range f.members {
		if s.Since.Before(i.Started) {
			i.Started = s.Since
		}
	}
	d.open = append(d.open, i)
	slices.SortFunc(d.open, byID) // of incidents that begin together, a restart must see the same one first
	return i
}

// admit makes a finding part of an incident, or brings it up to date there.
func (d *openIncidents) admit(at time.Time, i *Incident, cluster string, s checks.ActiveFinding, changed bool) {
	switch m := i.member(cluster, s.Key()); {
	case m == nil || !m.Holds():
		d.enter(at, i, cluster, s)
	case !m.raises() && s.Severity.AtLeast(checks.Warning): // until now it was mere information
		m.ActiveFinding = s
		d.come(at, i, m, ReasonSeen, EventJoined)
	case m.refresh(s, changed) && changed:
		d.note(i, m.event(at, EventAltered, ReasonSeen), false)
	}
	if i.ledBy(cluster, s.Key()) {
		i.Cause = i.Findings[0].Finding
	}
}

// enter makes a finding hold in an incident in which it does not, though it may
// have before. Where it held until now it was by mistake, and is no more; it has
// not come then, and is no news.
func (d *openIncidents) enter(at time.Time, i *Incident, cluster string, s checks.ActiveFinding) {
	came, moved := d.release(at, i, cluster, s.Key())
	kind, reason := EventReturned, ReasonSeen
	if i.member(cluster, s.Key()) == nil {
		i.add(Member{ActiveFinding: s, Cluster: cluster})
		kind, reason = EventJoined, ReasonSameCause
	}
	if len(i.Timeline) == 0 {
		kind, reason = EventOpened, ReasonNewCause
	}
	m := i.member(cluster, s.Key())
	m.ActiveFinding, m.Ended = s, time.Time{}
	if !moved {
		d.come(at, i, m, reason, kind)
		return
	}
	m.CameBack = came
	d.note(i, m.event(at, kind, reason), false)
}

// release ends a finding in the incident in which it holds, because it belongs to
// another one; moved is false if there is none. It returns when it came.
func (d *openIncidents) release(at time.Time, to *Incident, cluster, key string) (came []time.Time, moved bool) {
	from := d.where(cluster, key)
	if from == nil || !from.member(cluster, key).Holds() {
		return nil, false
	}
	m := from.member(cluster, key)
	m.Ended = at
	e := m.event(at, EventMoved, ReasonOtherCause)
	e.Detail = to.ID
	d.note(from, e, false)
	return m.CameBack, true
}

// come notes that a finding has appeared, and whether it flaps.
func (d *openIncidents) come(at time.Time, i *Incident, m *Member, reason Reason, kind EventKind) {
	if m.raises() {
		m.CameBack = d.flapCounter.came(subject{m.Cluster, m.Key()}, at)
	}
	d.note(i, m.event(at, kind, reason), m.isNews())
	if m.flaps() && !i.Flapping && !i.steady(m) {
		i.Flapping = true
		e := m.event(at, EventFlapping, ReasonCameAndWent)
		e.Text = fmt.Sprintf("came %d times within %s: %s", len(m.CameBack), at.Sub(m.CameBack[0]).Round(time.Second), m.Summary)
		d.note(i, e, true)
	}
}

// merge makes a younger incident part of an older one: both have one cause. Who
// was told of the younger one is told that it goes on in the other.
func (d *openIncidents) merge(at time.Time, younger, older *Incident) {
	for _, m := range younger.Findings {
		switch known := older.member(m.Cluster, m.Key()); {
		case known == nil:
			older.add(m)
		case m.Holds() && !known.Holds():
			*known = m
		}
	}
	d.note(older, Event{
		At: at, Kind: EventMerged, Detail: younger.ID, Reason: ReasonOneCause,
		Text: fmt.Sprintf("incident %s has the same cause", younger.ID),
	}, true)
	if !older.Severity.AtLeast(younger.Severity) {
		older.Severity = younger.Severity
	}
	older.Flapping = older.Flapping || younger.Flapping
	if younger.Started.Before(older.Started) {
		older.Started = younger.Started
	}
	for _, cluster := range younger.Clusters {
		older.join(cluster)
	}
	older.Host = cmp.Or(older.Host, younger.Host)
	if !younger.Fired.IsZero() {
		d.fire(at, older, ReasonOneCause, "it goes on with an incident that had been told")
	}
	d.close(at, younger, Event{
		At: at, Kind: EventMerged, Detail: older.ID, Reason: ReasonOneCause,
		Text: fmt.Sprintf("goes on in incident %s, which has the same cause", older.ID),
	})
	younger.MergedInto = older.ID
}

// A causeGroup is findings with one cause: the root, which nothing explains, and all
// that it explains, over any number of steps. A root may be named by what it
// explains and not stand: it takes more rounds to be believed, or it is over.
type causeGroup struct {
	root    string                 // its key
	members []checks.ActiveFinding // the root first if it stands, then as they were given
}

// causeGroups sorts what stands by its causes, in the order in which the first of
// each family was given.
func causeGroups(standing []checks.ActiveFinding) []causeGroup {
	byKey := make(map[string]checks.ActiveFinding, len(standing))
	var keys []string
	for _, s := range standing {
		key := s.Key()
		if _, twice := byKey[key]; twice {
			continue
		}
		byKey[key] = s
		keys = append(keys, key)
	}
	var list []causeGroup
	index := make(map[string]int)
	for _, key := range keys {
		root := rootOf(key, byKey)
		at, known := index[root]
		if !known {
			at = len(list)
			index[root] = at
			list = append(list, causeGroup{root: root})
			if s, stands := byKey[root]; stands {
				list[at].members = append(list[at].members, s)
			}
		}
		if key != root {
			list[at].members = append(list[at].members, byKey[key])
		}
	}
	return list
}

// rootOf follows explanations to their end. Those that come from different rounds
// could form a circle: its root is the first key in it by the alphabet, so that
// all of the circle have the same.
func rootOf(key string, standing map[string]checks.ActiveFinding) string {
	for range len(standing) + 1 {
		cause := standing[key].ExplainedBy
		if cause == "" {
			return key
		}
		key = cause
	}
	first := key
	for next := standing[key].ExplainedBy; next != key; next = standing[next].ExplainedBy {
		first = min(first, next)
	}
	return first
}

// rooted reports whether the root itself stands.
func (f causeGroup) rooted() bool { return f.members[0].Key() == f.root }

// has reports whether the finding of a key is of the family.
func (f causeGroup) has(key string) bool {
	return slices.ContainsFunc(f.members, func(s checks.ActiveFinding) bool { return s.Key() == key })
}

// worst is the severity of its most severe finding.
func (f causeGroup) worst() checks.Severity {
	worst := checks.Info
	for _, s := range f.members {
		if s.Severity.AtLeast(worst) {
			worst = s.Severity
		}
	}
	return worst
}
