package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/monitor"
	"stickwatch/internal/web"
	"stickwatch/probes"
)

// Reload reads the configuration again and puts it in force. It is judged whole
// before anything of the old one ends; clusters of which it says the same keep
// their canaries and their rhythm. An error leaves everything as it was.
func (d *Daemon) Reload(ctx context.Context) error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	if d.closed {
		return errors.New("stickwatch is ending")
	}
	err := d.reload(ctx)
	d.metrics.Reloaded(time.Now(), err)
	if err == nil {
		d.logger.Info("configuration reloaded", "clusters", len(d.watch.Load().watchers))
	}
	return err
}

func (d *Daemon) reload(ctx context.Context) error {
	old := d.watch.Load()
	cfg, err := d.config.Load()
	if err != nil {
		return err
	}
	if err := fixed(old.config, cfg); err != nil {
		return err
	}
	notifiers, err := d.notifiers(cfg)
	if err != nil {
		return err
	}
	if notifiers, err = d.postroom.withGone(ctx, notifiers); err != nil {
		return err
	}
	if err := d.schedule.Set(d.jobs(cfg)); err != nil {
		return errors.Join(err, d.schedule.Set(d.jobs(old.config)))
	}
	d.replace(old, cfg, notifiers) // from here on nothing can fail
	return nil
}

// replace puts a configuration in force in place of another. Watchers that leave
// say nothing any more before anybody believes that they are gone.
func (d *Daemon) replace(old *watch, cfg *config.Config, notifiers map[string]alerting.Notifier) {
	for _, one := range old.watchers {
		if !cfg.SameCluster(one.Cluster().Name, old.config) {
			one.Retire()
		}
	}
	d.registry.configure(rulesOf(cfg))
	d.registry.watch(names(cfg))
	d.postroom.exchange(notifiers)
	d.metrics.Receivers(receiverNames(cfg))
	d.server.Speak(cfg.Alerting.Language, cfg.Alerting.Location)
	d.server.AnswerTo(cfg.Alerting.ExternalURL)
	next := d.succeed(old, cfg)
	d.watch.Store(next)
	for _, one := range old.watchers {
		if next.of(one.Cluster().Name) != one {
			d.dismiss(one)
		}
		d.page.Publish(one.Cluster().Name)
	}
}

// fixed tells what a reload cannot change.
func fixed(old, cfg *config.Config) error {
	switch {
	case old.Listen != cfg.Listen:
		return fmt.Errorf("listen is %q now and was %q: restart stickwatch to change it", cfg.Listen, old.Listen)
	case old.History != cfg.History:
		return fmt.Errorf("history is not as before: restart stickwatch to change it")
	}
	return nil
}

// succeed is the watch of a new configuration, with the watchers of the old one
// where it says the same. A cluster that has changed keeps what stands, and its
// picture until there is a new one.
func (d *Daemon) succeed(old *watch, cfg *config.Config) *watch {
	next := &watch{config: cfg}
	for _, c := range cfg.Clusters {
		one := old.of(c.Name)
		if one == nil || !cfg.SameCluster(c.Name, old.config) {
			before := one
			var standing []checks.Standing
			if before != nil {
				standing = before.Picture().Standing
			}
			one = d.newWatcher(cfg, c, standing)
			if before != nil {
				one.Inherit(before.Picture())
			}
		}
		next.watchers = append(next.watchers, one)
	}
	return next
}

// dismiss lets a watcher go when its round is done, and drops the metrics of its
// cluster, or of nodes that the cluster no longer has.
func (d *Daemon) dismiss(one *monitor.Watcher) {
	d.leaving.Go(func() {
		if err := one.Close(); err != nil {
			d.logger.Error("ending a watch", "cluster", one.Cluster().Name, "err", err)
		}
		name := one.Cluster().Name
		if next := d.watch.Load().of(name); next != nil {
			d.metrics.Retain(name, nodeIDs(next.Cluster()))
		} else {
			d.metrics.Forget(name)
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

// notifiers are the receivers of a configuration, by name.
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

func receiverNames(cfg *config.Config) []string {
	var list []string
	for _, r := range cfg.Alerting.Receivers {
		list = append(list, r.Name)
	}
	return list
}

// rulesOf are the rules of a configuration in the words of package alerting.
func rulesOf(cfg *config.Config) alerting.Config {
	a := cfg.Alerting
	rules := alerting.Config{
		Rules:  alerting.Rules{For: a.For, ResolveAfter: a.ResolveAfter, ByHost: a.GroupByHost},
		Repeat: a.Repeat, Receivers: receiverNames(cfg), Grace: make(map[string]time.Duration),
	}
	for _, c := range cfg.Clusters {
		rules.Grace[c.Name] = graceOf(cfg, c)
	}
	for _, r := range a.Routes {
		rules.Routes = append(rules.Routes, alerting.Route(r))
	}
	for _, m := range cfg.Maintenance {
		rules.Windows = append(rules.Windows, alerting.Window{
			Cluster: m.Cluster, Node: m.Node, Code: m.Code, Active: m.Weekly.Contains,
		})
	}
	return rules
}

// past is the history, with everything that is changed there put in force.
func (d *Daemon) past() pastOf {
	return pastOf{
		d.history,
		&refresher[alerting.Silence]{read: d.history.Silences, apply: d.registry.silence},
		&refresher[alerting.Deployment]{read: d.history.Announced, apply: d.registry.announce},
	}
}

// webConfig is what the page and the API are made of.
func (d *Daemon) webConfig(cfg *config.Config) web.Config {
	return web.Config{
		Pictures: d, Prober: d, Exporter: d, Reloader: d,
		Past:          d.past(),
		Unwritten:     d.unwritten,
		Live:          d.page,
		Metrics:       d.metrics.Handler(),
		Ready:         d.ready,
		WebConfigFile: d.config.WebConfigFile,
		Listen:        d.listener.Addr().String(),

		MaxConnections: webConnections(),
		Language:       cfg.Alerting.Language,
		Location:       cfg.Alerting.Location,
		ExternalURL:    cfg.Alerting.ExternalURL,
		Version:        d.config.Build.Version,
		Logger:         d.logger,
	}
}
