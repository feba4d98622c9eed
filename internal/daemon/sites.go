package daemon

import (
	"context"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/monitor"
	"stickwatch/internal/web"
	"stickwatch/probes"
)

// This file decides about clusters that several sites watch. Each site has a view of the cluster,
// CLUSTER@SITE, which an instance there watches like a cluster of its own, with a lease, a history
// and a snapshot for the others, but without incidents. The instance that has the lease of the
// cluster itself decides, once a second, on the snapshots of the views.

// A siteJudge decides about a cluster while this instance has its lease.
type siteJudge struct {
	ledger *checks.SiteLedger
	last   web.Snapshot
}

// settleTime is how much longer sites must differ than reports of one of them count.
const settleTime = 15 * time.Second

// viewLifetime returns how long a view counts after its newest round.
func viewLifetime(cfg *config.Config, cluster string) time.Duration {
	return 3 * max(cfg.ClusterIntervals[cluster].Status, 10*time.Second)
}

func newSiteJudge(cfg *config.Config, cluster string, active []checks.ActiveFinding) *siteJudge {
	return &siteJudge{ledger: checks.NewSiteLedger(viewLifetime(cfg, cluster)+settleTime, active...)}
}

// viewFrom returns the name of the view that this instance has of a cluster with sites, or the first
// one's if it is at none of them.
func viewFrom(cfg *config.Config, c *probes.Cluster) string {
	if slices.Contains(c.Sites, cfg.Fleet.Site) {
		return probes.ViewName(c.Name, cfg.Fleet.Site)
	}
	return probes.ViewName(c.Name, c.Sites[0])
}

// measured returns the name under which the history has the measurements of a cluster: of one with
// sites, those of its first site.
func (d *Daemon) measured(cluster string) string {
	if c := d.active.Load().config.Cluster(cluster); c != nil && len(c.Sites) > 0 {
		return probes.ViewName(cluster, c.Sites[0])
	}
	return cluster
}

// views returns the names under which the history has the measurements of a cluster: those of all its
// sites, or its own.
func (d *Daemon) views(cluster string) (names []string) {
	c := d.active.Load().config.Cluster(cluster)
	if c == nil || len(c.Sites) == 0 {
		return []string{cluster}
	}
	for _, site := range c.Sites {
		names = append(names, probes.ViewName(cluster, site))
	}
	return names
}

// ofCluster returns a request as one of the cluster itself if it belongs to the view of this site. The
// name of a cluster may look like that of a view.
func (m *fleetMember) ofCluster(q checks.Request) checks.Request {
	if m == nil || m.current().Fleet.Site == "" {
		return q
	}
	if c := m.current().Cluster(q.Cluster); c != nil && c.Base != "" {
		q.Cluster = c.Base
	}
	return q
}

// lostFor is how long a lost session is in the snapshots of its view: until each instance has read one.
const lostFor = 30 * time.Second

// recordLost keeps a request whose session was lost for the instance that decides about the cluster,
// which counts the sessions that a deployment has cost.
func (m *fleetMember) recordLost(q checks.Request) {
	if m == nil || !q.Outcome.LostSession() {
		return
	}
	if c := m.current().Cluster(q.Cluster); c == nil || c.Base == "" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lost = append(m.lost, q)
	m.unsent[q.Cluster] = true
}

// lostAt returns the sessions that a view has lost in the last time.
func (m *fleetMember) lostAt(view string, now time.Time) (list []checks.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lost = slices.DeleteFunc(m.lost, func(q checks.Request) bool { return now.Sub(q.At) > lostFor })
	for _, q := range m.lost {
		if q.Cluster == view {
			list = append(list, q)
		}
	}
	return list
}

// activate makes a configuration the active one. A judge whose cluster another instance decides about
// from now on, or nobody, leaves nothing behind. d.judging is held.
func (d *Daemon) activate(next *activeConfig) {
	d.active.Store(next)
	if d.fleet == nil {
		return
	}
	var gone []string
	d.fleet.mu.Lock()
	for name := range d.fleet.judges {
		if c := next.config.Cluster(name); c == nil || len(c.Sites) == 0 || !next.watches(name) {
			delete(d.fleet.judges, name)
			gone = append(gone, name)
		}
	}
	d.fleet.mu.Unlock()
	for _, name := range gone {
		if next.watcherOf(name) == nil {
			d.metrics.Forget(name)
		}
	}
}

// decided returns what a watcher or a judge of this instance has decided about a cluster, which goes on
// when a reload replaces one by the other.
func (d *Daemon) decided(active *activeConfig, cluster string) (s monitor.Snapshot, own bool) {
	if watcher := active.watcherOf(cluster); watcher != nil {
		return d.clock.sharedSnapshot(watcher.Snapshot()), true
	}
	if d.fleet == nil {
		return s, false
	}
	d.fleet.mu.Lock()
	defer d.fleet.mu.Unlock()
	judge := d.fleet.judges[cluster]
	if judge == nil {
		return s, false
	}
	s = monitor.Snapshot(judge.last)
	s.ActiveFindings = judge.ledger.Active()
	return s, true
}

// addJudges adds judges of clusters that were watched until a reload added their sites.
func (d *Daemon) addJudges(old *activeConfig, cfg *config.Config) {
	for _, c := range cfg.Clusters {
		if watcher := old.watcherOf(c.Name); watcher != nil && len(c.Sites) > 0 {
			judge := newSiteJudge(cfg, c.Name, d.clock.sharedFindings(watcher.Snapshot().ActiveFindings))
			judge.last = web.Snapshot(d.clock.sharedSnapshot(watcher.Snapshot()))
			judge.last.Cluster = c
			d.fleet.mu.Lock()
			d.fleet.judges[c.Name] = judge
			d.fleet.mu.Unlock()
		}
	}
}

// ownSnapshot returns the snapshot of a cluster that this instance watches, or decides about.
func (d *Daemon) ownSnapshot(active *activeConfig, cluster string) (s web.Snapshot, own bool) {
	if watcher := active.watcherOf(cluster); watcher != nil {
		return web.Snapshot(d.clock.sharedSnapshot(watcher.Snapshot())), true
	}
	if d.fleet == nil || active.leaseEpochs[cluster] == 0 {
		return s, false
	}
	d.fleet.mu.Lock()
	defer d.fleet.mu.Unlock()
	if judge := d.fleet.judges[cluster]; judge != nil && !judge.last.Report.Started.IsZero() {
		return judge.last, true
	}
	return s, false
}

// restoreViews continues what earlier owners have decided about clusters with sites, and adds what
// they have seen in the views of this site to active.
func (d *Daemon) restoreViews(ctx context.Context, cfg *config.Config, gained []string, active map[string][]checks.ActiveFinding) error {
	isView := func(name string) bool { c := cfg.Cluster(name); return c != nil && c.Base != "" }
	if slices.ContainsFunc(gained, isView) {
		if err := d.readSnapshots(ctx); err != nil {
			return err
		}
	}
	d.fleet.mu.Lock()
	defer d.fleet.mu.Unlock()
	for _, name := range gained {
		switch c := cfg.Cluster(name); {
		case c == nil:
		case c.Base != "":
			active[name] = d.fleet.others[name].ActiveFindings
		case len(c.Sites) > 0:
			d.fleet.judges[name] = newSiteJudge(cfg, name, active[name])
		}
	}
	return nil
}

// judgeSites decides about the own clusters that several sites watch.
func (d *Daemon) judgeSites() {
	d.judging.Lock()
	defer d.judging.Unlock()
	active := d.active.Load()
	for _, c := range active.config.Clusters {
		if len(c.Sites) > 0 && active.watches(c.Name) {
			d.judgeCluster(active, c)
		}
	}
}

func (d *Daemon) judgeCluster(active *activeConfig, c *probes.Cluster) {
	var views []checks.SiteView
	for _, site := range c.Sites {
		views = append(views, d.viewOf(active, c.From(site), site))
	}
	d.fleet.mu.Lock()
	judge := d.fleet.judges[c.Name]
	if judge == nil { // one reload has removed the cluster, and the next one brought it back
		judge = newSiteJudge(active.config, c.Name, nil)
		d.fleet.judges[c.Name] = judge
	}
	now := d.clock.sharedNow()
	changes := judge.ledger.Update(now, views)
	report := judge.ledger.ReportOf(c.Name, views)
	last := judge.last
	if report.Started.IsZero() || len(changes) == 0 && report.Verdict == last.Report.Verdict && report.Started.Equal(last.Report.Started) {
		d.fleet.mu.Unlock()
		return
	}
	next := web.Snapshot{Cluster: c, Report: report, ActiveFindings: judge.ledger.Active(), Since: last.Since}
	if report.Verdict != last.Report.Verdict {
		next.Since = now
	}
	judge.last = next
	d.fleet.mu.Unlock()
	d.reporter.Judged(monitor.RoundResult{Snapshot: monitor.Snapshot(next), Changes: changes})
}

// viewOf returns the view that a site has of a cluster. An own one is newer than that in the history.
func (d *Daemon) viewOf(active *activeConfig, view *probes.Cluster, site string) checks.SiteView {
	d.fleet.mu.Lock()
	other, reported := d.fleet.others[view.Name], d.fleet.reported[view.Name]
	d.fleet.mu.Unlock()
	s := checks.SiteView{Site: site, Report: other.Report, Active: other.ActiveFindings}
	age := d.clock.now().Sub(other.at)
	if watcher := active.watcherOf(view.Name); watcher != nil && !watcher.Snapshot().Report.Started.IsZero() {
		own := d.clock.sharedSnapshot(watcher.Snapshot())
		s.Report, s.Active, age = own.Report, own.ActiveFindings, time.Since(reported)
	}
	s.Recent = !s.Report.Started.IsZero() && age < viewLifetime(active.config, view.Name)
	return s
}
