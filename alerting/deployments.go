package alerting

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// deployments has the deployments that explain findings or have no summary yet, and
// those with a summary within EventMemory, oldest first.
type deployments struct {
	grace   map[string]time.Duration // by cluster
	list    []*Deployment
	changed []*Deployment // since the last take
	lost    map[lostSession]bool

	// countedUntil has, by ID, until when an earlier owner of the cluster counted lost sessions. Sites
	// report each for a while, and report it to the next owner again.
	countedUntil map[string]time.Time
}

// A lostSession identifies a session that was lost during a deployment. If session
// ids are not visible, all sessions of a node through one balancer address count as
// one.
type lostSession struct {
	deployment, balancer, node string
	session                    probes.Fingerprint
}

// maxLost bounds the number of distinguished lost sessions.
const maxLost = 10_000

// countLost counts a lost session once.
func (d *deployments) countLost(one *Deployment, r checks.Request) {
	s := lostSession{one.ID, r.Balancer, r.Node, r.Session}
	if r.Session != "" {
		s.balancer, s.node = "", ""
	}
	if d.lost[s] || len(d.lost) >= maxLost || r.At.UnixMilli() <= d.countedUntil[one.ID].UnixMilli() {
		return
	}
	if d.lost == nil {
		d.lost = make(map[lostSession]bool)
	}
	d.lost[s] = true
	one.CanariesLost++
	if one.LastLost.Before(r.At) {
		one.LastLost = r.At
	}
	d.markChanged(one)
}

// replace replaces the announced deployments and keeps the observations about them,
// which may be newer than the announcement read from the history.
func (d *deployments) replace(announced []Deployment) {
	old, counted := d.list, d.countedUntil
	d.list, d.countedUntil = nil, make(map[string]time.Time)
	for _, one := range announced {
		d.countedUntil[one.ID] = one.LastLost
		if at := slices.IndexFunc(old, func(o *Deployment) bool { return o.ID == one.ID }); at >= 0 {
			if one.Summed.IsZero() {
				one.Summed = old[at].Summed // it may not be written yet
			}
			one.Touched = union(one.Touched, old[at].Touched)
			one.CanariesLost = max(one.CanariesLost, old[at].CanariesLost)
			if !old[at].LastLost.Before(one.LastLost) { // this owner counted them
				one.LastLost, d.countedUntil[one.ID] = old[at].LastLost, counted[one.ID]
			}
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

// union returns the sorted names that are in a or b.
func union(a, b []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}

// graceOf returns the grace period of the deployments of a cluster.
func (d *deployments) graceOf(cluster string) time.Duration {
	if grace, ok := d.grace[cluster]; ok {
		return grace
	}
	return defaultGrace
}

// forget removes deployments with an old summary.
func (d *deployments) forget(at time.Time) {
	maps.DeleteFunc(d.lost, func(s lostSession, _ bool) bool {
		return !slices.ContainsFunc(d.list, func(one *Deployment) bool { return one.ID == s.deployment && one.Summed.IsZero() })
	})
	d.list = slices.DeleteFunc(d.list, func(one *Deployment) bool {
		return !one.Summed.IsZero() && at.Sub(one.Summed) > EventMemory
	})
}

// at returns the deployments of a cluster that explain findings at a time.
func (d *deployments) at(at time.Time, cluster string) []*Deployment {
	var list []*Deployment
	for _, one := range d.list {
		if one.Cluster == cluster && one.explainsAt(at, d.graceOf(cluster)) {
			list = append(list, one)
		}
	}
	return list
}

// touch adds nodes that were observed to be touched.
func (d *deployments) touch(one *Deployment, nodes []string) {
	if all := union(one.Touched, nodes); len(all) > len(one.Touched) {
		one.Touched = all
		d.markChanged(one)
	}
}

func (d *deployments) markChanged(one *Deployment) {
	if !slices.Contains(d.changed, one) {
		d.changed = append(d.changed, one)
	}
}

// take returns copies of the deployments that have changed since the previous call.
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

// deploymentPrefix is the prefix of the reason for which a deployment holds back an
// incident.
const deploymentPrefix = "deployment "

// reason names the deployment that explains a member of an incident; "": none.
func (d *deployments) reason(at time.Time, i *Incident, m Member) string {
	one := d.explaining(at, i, m)
	if one == nil {
		return ""
	}
	return deploymentPrefix + cmp.Or(probes.Clean(one.Name, probes.MaxError), one.ID)
}

// BelongsTo reports whether a deployment explained the incident, so that receivers were not
// notified of it, at least for a while.
func (i *Incident) BelongsTo(d checks.Deployment) bool {
	detail := deploymentPrefix + probes.Clean(d.Name, probes.MaxError)
	return i.Concerns(d.Cluster) && slices.ContainsFunc(i.Timeline, func(e Event) bool {
		return e.Kind == EventSilenced && e.Reason == ReasonDeployment && e.Detail == detail && !e.At.Before(d.From)
	})
}

// explaining returns the deployment that explains a member of an incident or a cause
// of it; nil: none. If a deployment can never explain the member, it is not explained
// by its cause either.
func (d *deployments) explaining(at time.Time, i *Incident, member Member) *Deployment {
	for range i.Findings {
		if one := d.explainingLoop(member); one != nil {
			return one
		}
		for _, one := range d.list {
			when, grace := at, d.graceOf(member.Cluster)
			if !member.When.IsZero() {
				when = member.When // an event belongs to its deployment even if that has ended
			}
			if one.Cluster != member.Cluster || !one.explainsAt(when, grace) {
				continue
			}
			switch hold := one.explains(when, member.ActiveFinding); {
			case hold.isHeld():
				return one
			case hold == notLeaked || hold == notLongOutage:
				return nil
			}
		}
		cause := i.member(member.Cluster, member.ExplainedBy)
		if cause == nil {
			return nil
		}
		member = *cause
	}
	return nil
}

// explainingLoop returns the newest deployment that explains restarts of a crash loop, if
// those that no deployment explains make none; nil: there is none. Only the finding of the loop tells
// the sessions that its restarts have cost, so that the newest restart must be a deployment's then.
func (d *deployments) explainingLoop(member Member) (newest *Deployment) {
	remaining := len(member.Times)
	var explained *Deployment // of the newest restart
	for _, restart := range member.Times {
		explained = d.explainingRestart(restart, member)
		if explained != nil {
			newest, remaining = explained, remaining-1
		}
	}
	if remaining >= checks.CrashLoopRestarts || explained == nil && member.Summary.Args.Lost > 0 {
		return nil
	}
	return newest
}

// explainingRestart returns the deployment that explains a restart of a crash loop; nil: none.
func (d *deployments) explainingRestart(at time.Time, loop Member) *Deployment {
	for _, one := range d.list {
		if one.Cluster == loop.Cluster && one.explainsAt(at, d.graceOf(loop.Cluster)) && one.explainsNode(at, loop.ActiveFinding).isHeld() {
			return one
		}
	}
	return nil
}

// SetDeployments replaces the announced deployments: all that are ongoing or have no
// summary. They take effect with the next call that returns a Decision.
func (m *Manager) SetDeployments(announced []Deployment) {
	m.deployments.replace(announced)
}

// ObserveNodes records the nodes that deployments of a cluster touch, as shown by a
// round. Call it before Observe with the findings of the round.
func (m *Manager) ObserveNodes(at time.Time, cluster string, touchedSince func(time.Time) []string) {
	for _, one := range m.deployments.at(at, cluster) {
		m.deployments.touch(one, touchedSince(one.From))
	}
}

// ObserveRequest records a session that was lost during deployments of its cluster.
func (m *Manager) ObserveRequest(r checks.Request) {
	if !r.Outcome.LostSession() {
		return
	}
	for _, one := range m.deployments.at(r.At, r.Cluster) {
		m.deployments.countLost(one, r)
	}
}

// DueSummaries returns the deployments whose grace period has passed and that have no
// summary.
func (m *Manager) DueSummaries(at time.Time) []Deployment {
	var due []Deployment
	for _, one := range m.deployments.list {
		if !one.Summed.IsZero() || at.Before(one.From) || one.explainsAt(at, m.deployments.graceOf(one.Cluster)) {
			continue
		}
		due = append(due, one.clone())
	}
	return due
}
