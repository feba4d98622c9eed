package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/config"
	"stickwatch/internal/discovery"
	"stickwatch/internal/history"
	"stickwatch/internal/monitor"
	"stickwatch/internal/web"
	"stickwatch/probes"
)

// Reload reads the configuration and activates it, and makes the other instances of a fleet do so
// with theirs. It validates all of it first: an error changes nothing. Clusters whose configuration
// is unchanged keep their canaries and schedule.
func (d *Daemon) Reload(ctx context.Context) error {
	err := d.reloadOwn(ctx)
	if err == nil {
		d.announceReload(ctx)
	}
	return err
}

// announceReload makes the other instances of a fleet reload. That is not repeated: who reloads must know.
func (d *Daemon) announceReload(ctx context.Context) {
	if d.fleet == nil {
		return
	}
	if err := d.fleet.store.Send(ctx, history.Message{Kind: history.Reloaded}); err != nil {
		d.logger.Error("telling the other instances of the fleet to reload, too: reload each of them", "err", err)
	}
}

// reloadOwn is Reload without the other instances.
func (d *Daemon) reloadOwn(ctx context.Context) error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	if d.closed {
		return errors.New("stickwatch is shutting down")
	}
	d.config.Service.notify("RELOADING=1")
	err := d.reload(ctx)
	d.config.Service.notify("READY=1") // also with the old configuration
	d.metrics.Reloaded(time.Now(), err)
	if err == nil {
		d.logger.Info("configuration reloaded", "clusters", len(d.active.Load().watchers))
	}
	return err
}

func (d *Daemon) reload(ctx context.Context) error {
	old := d.active.Load()
	cfg, err := d.config.Load()
	if err != nil {
		return err
	}
	if err := checkReloadable(old.config, cfg); err != nil {
		return err
	}
	cfg = d.discover(ctx, cfg)
	notifiers, err := d.notifiers(cfg)
	if err != nil {
		return err
	}
	if notifiers, err = d.deliverer.WithRemovedReceivers(ctx, notifiers); err != nil {
		return err
	}
	if err := d.schedule.Set(d.jobs(cfg)); err != nil {
		return errors.Join(err, d.schedule.Set(d.jobs(old.config)))
	}
	d.replace(old, cfg, notifiers) // from here on nothing can fail
	return nil
}

// replace activates a configuration in place of another. Watchers of removed clusters
// are retired first, so that they report nothing after their cluster has been
// removed, and no judge decides meanwhile.
func (d *Daemon) replace(old *activeConfig, cfg *config.Config, notifiers map[string]alerting.Notifier) {
	d.judging.Lock()
	defer d.judging.Unlock()
	for _, watcher := range old.watchers {
		if !cfg.SameCluster(watcher.Cluster().Name, old.config) {
			watcher.Retire()
		}
	}
	d.incidentService.configure(rulesOf(cfg))
	d.incidentService.setClusters(old.watchedNames(cfg))
	d.deliverer.SetReceivers(notifiers)
	d.metrics.Receivers(cfg.Alerting.ReceiverNames())
	d.server.SetLocale(cfg.Alerting.Language, cfg.Alerting.Location)
	d.server.SetExternalURL(cfg.Alerting.ExternalURL)
	d.server.SetLinks(linksOf(cfg))
	next := d.nextConfig(old, cfg)
	d.activate(next)
	d.sources.use(cfg)
	for _, watcher := range old.watchers {
		if next.watcherOf(watcher.Cluster().Name) != watcher {
			d.closeWatcher(watcher)
		}
		d.page.Publish(watcher.Cluster().Name)
	}
}

// checkReloadable returns an error if a setting changed that requires a restart.
func checkReloadable(old, cfg *config.Config) error {
	switch {
	case old.Listen != cfg.Listen:
		return fmt.Errorf("listen is %q now and was %q: restart stickwatch to change it", cfg.Listen, old.Listen)
	case old.History != cfg.History:
		return fmt.Errorf("history has changed: restart stickwatch to apply it")
	case old.Fleet.Instance != cfg.Fleet.Instance:
		return fmt.Errorf("fleet.instance is %q now and was %q: restart stickwatch to change it", cfg.Fleet.Instance, old.Fleet.Instance)
	}
	return nil
}

// nextConfig returns the new configuration with its watchers, reusing those of
// unchanged clusters. The new watcher or judge of a changed cluster inherits the active
// findings and the last snapshot.
func (d *Daemon) nextConfig(old *activeConfig, cfg *config.Config) *activeConfig {
	next := &activeConfig{config: cfg, leaseEpochs: old.leaseEpochs}
	for _, c := range cfg.Watched() {
		if !next.watches(c.Name) {
			continue
		}
		watcher := old.watcherOf(c.Name)
		if watcher == nil || !cfg.SameCluster(c.Name, old.config) {
			before, own := d.decided(old, c.Name)
			watcher = d.newWatcher(cfg, c, before.ActiveFindings)
			if own {
				watcher.Inherit(before)
			}
		}
		if c.Source != nil && !slices.EqualFunc(watcher.Cluster().Nodes, c.Nodes, discovery.SameNode) {
			watcher.SetCluster(c) // its source has answered meanwhile
		}
		next.watchers = append(next.watchers, watcher)
	}
	d.addJudges(old, cfg)
	return next
}

// closeWatcher closes a watcher after its current round, and removes the metrics of
// its cluster or of removed nodes.
func (d *Daemon) closeWatcher(watcher *monitor.Watcher) {
	d.closingWatchers.Go(func() {
		if err := watcher.Close(); err != nil {
			d.logger.Error("closing a watcher", "cluster", watcher.Cluster().Name, "err", err)
		}
		name := watcher.Cluster().Name
		if next := d.active.Load().watcherOf(name); next != nil {
			d.metrics.Retain(map[string][]string{name: nodeIDs(next.Cluster())})
		} else {
			d.metrics.Forget(name)
			d.reporter.placements.forget(name)
		}
	})
}

func nodeIDs(c *probes.Cluster) []string {
	ids := make([]string, len(c.Nodes))
	for i, n := range c.Nodes {
		ids[i] = n.ID
	}
	return ids
}

// notifiers returns the receivers of a configuration by name.
func (d *Daemon) notifiers(cfg *config.Config) (map[string]alerting.Notifier, error) {
	all := make(map[string]alerting.Notifier)
	for _, r := range cfg.Alerting.Receivers {
		n, err := d.config.Notifier(r, cfg.Alerting)
		if err != nil {
			return nil, fmt.Errorf("alerting.receivers: %q: %w", r.Name, err)
		}
		all[r.Name] = n
	}
	return all, nil
}

// rulesOf converts a configuration to that of package alerting.
func rulesOf(cfg *config.Config) alerting.Config {
	a := cfg.Alerting
	rules := alerting.Config{
		Rules:  alerting.Rules{Monitor: cfg.Fleet.Instance, For: a.For, ResolveAfter: a.ResolveAfter, ByHost: a.GroupByHost},
		Repeat: a.Repeat, Receivers: cfg.Alerting.ReceiverNames(), Grace: make(map[string]time.Duration),
	}
	for _, c := range cfg.Clusters {
		rules.Grace[c.Name] = cfg.GraceAfterDeployment(c)
	}
	for _, r := range a.Routes {
		rules.Routes = append(rules.Routes, alerting.Route{
			Receiver: r.Receiver, Severity: r.Severity, Cluster: r.Cluster, Code: r.Code, Continue: r.Continue,
			Escalation: alerting.Escalation{After: r.EscalateAfter, To: r.EscalateTo},
		})
	}
	for _, m := range cfg.Maintenance {
		rules.Windows = append(rules.Windows, alerting.Window{
			Cluster: m.Cluster, Node: m.Node, Code: m.Code, Active: m.Weekly.Contains,
		})
	}
	return rules
}

// webHistory returns the history for the page and the API. Changes made through it
// take effect at once.
func (d *Daemon) webHistory() webHistory {
	return webHistory{
		d.history, d.fleet,
		&refresher[alerting.Silence]{read: d.history.Silences, apply: d.incidentService.setSilences, now: d.clock.now},
		&refresher[alerting.Deployment]{read: d.history.Announced, apply: d.incidentService.setDeployments, now: d.clock.now},
		d.measured, d.countsOf,
	}
}

// webConfig returns the configuration of the page and the API.
func (d *Daemon) webConfig(cfg *config.Config) web.Config {
	return web.Config{
		Snapshots: d, Operator: d, Prober: d, Exporter: d, Reloader: d,
		History:       d.stored,
		OpenIncidents: d.openIncidents,
		Handles:       d.handles(),
		Live:          d.page,
		Now:           d.clock.sharedNow,
		Announcement:  d.config.Announcement,
		Metrics:       d.metrics.Handler(),
		Ready:         d.ready,
		WebConfigFile: d.config.WebConfigFile,
		Listen:        d.listener.Addr().String(),

		MaxConnections: webConnections(),
		Language:       cfg.Alerting.Language,
		Location:       cfg.Alerting.Location,
		ExternalURL:    cfg.Alerting.ExternalURL,
		Links:          linksOf(cfg),
		Version:        d.config.Build.Version,
		Logger:         d.logger,
	}
}

// linksOf returns the configured links to other tools.
func linksOf(cfg *config.Config) []web.LinkTemplate {
	var links []web.LinkTemplate
	for _, l := range cfg.Links {
		links = append(links, web.LinkTemplate(l))
	}
	return links
}
