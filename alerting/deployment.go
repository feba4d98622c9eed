package alerting

import (
	"maps"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A Deployment is an announced change of a cluster. During the deployment and a grace
// period after its end, receivers are not notified of findings that it explains. Then
// they are sent one summary.
type Deployment struct {
	ID      string
	Cluster string
	Name    string    // a version or a ticket, for example
	Nodes   []string  // the nodes that change, as announced; empty: any
	From    time.Time // when it was announced
	To      time.Time // its announced end; zero: it is ongoing

	Touched      []string       // names of the nodes that were observed down, paused, restarted, ejected, or drained since From
	CanariesLost int            // canary sessions that were lost since From
	LastLost     time.Time      // when the last of them was lost; zero: none was
	Watched      *WatchedCounts // the results of a client that watched it; nil: none reported any
	Summed       time.Time      // when its summary was created; zero: it was not
}

// WatchedCounts are the results of a client that held sessions during a deployment.
type WatchedCounts struct {
	Moved   int           // sessions that were answered by another node, lost or not
	Lost    int           // sessions that were lost or had stale contents
	Longest time.Duration // the longest time without a successful response
}

// The bounds of a deployment.
const (
	// LongestDeployment is the maximum length. A deployment ends after it even if its announced end is later or missing.
	LongestDeployment = 4 * time.Hour
	// defaultGrace is the grace period of a deployment unless the configuration sets
	// one.
	defaultGrace = 30 * time.Second
	// EventMemory is how long after its summary a deployment explains events that
	// happened during it, because an event is reported for a while after it happened.
	EventMemory = 10 * time.Minute
)

// End returns the announced end, but at most LongestDeployment after the start.
func (d Deployment) End() time.Time {
	if longest := d.From.Add(LongestDeployment); d.To.IsZero() || longest.Before(d.To) {
		return longest
	}
	return d.To
}

// explainsAt reports whether a time is within the deployment or its grace period.
func (d Deployment) explainsAt(at time.Time, grace time.Duration) bool {
	return !at.Before(d.From) && at.Before(d.End().Add(grace))
}

// deployments has the deployments that explain findings or have no summary yet, and
// those with a summary within EventMemory, oldest first.
type deployments struct {
	grace   map[string]time.Duration // by cluster
	list    []*Deployment
	changed []*Deployment // since the last take
	lost    map[lostSession]bool

	// countedUntil is the time of the last lost session that a previous owner of the cluster counted, by
	// deployment ID. Sites report a lost session repeatedly, so a new owner ignores sessions lost until then.
	countedUntil map[string]time.Time
}

// A lostSession identifies a session that was lost during a deployment. If session
// ids are not visible, all sessions of a node through one balancer address count as
// one.
type lostSession struct {
	deployment, balancer, node string
	session                    probes.Fingerprint
}

// maxLost bounds the lost sessions that are remembered. Further ones are not counted.
const maxLost = 10_000

// countLost counts a lost session once.
func (d *deployments) countLost(deployment *Deployment, r checks.Request) {
	s := lostSession{deployment: deployment.ID, session: r.Session}
	if r.Session == "" {
		s.balancer, s.node = r.Balancer, r.Node
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
	previous, counted := make(map[string]*Deployment), d.countedUntil
	for _, old := range d.list {
		previous[old.ID] = old
	}
	current := make(map[string]*Deployment)
	d.list, d.countedUntil = nil, make(map[string]time.Time)
	for _, deployment := range announced {
		d.countedUntil[deployment.ID] = deployment.LastLost
		if old := previous[deployment.ID]; old != nil {
			if deployment.Summed.IsZero() {
				deployment.Summed = old.Summed // it may not be written yet
			}
			deployment.Touched = union(deployment.Touched, old.Touched)
			deployment.CanariesLost = max(deployment.CanariesLost, old.CanariesLost)
			if !old.LastLost.Before(deployment.LastLost) { // no other owner has counted since
				deployment.LastLost, d.countedUntil[deployment.ID] = old.LastLost, counted[deployment.ID]
			}
		}
		d.list = append(d.list, &deployment)
		current[deployment.ID] = &deployment
	}
	changed := d.changed
	d.changed = nil
	for _, old := range changed {
		if deployment := current[old.ID]; deployment != nil {
			d.changed = append(d.changed, deployment)
		}
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

// forget removes the lost sessions of deployments that have a summary, and deployments whose summary is older
// than EventMemory.
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

// touch adds nodes to those that the deployment changed.
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
		if deployment.Summed.IsZero() && !at.Before(deployment.From) && !deployment.explainsAt(at, m.deployments.graceOf(deployment.Cluster)) {
			due = append(due, deployment.clone())
		}
	}
	return due
}

// TouchedIn returns the nodes of a round that were down, paused, restarted, ejected,
// or drained since a time. A single round is enough, because the same round shows the
// consequences for sessions.
func TouchedIn(c *probes.Cluster, r checks.Report, since time.Time) []string {
	var touched []string
	for _, n := range r.Nodes {
		down := !n.Up && n.Primary.Failure != "" && n.Primary.Failure != probes.FailureCancelled
		if down || n.InRotation == checks.No || n.Status.Paused() || r.Timelines.DisruptedSince(n.Node, since) {
			touched = append(touched, n.Node)
		}
	}
	for _, f := range r.Findings { // some of them may not be confirmed
		if f.Code == checks.NodeDown || f.Code == checks.NodeEjected {
			touched = append(touched, f.Node)
		}
	}
	return slices.DeleteFunc(touched, func(id string) bool {
		return !slices.ContainsFunc(c.Nodes, func(n probes.Node) bool { return n.ID == id && !n.Down })
	})
}

// downOrEjected returns the nodes that active findings report as down or ejected.
func downOrEjected(active []checks.ActiveFinding) (nodes []string) {
	for _, f := range active {
		if f.Node != "" && (f.Code == checks.NodeDown || f.Code == checks.NodeEjected) {
			nodes = append(nodes, f.Node)
		}
	}
	return nodes
}
