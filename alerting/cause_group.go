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
func (o *openIncidents) place(at time.Time, cluster string, group causeGroup, changed map[string]bool) {
	incident := o.findOrMerge(at, cluster, group)
	if incident == nil {
		if !group.worst().AtLeast(checks.Warning) || o.failureEnds.explain(cluster, group) {
			return
		}
		incident = o.openIncident(at, cluster, group)
	}
	incident.join(cluster)
	for _, found := range group.members {
		o.update(at, incident, cluster, found, changed[found.Key()])
	}
	explained := group.contains(incident.Cause.Key()) && incident.isCause(cluster, incident.Cause.Key()) ||
		causeFound(o.rules, incident.Findings[0], cluster, group)
	if incident.Cause.Key() != group.root && group.hasRoot() && (explained || group.members[0].CannotProbe()) {
		incident.setCause(cluster, group.root)
		incident.updateCluster() // an impairment makes it one of stickwatch itself, which must see its end
		if incident.Cluster == "" && incident.Monitor == "" {
			incident.Monitor = o.rules.Monitor
		}
		o.record(incident, incident.Findings[0].event(at, EventExplained, ReasonCauseFound), true)
	}
	if incident.Host == "" {
		incident.Host = incident.sharedHost()
	}
	if worst := group.worst(); !incident.Severity.AtLeast(worst) {
		incident.Severity = worst
		incident.Acknowledged = Acknowledgement{} // of something less severe
		o.record(incident, Event{
			At: at, Kind: EventWorsened, Detail: string(worst), Reason: ReasonWorse,
			Text: fmt.Sprintf("the severity is %s now", worst),
		}, true)
	}
}

// findOrMerge returns the open incident of a cause group, or nil: the one that
// contains it; one whose cause the group explains; or one that a
// grouping rule selects. If several match, they are merged into the oldest.
func (o *openIncidents) findOrMerge(at time.Time, cluster string, group causeGroup) *Incident {
	root := o.containing(cluster, group)
	belongs := func(i *Incident) bool {
		return i == root || group.contains(i.Cause.Key()) && i.isCause(cluster, i.Cause.Key()) || o.mergedBy(i, cluster, group)
	}
	var oldest *Incident
	for _, i := range o.open {
		switch {
		case i.State == Resolved, group.outlivesImpairment(at, i), !belongs(i):
		case oldest == nil:
			oldest = i
		default:
			o.merge(at, i, oldest)
		}
	}
	if oldest == nil && group.worst().AtLeast(checks.Warning) {
		return o.incidentByRule(at, cluster, group)
	}
	return oldest
}

// containing returns the open incident that contains the root of a cause group, active or not. A
// root that opens no incident takes no finding out of its own: it is only information, such as a
// restart that now explains errors of an open incident, or not active. nil: there is none.
func (o *openIncidents) containing(cluster string, group causeGroup) *Incident {
	if i := o.find(cluster, group.root); i != nil {
		return i
	}
	alerts := func(found checks.ActiveFinding) bool { return found.Severity.AtLeast(checks.Warning) }
	first := slices.IndexFunc(group.members, alerts)
	if first < 0 || group.hasRoot() && alerts(group.members[0]) {
		return nil
	}
	return o.find(cluster, group.members[first].Key())
}

// openIncident opens an incident for a cause group. It starts with its cause or its first
// consequence, but not with one that was only information before.
func (o *openIncidents) openIncident(at time.Time, cluster string, group causeGroup) *Incident {
	first := group.members[0]
	i := &Incident{
		ID: incidentID(at, cluster, first.Key()), Cluster: cluster, State: Pending, Severity: group.worst(),
		Cause: first.Finding, Started: first.Since,
	}
	if cluster == "" {
		i.Monitor = o.rules.Monitor
	}
	for _, found := range group.members {
		from := o.find(cluster, found.Key()) // an incident in which it is active has another cause, and its start
		if found.Severity.AtLeast(checks.Warning) && found.Since.Before(i.Started) && (from == nil || !from.member(cluster, found.Key()).Active()) {
			i.Started = found.Since
		}
	}
	o.open = append(o.open, i)
	slices.SortFunc(o.open, byID) // the order must be the same after a restart
	return i
}

// update adds a finding to an incident, or updates it there.
func (o *openIncidents) update(at time.Time, incident *Incident, cluster string, activeFinding checks.ActiveFinding, changed bool) {
	m := incident.member(cluster, activeFinding.Key())
	again := m != nil && m.again(activeFinding)
	switch {
	case m == nil || !m.Active():
		o.activate(at, incident, cluster, activeFinding)
	case !m.alerts() && activeFinding.Severity.AtLeast(checks.Warning): // it was only information before
		m.ActiveFinding = activeFinding
		o.recordAppearance(at, incident, m, ReasonSeen, EventJoined)
	case m.refresh(activeFinding, changed) && changed:
		o.record(incident, m.event(at, EventAltered, ReasonSeen), false)
	}
	switch {
	case !again:
	case len(incident.Notified) == 0: // nobody was notified of what happened before
		incident.Started = activeFinding.Since
		if since := incident.activeSince(); !since.IsZero() {
			incident.Started = since
		}
		o.record(incident, m.event(at, EventReturned, ReasonSeen), false)
	default:
		o.recordAppearance(at, incident, m, ReasonSeen, EventReturned)
	}
	if incident.isCause(cluster, activeFinding.Key()) {
		incident.Cause = incident.Findings[0].Finding
	}
}

// activate makes a finding active in an incident, in which it may have ended before.
// If it is active in another incident, it moves from there; then it is no new
// appearance and no news.
func (o *openIncidents) activate(at time.Time, incident *Incident, cluster string, found checks.ActiveFinding) {
	appearances, moved := o.detach(at, incident, cluster, found.Key())
	kind, reason := EventReturned, ReasonSeen
	if incident.member(cluster, found.Key()) == nil {
		incident.add(Member{ActiveFinding: found, Cluster: cluster})
		kind, reason = EventJoined, ReasonSameCause
	}
	if len(incident.Timeline) == 0 {
		kind, reason = EventOpened, ReasonNewCause
	}
	m := incident.member(cluster, found.Key())
	m.ActiveFinding, m.Ended = found, time.Time{}
	if !moved {
		o.recordAppearance(at, incident, m, reason, kind)
		return
	}
	m.Appearances = appearances
	o.record(incident, m.event(at, kind, reason), false)
}

// detach ends a finding in the incident in which it is active, because it belongs to
// another one. It returns the recent appearances of the finding; moved is false if it
// was not active.
func (o *openIncidents) detach(at time.Time, to *Incident, cluster, key string) (appearances []time.Time, moved bool) {
	from := o.find(cluster, key)
	if from == nil || !from.member(cluster, key).Active() {
		return nil, false
	}
	m := from.member(cluster, key)
	m.Ended = at
	e := m.event(at, EventMoved, ReasonOtherCause)
	e.Detail = to.ID
	o.record(from, e, false)
	return m.Appearances, true
}

// recordAppearance records that a finding has appeared, and whether it flaps.
func (o *openIncidents) recordAppearance(at time.Time, i *Incident, m *Member, reason Reason, kind EventKind) {
	if m.alerts() {
		m.Appearances = o.flapCounter.add(subject{m.Cluster, m.Key()}, at)
	}
	o.record(i, m.event(at, kind, reason), m.isNews())
	if m.flaps() && !i.Flapping && !i.hasSteadyCause(m) {
		i.Flapping = true
		e := m.event(at, EventFlapping, ReasonCameAndWent)
		e.Text = fmt.Sprintf("appeared %d times within %s: %s", len(m.Appearances), at.Sub(m.Appearances[0]).Round(time.Second), m.Summary)
		o.record(i, e, true)
	}
}

// merge moves a younger incident into an older one with the same cause. Receivers of
// the younger one are notified that it continues in the other.
func (o *openIncidents) merge(at time.Time, younger, older *Incident) {
	for _, m := range younger.Findings {
		switch known := older.member(m.Cluster, m.Key()); {
		case known == nil:
			older.add(m)
		case m.Active() && !known.Active():
			*known = m
		}
	}
	o.record(older, Event{
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
		o.fire(at, older, ReasonOneCause, "it continues an incident that has fired")
	}
	o.close(at, younger, Event{
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
	for _, found := range active {
		key := found.Key()
		if _, twice := byKey[key]; twice {
			continue
		}
		byKey[key] = found
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
			if found, isActive := byKey[root]; isActive {
				list[at].members = append(list[at].members, found)
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
func (c causeGroup) hasRoot() bool { return c.members[0].Key() == c.root }

// contains reports whether the group has a finding with a key.
func (c causeGroup) contains(key string) bool {
	return slices.ContainsFunc(c.members, func(found checks.ActiveFinding) bool { return found.Key() == key })
}

// worst returns the highest severity in the group.
func (c causeGroup) worst() checks.Severity {
	worst := checks.Info
	for _, found := range c.members {
		if found.Severity.AtLeast(worst) {
			worst = found.Severity
		}
	}
	return worst
}

// failureEnds has the end of recent node failures and restarts that were notified, by
// node. The cost of a failure is known later and opens no incident of its own.
type failureEnds map[subject]time.Time

// failureEndTolerance is the largest difference between two observations of the end of a
// failure.
const failureEndTolerance = 30 * time.Second

// learn adds the failures of an incident that was notified, except those that began after it had fired
// and that were only listed in it.
func (f failureEnds) learn(i *Incident) {
	if len(i.Notified) == 0 {
		return
	}
	for _, m := range i.Findings {
		s, end := subject{m.Cluster, m.Node}, m.Ended
		switch {
		case !slices.Contains(nodeLossCodes, m.Code), m.Code == checks.NodeRestarted && m.When.After(i.Fired), !m.alerts() && m.Since.After(i.Fired):
			continue
		case m.Code == checks.NodeRestarted && !m.When.IsZero(): // an event
			end = m.When
		}
		if m.Node != "" && end.After(f[s]) && (len(f) < maxSubjects || !f[s].IsZero()) {
			f[s] = end
		}
	}
}

// forget removes failures that are too old.
func (f failureEnds) forget(at time.Time) {
	for s, end := range f {
		if at.Sub(end) > FlapWindow {
			delete(f, s)
		}
	}
}

// explain reports whether a cause group only sums up the cost of failures that were
// notified, of every node that it names.
func (f failureEnds) explain(cluster string, group causeGroup) bool {
	found := group.members[0]
	began := found.Began
	if began.IsZero() {
		began = found.When
	}
	others := slices.ContainsFunc(group.members, func(member checks.ActiveFinding) bool {
		return member.Severity.AtLeast(checks.Warning) && !isLossSummary(member.Finding)
	})
	return group.hasRoot() && !others && isLossSummary(found.Finding) && !slices.ContainsFunc(found.Nodes, func(node string) bool {
		end := f[subject{cluster, node}]
		return end.Before(began) || end.After(found.When.Add(failureEndTolerance))
	})
}
