package alerting

import (
	"cmp"
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
