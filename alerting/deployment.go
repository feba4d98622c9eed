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

	// countedUntil has, by ID of a deployment, the time of the last lost session that an earlier owner of
	// the cluster has counted. Sites report a lost session for a while, so that the next owner gets it
	// again, and must not count it twice.
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
func (d *deployments) countLost(deployment *Deployment, r checks.Request) {
	s := lostSession{deployment.ID, r.Balancer, r.Node, r.Session}
	if r.Session != "" {
		s.balancer, s.node = "", ""
	}
	if d.lost[s] || len(d.lost) >= maxLost || r.At.UnixMilli() <= d.countedUntil[deployment.ID].UnixMilli() {
		return
	}
	if d.lost == nil {
		d.lost = make(map[lostSession]bool)
	}
	d.lost[s] = true
	deployment.CanariesLost++
	if deployment.LastLost.Before(r.At) {
		deployment.LastLost = r.At
	}
	d.markChanged(deployment)
}

// replace replaces the announced deployments and keeps the observations about them,
// which may be newer than the announcement read from the history.
func (d *deployments) replace(announced []Deployment) {
	old, counted := d.list, d.countedUntil
	d.list, d.countedUntil = nil, make(map[string]time.Time)
	for _, deployment := range announced {
		d.countedUntil[deployment.ID] = deployment.LastLost
		if n := slices.IndexFunc(old, func(o *Deployment) bool { return o.ID == deployment.ID }); n >= 0 {
			if deployment.Summed.IsZero() {
				deployment.Summed = old[n].Summed // it may not be written yet
			}
			deployment.Touched = union(deployment.Touched, old[n].Touched)
			deployment.CanariesLost = max(deployment.CanariesLost, old[n].CanariesLost)
			if !old[n].LastLost.Before(deployment.LastLost) { // this owner counted them
				deployment.LastLost, d.countedUntil[deployment.ID] = old[n].LastLost, counted[deployment.ID]
			}
		}
		d.list = append(d.list, &deployment)
	}
	d.changed = slices.DeleteFunc(d.changed, func(o *Deployment) bool {
		return !slices.ContainsFunc(d.list, func(deployment *Deployment) bool { return deployment.ID == o.ID })
	})
	for n, o := range d.changed {
		d.changed[n] = d.list[slices.IndexFunc(d.list, func(deployment *Deployment) bool { return deployment.ID == o.ID })]
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
		return !slices.ContainsFunc(d.list, func(deployment *Deployment) bool { return deployment.ID == s.deployment && deployment.Summed.IsZero() })
	})
	d.list = slices.DeleteFunc(d.list, func(deployment *Deployment) bool {
		return !deployment.Summed.IsZero() && at.Sub(deployment.Summed) > EventMemory
	})
}

// at returns the deployments of a cluster that explain findings at a time.
func (d *deployments) at(at time.Time, cluster string) []*Deployment {
	var list []*Deployment
	for _, deployment := range d.list {
		if deployment.Cluster == cluster && deployment.explainsAt(at, d.graceOf(cluster)) {
			list = append(list, deployment)
		}
	}
	return list
}

// touch adds nodes that were observed to be touched.
func (d *deployments) touch(deployment *Deployment, nodes []string) {
	if all := union(deployment.Touched, nodes); len(all) > len(deployment.Touched) {
		deployment.Touched = all
		d.markChanged(deployment)
	}
}

func (d *deployments) markChanged(deployment *Deployment) {
	if !slices.Contains(d.changed, deployment) {
		d.changed = append(d.changed, deployment)
	}
}

// take returns copies of the deployments that have changed since the previous call.
func (d *deployments) take() []Deployment {
	var changed []Deployment
	for _, deployment := range d.changed {
		changed = append(changed, deployment.clone())
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
	deployment := d.explaining(at, i, m)
	if deployment == nil {
		return ""
	}
	return deploymentPrefix + cmp.Or(probes.Clean(deployment.Name, probes.MaxError), deployment.ID)
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
	for range i.Findings { // from the member to its cause, and so on; the number of findings ends a cycle
		if deployment := d.explainingLoop(member); deployment != nil {
			return deployment
		}
		for _, deployment := range d.list {
			when, grace := at, d.graceOf(member.Cluster)
			if !member.When.IsZero() {
				when = member.When // an event belongs to its deployment even if that has ended
			}
			if deployment.Cluster != member.Cluster || !deployment.explainsAt(when, grace) {
				continue
			}
			switch hold := deployment.explains(when, member.ActiveFinding); {
			case hold.isHeld():
				return deployment
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

// explainingLoop returns the newest deployment that explains restarts of a crash loop; nil: there is
// none, or the restarts that no deployment explains are a crash loop of their own. If the restarts have
// cost sessions, a deployment must explain the newest one, because no other finding reports that cost.
func (d *deployments) explainingLoop(member Member) (newest *Deployment) {
	remaining := len(member.Times)
	var ofNewest *Deployment // explains the newest restart; nil: none does
	for _, restart := range member.Times {
		ofNewest = d.explainingRestart(restart, member)
		if ofNewest != nil {
			newest, remaining = ofNewest, remaining-1
		}
	}
	if remaining >= checks.CrashLoopRestarts || ofNewest == nil && member.Summary.Args.Lost > 0 {
		return nil
	}
	return newest
}

// explainingRestart returns the deployment that explains a restart of a crash loop; nil: none.
func (d *deployments) explainingRestart(at time.Time, loop Member) *Deployment {
	list := d.at(at, loop.Cluster)
	i := slices.IndexFunc(list, func(deployment *Deployment) bool { return deployment.explainsNode(at, loop.ActiveFinding).isHeld() })
	if i < 0 {
		return nil
	}
	return list[i]
}

// SetDeployments replaces the announced deployments: all that are ongoing or have no
// summary. They take effect with the next call that returns a Decision.
func (m *Manager) SetDeployments(announced []Deployment) {
	m.deployments.replace(announced)
}

// ObserveNodes records the nodes that deployments of a cluster touch, as shown by a
// round. Call it before Observe with the findings of the round.
func (m *Manager) ObserveNodes(at time.Time, cluster string, touchedSince func(time.Time) []string) {
	for _, deployment := range m.deployments.at(at, cluster) {
		m.deployments.touch(deployment, touchedSince(deployment.From))
	}
}

// ObserveRequest records a session that was lost during deployments of its cluster.
func (m *Manager) ObserveRequest(r checks.Request) {
	if !r.Outcome.LostSession() {
		return
	}
	for _, deployment := range m.deployments.at(r.At, r.Cluster) {
		m.deployments.countLost(deployment, r)
	}
}

// DueSummaries returns the deployments whose grace period has passed and that have no
// summary.
func (m *Manager) DueSummaries(at time.Time) []Deployment {
	var due []Deployment
	for _, deployment := range m.deployments.list {
		if !deployment.Summed.IsZero() || at.Before(deployment.From) || deployment.explainsAt(at, m.deployments.graceOf(deployment.Cluster)) {
			continue
		}
		due = append(due, deployment.clone())
	}
	return due
}
