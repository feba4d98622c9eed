package daemon

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/history"
	"stickwatch/internal/web"
	"stickwatch/probes"
)

// This file exchanges the snapshots of clusters with the other instances of a fleet, so that the pages of
// each show all.

// A storedSnapshot is a snapshot in the history.
type storedSnapshot struct {
	Report         checks.Report
	ActiveFindings []checks.ActiveFinding
	Since          time.Time
	Lost           []checks.Request // requests of a view whose session was lost, the newest ones

	at time.Time // when it was stored
}

// exchangeSnapshots stores the changed snapshots of own clusters and reads those of others.
func (d *Daemon) exchangeSnapshots(ctx context.Context) {
	d.storeSnapshots(ctx)
	d.storeCanaries(ctx)
	if err := d.readSnapshots(ctx); err != nil && ctx.Err() == nil {
		d.logger.Debug("reading the states of other instances' clusters", "err", err)
	}
	d.judgeSites()
}

func (d *Daemon) storeSnapshots(ctx context.Context) {
	d.fleet.mu.Lock()
	list := d.fleet.unsent
	d.fleet.unsent = make(map[string]bool)
	d.fleet.mu.Unlock()
	bodies := make(map[string][]byte)
	active := d.active.Load()
	for cluster := range list {
		s, own := d.ownSnapshot(active, cluster)
		if !own {
			continue
		}
		s.Report.Timelines = nil // it is large, and only for the next round
		body, err := json.Marshal(storedSnapshot{Report: s.Report, ActiveFindings: s.ActiveFindings, Since: s.Since, Lost: d.fleet.lostAt(cluster, d.clock.sharedNow())})
		if err != nil {
			d.logger.Error("storing the state of a cluster", "cluster", cluster, "err", err)
			continue
		}
		bodies[cluster] = body
	}
	if len(bodies) == 0 {
		return
	}
	if err := d.history.PutSnapshots(ctx, bodies); err != nil {
		d.fleet.mu.Lock()
		for cluster := range bodies {
			d.fleet.unsent[cluster] = true
		}
		d.fleet.mu.Unlock()
		if ctx.Err() == nil {
			d.logger.Debug("storing the states of clusters", "err", err)
		}
	}
}

// readSnapshots reads what others have stored since the last call.
func (d *Daemon) readSnapshots(ctx context.Context) error {
	const overlap = 5 * time.Second // of transactions that took longer than others
	d.fleet.mu.Lock()
	since, known := d.fleet.newest.Add(-overlap), make(map[string]time.Time, len(d.fleet.others))
	for cluster, s := range d.fleet.others {
		known[cluster] = s.at
	}
	d.fleet.mu.Unlock()
	stored, err := d.history.StoredSnapshots(ctx, since, known)
	if err != nil {
		return err
	}
	active := d.active.Load()
	for _, s := range stored {
		d.fleet.read(s.At)
		d.useSnapshot(active, s)
	}
	return nil
}

// useSnapshot shows a stored snapshot of a cluster that another instance watches, or of a view. Sessions
// that a view has lost count for its cluster.
func (d *Daemon) useSnapshot(active *activeConfig, s history.StoredSnapshot) {
	c := active.config.Cluster(s.Cluster)
	var body storedSnapshot
	if c == nil || c.Base == "" && active.watcherOf(s.Cluster) != nil || json.Unmarshal(s.Body, &body) != nil {
		return
	}
	if c.Base != "" {
		for _, q := range body.Lost {
			q.Cluster = c.Base
			d.incidentService.observeRequest(q)
		}
	}
	body.at, body.Lost = s.At, nil
	d.fleet.mu.Lock()
	isNew := body.Report.Started.After(d.fleet.others[s.Cluster].Report.Started)
	d.fleet.others[s.Cluster] = body
	d.fleet.mu.Unlock()
	if isNew {
		d.page.Publish(s.Cluster)
	}
}

// read records when a stored snapshot that was read was stored, also if it is an own one.
func (m *fleetMember) read(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at.After(m.newest) {
		m.newest = at
	}
}

// otherSnapshot returns the last snapshot of a cluster that another instance watches. Its report is
// empty until there is one.
func (d *Daemon) otherSnapshot(active *activeConfig, c *probes.Cluster) web.Snapshot {
	d.fleet.mu.Lock()
	s := d.fleet.others[c.Name]
	d.fleet.mu.Unlock()
	if c.Base != "" && !s.Report.Started.IsZero() {
		view := checks.SiteView{Site: strings.TrimPrefix(c.Name, probes.ViewName(c.Base, "")), Report: s.Report}
		if d.clock.now().Sub(s.at) > viewLifetime(active.config, c.Name) {
			s.Report = view.Silent()
		}
	}
	return web.Snapshot{Cluster: c, Report: s.Report, ActiveFindings: s.ActiveFindings, Since: s.Since}
}

// elsewhere returns the error of a request that only the instance that watches a cluster can answer.
func (m *fleetMember) elsewhere(cluster string) error {
	owner := m.Status().OwnerOf(cluster)
	if owner == m.name { // it is taking the cluster over, or giving it away
		owner = ""
	}
	return &web.ElsewhereError{Instance: owner}
}

// changed records that the snapshot of an own cluster has changed.
func (m *fleetMember) changed(cluster string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unsent[cluster], m.reported[cluster] = true, time.Now()
}
