package alerting

import (
	"fmt"
	"slices"
	"time"
)

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
