package alerting

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"stickwatch/checks"
)

// openIncidents has the open incidents and their state machine: pending, firing,
// resolved. Every change of an incident is recorded as an event with a reason; an
// incident without a new event is unchanged and need not be written.
type openIncidents struct {
	rules       Rules
	open        []*Incident // oldest first; resolved ones until take
	touched     []*Incident // those with new events
	flapCounter flapCounter
	failureEnds failureEnds
	unsettled   map[string][]string // by cluster: nodes whose restart has a cost that is not summed up yet
}

// Rules define when incidents fire and resolve.
type Rules struct {
	Monitor      string                            // the name of this instance in its fleet; "": there is none
	ByHost       bool                              // clusters that fail because of one host share an incident
	For          map[checks.Severity]time.Duration // how long an incident is active before it fires, by severity; 0: it fires at once
	ResolveAfter time.Duration                     // how long an incident has no active finding before it resolves; 0: it resolves at once
}

// newOpenIncidents continues from past incidents. Resolved ones are used to detect
// flapping.
func newOpenIncidents(rules Rules, past []Incident) *openIncidents {
	o := &openIncidents{rules: rules, flapCounter: make(flapCounter), failureEnds: make(failureEnds), unsettled: make(map[string][]string)}
	for _, i := range past {
		o.continueFrom(&i)
	}
	slices.SortFunc(o.open, byID)
	return o
}

// continueFrom adds an incident that was handled before.
func (o *openIncidents) continueFrom(past *Incident) {
	o.flapCounter.learn(past)
	o.failureEnds.learn(past)
	if past.State != Resolved {
		for _, m := range past.Findings {
			o.learnCost(m.Cluster, m.Finding, m.Active())
		}
		open := past.clone()
		o.open = append(o.open, &open)
	}
}

func byID(a, b *Incident) int { return cmp.Compare(a.ID, b.ID) }

// observe takes all active findings of a cluster and the changes since the previous
// round. The changes have the end of findings that are gone. A difference in a
// finding without a change is not recorded, because some details differ by chance
// from round to round.
func (o *openIncidents) observe(at time.Time, cluster string, changes []checks.Change, active []checks.ActiveFinding) {
	o.resolveQuiet(at) // a finding that returns now may be too late for its incident
	o.endGone(at, cluster, changes, active)
	changed := make(map[string]bool)
	for _, c := range changes {
		changed[c.Key()] = true
	}
	delete(o.unsettled, cluster)
	for _, f := range active {
		o.learnCost(cluster, f.Finding, true)
	}
	for _, group := range causeGroups(active) {
		o.place(at, cluster, group, changed)
	}
	for _, i := range o.concerning(cluster) {
		i.updateCluster()
		i.updateEnded(at)
	}
	o.advance(at)
}

// endGone ends the findings that are not active any more.
func (o *openIncidents) endGone(at time.Time, cluster string, changes []checks.Change, active []checks.ActiveFinding) {
	isActive := make(map[string]bool, len(active))
	for _, found := range active {
		isActive[found.Key()] = true
	}
	went := make(map[string]time.Time)
	for _, c := range changes {
		if c.Kind == checks.Gone && !c.At.After(at) {
			went[c.Key()] = c.At
		}
	}
	for _, i := range o.concerning(cluster) {
		for n := range i.Findings {
			m := &i.Findings[n]
			if m.Cluster != cluster || !m.Active() || isActive[m.Key()] {
				continue
			}
			m.Ended = at
			if t := went[m.Key()]; !t.IsZero() {
				m.Ended = t
			}
			o.record(i, m.event(at, EventLeft, ReasonGone), m.isNews())
		}
	}
}

// concerning returns the open incidents that concern a cluster, oldest first.
func (o *openIncidents) concerning(cluster string) []*Incident {
	var list []*Incident
	for _, i := range o.open {
		if i.concerns(cluster) && i.State != Resolved {
			list = append(list, i)
		}
	}
	return list
}

// withID returns the open incident with an ID; nil: there is none.
func (o *openIncidents) withID(id string) *Incident {
	n := slices.IndexFunc(o.open, func(i *Incident) bool { return i.ID == id && i.State != Resolved })
	if n < 0 {
		return nil
	}
	return o.open[n]
}

// find returns the open incident in which a finding is active, or else the one in
// which it ended last; nil: none.
func (o *openIncidents) find(cluster, key string) *Incident {
	var last *Incident
	var ended time.Time
	for _, i := range o.concerning(cluster) {
		m := i.member(cluster, key)
		switch {
		case m == nil:
		case m.Active():
			return i
		case last == nil || m.Ended.After(ended):
			last, ended = i, m.Ended
		}
	}
	return last
}

// record adds an event to the timeline of an incident. If news is set, receivers that
// were notified of the incident are notified of the event.
func (o *openIncidents) record(i *Incident, e Event, news bool) {
	if len(i.Clusters) < 2 {
		e.Cluster = ""
	}
	i.Timeline = appendEvent(i.Timeline, e)
	if news {
		for n := range i.Notified {
			i.Notified[n].addNews(e)
		}
	}
	if !slices.Contains(o.touched, i) {
		o.touched = append(o.touched, i)
	}
}

// take returns copies of the incidents that have changed since the previous call, and
// removes resolved ones.
func (o *openIncidents) take() []Incident {
	var changed []Incident
	for _, i := range o.touched {
		changed = append(changed, i.clone())
	}
	o.touched = nil
	o.open = slices.DeleteFunc(o.open, func(i *Incident) bool {
		if i.State == Resolved {
			o.failureEnds.learn(i)
		}
		return i.State == Resolved
	})
	return changed
}

// advance fires and resolves incidents as time passes.
func (o *openIncidents) advance(at time.Time) {
	o.flapCounter.forget(at)
	o.failureEnds.forget(at)
	o.resolveQuiet(at)
	for _, i := range o.open {
		switch {
		case !i.Active():
		case i.Flapping:
			o.fire(at, i, ReasonCameAndWent, "it is flapping")
		case at.Sub(i.activeSince()) >= o.rules.For[i.Severity]:
			o.fire(at, i, ReasonHeld, fmt.Sprintf("it has been active for %s", at.Sub(i.activeSince()).Round(time.Second)))
		}
	}
}

// resolveQuiet resolves the incidents that have had no active finding for long
// enough.
func (o *openIncidents) resolveQuiet(at time.Time) {
	for _, i := range o.open {
		quiet := o.rules.ResolveAfter
		if i.Flapping {
			quiet = max(quiet, flapQuiet)
		}
		switch {
		case i.State == Resolved || i.Active() || at.Sub(i.Ended) < quiet || o.awaitsCost(at, i):
		case i.Fired.IsZero():
			o.close(at, i, Event{At: at, Kind: EventWithdrawn, Reason: ReasonNotHeld, Text: "it ended before receivers were notified"})
		default:
			o.close(at, i, Event{At: at, Kind: EventResolved, Reason: ReasonQuiet, Text: fmt.Sprintf("no finding has been active for %s", quiet)})
		}
	}
}

// learnCost keeps the node of an active restart whose cost is not summed up yet.
func (o *openIncidents) learnCost(cluster string, f checks.Finding, active bool) {
	if active && f.CostFollows {
		o.unsettled[cluster] = append(o.unsettled[cluster], f.Node)
	}
}

// awaitsCost reports whether receivers were notified of a failure, and what it has cost will be
// summed up for them.
func (o *openIncidents) awaitsCost(at time.Time, i *Incident) bool {
	return len(i.Notified) > 0 && at.Sub(i.Ended) <= groupWindow && slices.ContainsFunc(i.Findings, func(m Member) bool {
		return slices.ContainsFunc(o.unsettled[m.Cluster], m.failedWith)
	})
}

// fire changes a pending incident to firing.
func (o *openIncidents) fire(at time.Time, i *Incident, reason Reason, why string) {
	if i.State != Pending {
		return
	}
	i.State, i.Fired = Firing, at
	o.record(i, Event{At: at, Kind: EventFired, Reason: reason, Text: why}, false)
}

// close resolves an incident and ends its findings.
func (o *openIncidents) close(at time.Time, i *Incident, last Event) {
	for n := range i.Findings {
		if m := &i.Findings[n]; m.Active() {
			m.Ended = at
		}
	}
	i.updateEnded(at)
	i.State = Resolved
	o.record(i, last, false)
}

// retainClusters resolves the incidents of clusters that are not watched any more.
func (o *openIncidents) retainClusters(at time.Time, watched func(cluster string) bool) {
	gone := func(cluster string) bool { return cluster != "" && !watched(cluster) }
	for _, i := range o.open {
		if i.State == Resolved {
			continue
		}
		if i.Cluster != "" && !slices.ContainsFunc(i.Clusters, watched) {
			o.close(at, i, Event{At: at, Kind: EventResolved, Reason: ReasonUnwatched, Text: "its cluster was removed from the configuration"})
			continue
		}
		o.dropClusters(at, i, gone, ReasonUnwatched)
	}
}

// dropClusters ends the findings of clusters that are gone, and takes these out of an incident
// that stays: one of other clusters, too, or of stickwatch itself. What another monitor handles
// from now on is no news.
func (o *openIncidents) dropClusters(at time.Time, i *Incident, gone func(cluster string) bool, reason Reason) {
	if !slices.ContainsFunc(i.Clusters, gone) {
		return
	}
	for n := range i.Findings {
		if m := &i.Findings[n]; gone(m.Cluster) && m.Active() {
			m.Ended = at
			o.record(i, m.event(at, EventLeft, reason), reason != ReasonHandedOver && m.isNews())
		}
	}
	text := "cluster %s was removed from the configuration"
	if reason == ReasonHandedOver {
		text = "another instance of the fleet watches cluster %s"
	}
	for _, cluster := range i.Clusters {
		if gone(cluster) {
			o.record(i, Event{At: at, Kind: EventUnwatched, Detail: cluster, Reason: reason, Text: fmt.Sprintf(text, cluster)}, false)
		}
	}
	i.Clusters = slices.DeleteFunc(i.Clusters, gone)
	if gone(i.Cluster) && len(i.Clusters) > 0 {
		i.Cluster = i.Clusters[0]
	}
	i.updateCluster()
	i.updateEnded(at)
}
