package alerting

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"stickwatch/checks"
)

// place finds or opens the incident of a cause group and updates it. A group opens no
// incident if it is only information, or if it sums up the cost of a failure that was
// notified before.
func (d *openIncidents) place(at time.Time, cluster string, f causeGroup, changed map[string]bool) {
	i := d.incidentOf(at, cluster, f)
	if i == nil {
		if !f.worst().AtLeast(checks.Warning) || d.failureEnds.explain(cluster, f) {
			return
		}
		i = d.openIncident(at, cluster, f)
	}
	i.join(cluster)
	for _, s := range f.members {
		d.update(at, i, cluster, s, changed[s.Key()])
	}
	explained := f.contains(i.Cause.Key()) && i.isCause(cluster, i.Cause.Key())
	if i.Cause.Key() != f.root && f.hasRoot() && (explained || f.members[0].Code == checks.ProberImpaired) {
		i.setCause(cluster, f.root)
		d.record(i, i.Findings[0].event(at, EventExplained, ReasonCauseFound), true)
	}
	if i.Host == "" {
		i.Host = i.sharedHost()
	}
	if worst := f.worst(); !i.Severity.AtLeast(worst) {
		i.Severity = worst
		i.Acknowledged = Acknowledgement{} // of something less severe
		d.record(i, Event{
			At: at, Kind: EventWorsened, Detail: string(worst), Reason: ReasonWorse,
			Text: fmt.Sprintf("the severity is %s now", worst),
		}, true)
	}
}

// incidentOf returns the open incident of a cause group, or nil: the one that
// contains the root, active or not; one whose cause the group explains; or one that a
// grouping rule selects. If several match, they are merged into the oldest.
func (d *openIncidents) incidentOf(at time.Time, cluster string, f causeGroup) *Incident {
	root := d.find(cluster, f.root)
	var oldest *Incident
	for _, i := range d.open {
		switch {
		case i.State == Resolved, f.survives(at, i):
		case i != root && !d.mergedBy(i, cluster, f) && (!f.contains(i.Cause.Key()) || !i.isCause(cluster, i.Cause.Key())):
		case oldest == nil:
			oldest = i
		default:
			d.merge(at, i, oldest)
		}
	}
	if oldest == nil && f.worst().AtLeast(checks.Warning) {
		return d.grouped(at, cluster, f)
	}
	return oldest
}

// openIncident opens an incident for a cause group.
func (d *openIncidents) openIncident(at time.Time, cluster string, f causeGroup) *Incident {
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
	slices.SortFunc(d.open, byID) // the order must be the same after a restart
	return i
}

// update adds a finding to an incident, or updates it there.
func (d *openIncidents) update(at time.Time, i *Incident, cluster string, s checks.ActiveFinding, changed bool) {
	m := i.member(cluster, s.Key())
	again := m != nil && m.again(s)
	switch {
	case m == nil || !m.Active():
		d.activate(at, i, cluster, s)
	case !m.alerts() && s.Severity.AtLeast(checks.Warning): // it was only information before
		m.ActiveFinding = s
		d.recordAppearance(at, i, m, ReasonSeen, EventJoined)
	case m.refresh(s, changed) && changed:
		d.record(i, m.event(at, EventAltered, ReasonSeen), false)
	}
	if again && len(i.Notified) == 0 { // nobody was notified of what happened before
		i.Started = i.activeSince()
		d.record(i, m.event(at, EventReturned, ReasonSeen), false)
	}
	if i.isCause(cluster, s.Key()) {
		i.Cause = i.Findings[0].Finding
	}
}

// activate makes a finding active in an incident, in which it may have ended before.
// If it is active in another incident, it moves from there; then it is no new
// appearance and no news.
func (d *openIncidents) activate(at time.Time, i *Incident, cluster string, s checks.ActiveFinding) {
	came, moved := d.detach(at, i, cluster, s.Key())
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
		d.recordAppearance(at, i, m, reason, kind)
		return
	}
	m.CameBack = came
	d.record(i, m.event(at, kind, reason), false)
}

// detach ends a finding in the incident in which it is active, because it belongs to
// another one. It returns the recent appearances of the finding; moved is false if it
// was not active.
func (d *openIncidents) detach(at time.Time, to *Incident, cluster, key string) (came []time.Time, moved bool) {
	from := d.find(cluster, key)
	if from == nil || !from.member(cluster, key).Active() {
		return nil, false
	}
	m := from.member(cluster, key)
	m.Ended = at
	e := m.event(at, EventMoved, ReasonOtherCause)
	e.Detail = to.ID
	d.record(from, e, false)
	return m.CameBack, true
}

// recordAppearance records that a finding has appeared, and whether it flaps.
func (d *openIncidents) recordAppearance(at time.Time, i *Incident, m *Member, reason Reason, kind EventKind) {
	if m.alerts() {
		m.CameBack = d.flapCounter.add(subject{m.Cluster, m.Key()}, at)
	}
	d.record(i, m.event(at, kind, reason), m.isNews())
	if m.flaps() && !i.Flapping && !i.hasSteadyCause(m) {
		i.Flapping = true
		e := m.event(at, EventFlapping, ReasonCameAndWent)
		e.Text = fmt.Sprintf("appeared %d times within %s: %s", len(m.CameBack), at.Sub(m.CameBack[0]).Round(time.Second), m.Summary)
		d.record(i, e, true)
	}
}

// merge moves a younger incident into an older one with the same cause. Receivers of
// the younger one are notified that it continues in the other.
func (d *openIncidents) merge(at time.Time, younger, older *Incident) {
	for _, m := range younger.Findings {
		switch known := older.member(m.Cluster, m.Key()); {
		case known == nil:
			older.add(m)
		case m.Active() && !known.Active():
			*known = m
		}
	}
	d.record(older, Event{
		At: at, Kind: EventMerged, Detail: younger.ID, Reason: ReasonOneCause,
		Text: fmt.Sprintf("incident %s has the same cause", younger.ID),
	}, true)
	if !older.Severity.AtLeast(younger.Severity) {
		older.Severity, older.Acknowledged = younger.Severity, younger.Acknowledged
	}
	older.Flapping = older.Flapping || younger.Flapping
	if younger.Started.Before(older.Started) {
		older.Started = younger.Started
	}
	for _, cluster := range younger.Clusters {
		older.join(cluster)
	}
	older.Host = cmp.Or(older.Host, younger.Host)
	if older.Acknowledged.IsZero() && older.Severity == younger.Severity {
		older.Acknowledged = younger.Acknowledged
	}
	if !younger.Fired.IsZero() {
		d.fire(at, older, ReasonOneCause, "it continues an incident that has fired")
	}
	d.close(at, younger, Event{
		At: at, Kind: EventMerged, Detail: older.ID, Reason: ReasonOneCause,
		Text: fmt.Sprintf("continues in incident %s, which has the same cause", older.ID),
	})
	younger.MergedInto = older.ID
}

// A causeGroup is a group of findings with the same root cause: the root, which
// nothing explains, and everything that it explains directly or indirectly. The root
// may be missing, because it is not confirmed yet or has ended.
type causeGroup struct {
	root    string                 // its key
	members []checks.ActiveFinding // the root first if it is active, then in the given order
}

// causeGroups groups active findings by root cause, in the order in which the first
// of each group was given.
func causeGroups(active []checks.ActiveFinding) []causeGroup {
	byKey := make(map[string]checks.ActiveFinding, len(active))
	var keys []string
	for _, s := range active {
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
			if s, isActive := byKey[root]; isActive {
				list[at].members = append(list[at].members, s)
			}
		}
		if key != root {
			list[at].members = append(list[at].members, byKey[key])
		}
	}
	return list
}

// rootOf follows explanations to the root. Explanations from different rounds can
// form a cycle; its root is the alphabetically first key, so that all its members
// have the same one.
func rootOf(key string, active map[string]checks.ActiveFinding) string {
	for range len(active) + 1 {
		cause := active[key].ExplainedBy
		if cause == "" {
			return key
		}
		key = cause
	}
	first := key
	for next := active[key].ExplainedBy; next != key; next = active[next].ExplainedBy {
		first = min(first, next)
	}
	return first
}

// hasRoot reports whether the root is active.
func (f causeGroup) hasRoot() bool { return f.members[0].Key() == f.root }

// contains reports whether the group has a finding with a key.
func (f causeGroup) contains(key string) bool {
	return slices.ContainsFunc(f.members, func(s checks.ActiveFinding) bool { return s.Key() == key })
}

// worst returns the highest severity in the group.
func (f causeGroup) worst() checks.Severity {
	worst := checks.Info
	for _, s := range f.members {
		if s.Severity.AtLeast(worst) {
			worst = s.Severity
		}
	}
	return worst
}
