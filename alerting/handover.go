package alerting

import (
	"slices"
	"time"
)

// This file hands clusters over from one monitor to another, in a fleet whose monitors share a
// history. An incident belongs to the monitor that watches the first of its clusters. Clusters that
// can share an incident are watched by one monitor, so the others are there, too.

// HandledBy reports whether an incident belongs to a monitor that watches some clusters. An incident
// of stickwatch itself belongs to the monitor that opened it.
func (i *Incident) HandledBy(monitor string, watches func(cluster string) bool) bool {
	if first := i.firstCluster(); first != "" {
		return watches(first)
	}
	return i.Monitor == monitor
}

// OfOther reports whether the incident is of stickwatch itself, and its monitor is not alive.
func (i *Incident) OfOther(live func(monitor string) bool) bool {
	return i.firstCluster() == "" && !live(i.Monitor)
}

// firstCluster returns the cluster that decides who handles the incident; "": it is of stickwatch
// itself.
func (i *Incident) firstCluster() string {
	if i.Cluster == "" || len(i.Clusters) == 0 {
		return i.Cluster // histories of old versions have no list
	}
	return i.Clusters[0]
}

// Adopt continues incidents that another monitor has handled: those that are not resolved, and those
// resolved within FlapWindow. It ignores incidents that it handles already.
func (m *Manager) Adopt(past []Incident) {
	o := m.openIncidents
	for _, i := range past {
		if slices.ContainsFunc(o.open, func(known *Incident) bool { return known.ID == i.ID }) {
			continue
		}
		o.continueFrom(&i)
	}
	slices.SortFunc(o.open, byID)
}

// Release forgets clusters, whose incidents another monitor handles from now on. An incident of
// stickwatch itself stays, without them.
func (m *Manager) Release(at time.Time, released func(cluster string) bool) Decision {
	m.openIncidents.release(at, released)
	m.deployments.changed = slices.DeleteFunc(m.deployments.changed, func(d *Deployment) bool { return released(d.Cluster) })
	return m.decide(at)
}

// RetainClusters forgets all clusters but those that this monitor watches, as Release does. Call it after
// Adopt: an incident of a monitor that is gone, or of this one before a restart, may name clusters
// whose monitor would refuse that this one writes it. The next call that returns a Decision has the
// changes.
func (m *Manager) RetainClusters(at time.Time, watches func(cluster string) bool) {
	m.openIncidents.release(at, func(cluster string) bool { return cluster != "" && !watches(cluster) })
}

func (o *openIncidents) release(at time.Time, released func(cluster string) bool) {
	goes := func(i *Incident) bool { return i.firstCluster() != "" && released(i.firstCluster()) }
	o.open = slices.DeleteFunc(o.open, goes)
	o.touched = slices.DeleteFunc(o.touched, goes)
	for _, i := range o.open {
		if i.State != Resolved {
			o.dropClusters(at, i, released, ReasonHandedOver)
		}
	}
}
