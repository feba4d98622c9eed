package alerting

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// deployments are those that explain findings, wait to be summed up, or were within
// EventMemory, oldest first.
type deployments struct {
	grace   map[string]time.Duration // by cluster
	list    []*Deployment
	changed []*Deployment // since they were taken
	lost    map[lostSession]bool
}

// A lostSession is a session that was lost during a deployment. Where no id is
// visible, all of a node through one address of the balancer are one.
type lostSession struct {
	deployment, balancer, node string
	session                    probes.Fingerprint
}

// maxLost bounds the lost sessions that are told apart.
const maxLost = 10_000

// lose counts a lost session, once however often its client meets that.
func (d *deployments) lose(one *Deployment, r checks.Request) {
	s := lostSession{one.ID, r.Balancer, r.Node, r.Session}
	if r.Session != "" {
		s.balancer, s.node = "", ""
	}
	if d.lost[s] || len(d.lost) >= maxLost {
		return
	}
	if d.lost == nil {
		d.lost = make(map[lostSession]bool)
	}
	d.lost[s] = true
	one.CanariesLost++
	d.change(one)
}

// replace takes over what was announced. What was observed of a deployment before
// stays: it may be newer than what the announcement was read with.
func (d *deployments) replace(announced []Deployment) {
	old := d.list
	d.list = nil
	for _, one := range announced {
		if at := slices.IndexFunc(old, func(o *Deployment) bool { return o.ID == one.ID }); at >= 0 {
			if one.Summed.IsZero() {
				one.Summed = old[at].Summed // which may not be written down yet
			}
			one.Touched = union(one.Touched, old[at].Touched)
			one.CanariesLost = max(one.CanariesLost, old[at].CanariesLost)
		}
		d.list = append(d.list, &one)
	}
	d.changed = slices.DeleteFunc(d.changed, func(o *Deployment) bool {
		return !slices.ContainsFunc(d.list, func(one *Deployment) bool { return one.ID == o.ID })
	})
	for n, o := range d.changed {
		d.changed[n] = d.list[slices.IndexFunc(d.list, func(one *Deployment) bool { return one.ID == o.ID })]
	}
}

// union is a sorted list of the names in either.
func union(a, b []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}

// graceOf is how long after its end a deployment of a cluster explains findings.
func (d *deployments) graceOf(cluster string) time.Duration {
	if grace, ok := d.grace[cluster]; ok {
		return grace
	}
	return DefaultGrace
}

// forget drops those that were summed up long ago.
func (d *deployments) forget(at time.Time) {
	maps.DeleteFunc(d.lost, func(s lostSession, _ bool) bool {
		return !slices.ContainsFunc(d.list, func(one *Deployment) bool { return one.ID == s.deployment && one.Summed.IsZero() })
	})
	d.list = slices.DeleteFunc(d.list, func(one *Deployment) bool {
		return !one.Summed.IsZero() && at.Sub(one.Summed) > EventMemory
	})
}

// at are the deployments of a cluster that explain findings at a moment.
func (d *deployments) at(at time.Time, cluster string) []*Deployment {
	var list []*Deployment
	for _, one := range d.list {
		if one.Cluster == cluster && one.ExplainsAt(at, d.graceOf(cluster)) {
			list = append(list, one)
		}
	}
	return list
}

// touch notes nodes that somebody has worked on.
func (d *deployments) touch(one *Deployment, nodes []string) {
	if all := union(one.Touched, nodes); len(all) > len(one.Touched) {
		one.Touched = all
		d.change(one)
	}
}

func (d *deployments) change(one *Deployment) {
	if !slices.Contains(d.changed, one) {
		d.changed = append(d.changed, one)
	}
}

// take returns copies of the deployments that have changed since it was called
// last.
func (d *deployments) take() []Deployment {
	var changed []Deployment
	for _, one := range d.changed {
		changed = append(changed, one.clone())
	}
	d.changed = nil
	return changed
}

func (d *Deployment) clone() Deployment {
	c := *d
	c.Nodes, c.Touched = slices.Clone(d.Nodes), slices.Clone(d.Touched)
	return c
}

// deploymentPrefix begins the reason for which a deployment holds an incident back.
const deploymentPrefix = "deployment "

// whyMember names the deployment that explains a member of an incident; "": none
// does.
func (d *deployments) whyMember(at time.Time, i *Incident, m Member) string {
	one := d.explaining(at, i, m)
	if one == nil {
		return ""
	}
	return deploymentPrefix + cmp.Or(probes.Clean(one.Name, probes.MaxError), one.ID)
}

// explaining is the deployment that explains a member of an incident, or a cause
// of it; nil: none does. What is never explained by a deployment is not explained
// by a cause either.
func (d *deployments) explaining(at time.Time, i *Incident, m Member) *Deployment {
	for range i.Findings {
		for _, one := range d.list {
			when, grace := at, d.graceOf(m.Cluster)
			if !m.When.IsZero() {
				when = m.When // an event is part of its deployment, though that may be over by now
			}
			if one.Cluster != m.Cluster || !one.ExplainsAt(when, grace) {
				continue
			}
			switch hold := one.Explains(when, m.ActiveFinding); {
			case hold.IsHeld():
				return one
			case hold == NotLeaked || hold == NotLongOutage:
				return nil
			}
		}
		cause := i.member(m.Cluster, m.ExplainedBy)
		if cause == nil {
			return nil
		}
		m = *cause
	}
	return nil
}

// Announce puts deployments in force, in place of those before: all that go on,
// and all that have not been summed up. It takes effect with the next call of any
// other method.
func (d *Manager) NotifyNow(announced []Deployment) { d.deployments.replace(announced) }

// Watched notes what a judged round shows of the nodes that deployments of its
// cluster touch. It is called before what the round found is observed.
func (d *Manager) Watched(at time.Time, cluster string, touchedSince func(time.Time) []string) {
	for _, one := range d.deployments.at(at, cluster) {
		d.deployments.touch(one, touchedSince(one.From))
	}
}

// Met notes what a client met during deployments of its cluster.
func (d *Manager) Met(r checks.Request) {
	if r.Outcome != checks.OutcomeLost && r.Outcome != checks.OutcomeStale && r.Outcome != checks.OutcomeForeign {
		return
	}
	for _, one := range d.deployments.at(r.At, r.Cluster) {
		d.deployments.lose(one, r)
	}
}

// Due are the deployments whose grace has passed, and that wait to be summed up.
func (d *Manager) Due(at time.Time) []Deployment {
	var due []Deployment
	for _, one := range d.deployments.list {
		if !one.Summed.IsZero() || at.Before(one.From) || one.ExplainsAt(at, d.deployments.graceOf(one.Cluster)) {
			continue
		}
		due = append(due, one.clone())
	}
	return due
}
