package alerting

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"stickwatch/checks"
)

// A openIncidents holds the incidents that are open, and decides what becomes of them.
// Every change of an incident is an event with a reason: what has no event has
// not changed, and need not be written.
type openIncidents struct {
	rules       Rules
	open        []*Incident // oldest first; resolved ones until they are taken
	touched     []*Incident // that have new events
	flapCounter flapCounter
	failures    failures
}

// Rules are how long things must hold, or be quiet, to count.
type Rules struct {
	ByHost       bool                              // whether clusters that fail by one machine share an incident
	For          map[checks.Severity]time.Duration // before an incident is told, by its severity; 0: at once
	ResolveAfter time.Duration                     // of quiet, before an incident is over; 0: at once
}

// newOpenIncidents goes on with incidents of the past. Those that are over tell what
// has come and gone lately.
func newOpenIncidents(rules Rules, past []Incident) *openIncidents {
	d := &openIncidents{rules: rules, flapCounter: make(flapCounter), failures: make(failures)}
	for _, i := range past {
		d.flapCounter.learn(&i)
		d.failures.learn(&i)
		if i.State != Resolved {
			open := i.clone()
			d.open = append(d.open, &open)
		}
	}
	slices.SortFunc(d.open, byID)
	return d
}

func byID(a, b *Incident) int { return cmp.Compare(a.ID, b.ID) }

// observe takes in what stands in a cluster at a moment, all of it. The changes
// that led there tell when those that are gone went, and of which of the others
// it matters that they are altered: some differ by chance from round to round.
func (d *openIncidents) observe(at time.Time, cluster string, changes []checks.Change, standing []checks.ActiveFinding) {
	d.rest(at) // what comes back now may come too late, however long ago time was let go by
	d.leave(at, cluster, changes, standing)
	changed := make(map[string]bool)
	for _, c := range changes {
		changed[c.Key()] = true
	}
	for _, f := range causeGroups(standing) {
		d.position(at, cluster, f, changed)
	}
	for _, i := range d.of(cluster) {
		i.rank()
		i.settle(at)
	}
	d.advance(at)
}

// leave ends what does not stand any more.
func (d *openIncidents) leave(at time.Time, cluster string, changes []checks.Change, standing []checks.ActiveFinding) {
	stands := make(map[string]bool, len(standing))
	for _, s := range standing {
		stands[s.Key()] = true
	}
	went := make(map[string]time.Time)
	for _, c := range changes {
		if c.Kind == checks.Gone && !c.At.After(at) {
			went[c.Key()] = c.At
		}
	}
	for _, i := range d.of(cluster) {
		for n := range i.Findings {
			m := &i.Findings[n]
			if m.Cluster != cluster || !m.Holds() || stands[m.Key()] {
				continue
			}
			m.Ended = at
			if t := went[m.Key()]; !t.IsZero() {
				m.Ended = t
			}
			d.note(i, m.event(at, EventLeft, ReasonGone), m.isNews())
		}
	}
}

// of are the open incidents that concern a cluster, oldest first.
func (d *openIncidents) of(cluster string) []*Incident {
	var list []*Incident
	for _, i := range d.open {
		if i.Concerns(cluster) && i.State != Resolved {
			list = append(list, i)
		}
	}
	return list
}

// where returns the open incident that a finding is part of: where it holds, or
// else where it did last; nil: none.
func (d *openIncidents) where(cluster, key string) *Incident {
	var last *Incident
	var ended time.Time
	for _, i := range d.of(cluster) {
		m := i.member(cluster, key)
		switch {
		case m == nil:
		case m.Holds():
			return i
		case last == nil || m.Ended.After(ended):
			last, ended = i, m.Ended
		}
	}
	return last
}

// note writes an event into an incident's timeline. News is for those who know
// of the incident.
func (d *openIncidents) note(i *Incident, e Event, news bool) {
	if len(i.Clusters) < 2 {
		e.Cluster = ""
	}
	i.Timeline = appendEvent(i.Timeline, e)
	if news {
		for n := range i.Notified {
			i.Notified[n].observed(e)
		}
	}
	if !slices.Contains(d.touched, i) {
		d.touched = append(d.touched, i)
	}
}

// take returns copies of the incidents that have changed since it was called
// last, and forgets those that are over.
func (d *openIncidents) take() []Incident {
	var changed []Incident
	for _, i := range d.touched {
		changed = append(changed, i.clone())
	}
	d.touched = nil
	d.open = slices.DeleteFunc(d.open, func(i *Incident) bool {
		if i.State == Resolved {
			d.failures.learn(i)
		}
		return i.State == Resolved
	})
	return changed
}

// advance moves incidents from state to state as time goes by.
func (d *openIncidents) advance(at time.Time) {
	d.flapCounter.forget(at)
	d.failures.forget(at)
	d.rest(at)
	for _, i := range d.open {
		switch {
		case !i.Holds():
		case i.Flapping:
			d.fire(at, i, ReasonCameAndWent, "it comes and goes")
		case at.Sub(i.heldSince()) >= d.rules.For[i.Severity]:
			d.fire(at, i, ReasonHeld, fmt.Sprintf("it has held for %s", at.Sub(i.heldSince()).Round(time.Second)))
		}
	}
}

// rest ends the incidents of which nothing has held for long enough.
func (d *openIncidents) rest(at time.Time) {
	for _, i := range d.open {
		quiet := d.rules.ResolveAfter
		if i.Flapping {
			quiet = max(quiet, FlapQuiet)
		}
		switch {
		case i.State == Resolved || i.Holds() || at.Sub(i.Ended) < quiet:
		case i.Fired.IsZero():
			d.close(at, i, Event{At: at, Kind: EventWithdrawn, Reason: ReasonNotHeld, Text: "it went away before anybody was told"})
		default:
			d.close(at, i, Event{At: at, Kind: EventResolved, Reason: ReasonQuiet, Text: fmt.Sprintf("nothing of it has been seen for %s", quiet)})
		}
	}
}

// fire makes a pending incident one that is to be told.
func (d *openIncidents) fire(at time.Time, i *Incident, reason Reason, why string) {
	if i.State != Pending {
		return
	}
	i.State, i.Fired = Firing, at
	d.note(i, Event{At: at, Kind: EventFired, Reason: reason, Text: why}, false)
}

// close ends an incident.
func (d *openIncidents) close(at time.Time, i *Incident, last Event) {
	for n := range i.Findings {
		if m := &i.Findings[n]; m.Holds() {
			m.Ended = at
		}
	}
	i.settle(at)
	i.State = Resolved
	d.note(i, last, false)
}

// abandon ends the incidents of clusters that are not watched any more.
func (d *openIncidents) dropReceiver(at time.Time, watched func(cluster string) bool) {
	for _, i := range d.open {
		if i.State == Resolved || i.Cluster == "" {
			continue
		}
		if !slices.ContainsFunc(i.Clusters, watched) {
			d.close(at, i, Event{At: at, Kind: EventResolved, Reason: ReasonUnwatched, Text: "its cluster is not in the configuration any more"})
			continue
		}
		d.giveUp(at, i, watched)
	}
}

// giveUp ends the findings of those clusters of an incident that are not watched
// any more, while others are.
func (d *openIncidents) giveUp(at time.Time, i *Incident, watched func(cluster string) bool) {
	gone := func(cluster string) bool { return !watched(cluster) }
	if !slices.ContainsFunc(i.Clusters, gone) {
		return
	}
	for n := range i.Findings {
		if m := &i.Findings[n]; gone(m.Cluster) && m.Holds() {
			m.Ended = at
			d.note(i, m.event(at, EventLeft, ReasonUnwatched), m.isNews())
		}
	}
	for _, cluster := range i.Clusters {
		if gone(cluster) {
			d.note(i, Event{
				At: at, Kind: EventUnwatched, Detail: cluster, Reason: ReasonUnwatched,
				Text: fmt.Sprintf("cluster %s is not in the configuration any more", cluster),
			}, false)
		}
	}
	i.Clusters = slices.DeleteFunc(i.Clusters, gone)
	if gone(i.Cluster) {
		i.Cluster = i.Clusters[0]
	}
	i.rank()
	i.settle(at)
}
