package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"stickwatch/internal/config"
	"stickwatch/internal/discovery"
	"stickwatch/internal/history"
	"stickwatch/internal/panics"
	"stickwatch/probes"
)

// This file follows the sources of nodes (`nodes_from`). A changed list is a reload of one
// cluster's nodes: the active configuration is replaced by one with the new list, and the
// cluster's watcher takes it over with canaries, history and active findings.

// startWait is how long a start waits for the nodes that a source lists.
const startWait = time.Second

// nodeSources are the sources of the clusters with nodes_from. The zero value has none.
type nodeSources struct {
	mu      sync.Mutex
	all     map[string]*nodeSource      // by cluster name
	stored  map[string]history.NodeList // last written ones, by cluster name; used by saveNodeLists only
	adopt   func(cluster string, source probes.NodeSource, nodes []probes.Node) bool
	running panics.Group
}

type nodeSource struct {
	*discovery.Discovery
	stop context.CancelFunc // nil: it is not asked again yet
}

// discover returns cfg with the nodes that the sources list. A source of an unchanged cluster
// is not asked again; others get a second to answer, all at once. One that takes longer delays
// nothing else.
func (d *Daemon) discover(ctx context.Context, cfg *config.Config) *config.Config {
	var old *config.Config
	if active := d.active.Load(); active != nil {
		old = active.config
	}
	found := make([][]probes.Node, len(cfg.Clusters))
	sources := make([]*discovery.Discovery, len(cfg.Clusters))
	var asking panics.Group
	for i, c := range cfg.Clusters {
		from, ok := cfg.NodesFrom(c.Name)
		if !ok {
			continue
		}
		if old != nil && cfg.SameCluster(c.Name, old) {
			sources[i] = d.sources.of(c.Name).Discovery
			found[i] = sources[i].Nodes()
			continue
		}
		sources[i] = discovery.New(from, c)
		asking.Go(func() {
			var err error
			if found[i], err = sources[i].Begin(ctx, startWait); err != nil {
				d.logger.Warn("asking for nodes", "cluster", c.Name, "source", from.String(), "err", err)
			}
		})
	}
	asking.Wait()
	for i, c := range cfg.Clusters {
		if sources[i] != nil {
			cfg = cfg.WithNodes(c.Name, sources[i], found[i])
		}
	}
	if d.history == nil { // a start: it restores them when the history is open
		return cfg
	}
	return d.restoreNodes(ctx, cfg)
}

// of returns the source of a cluster; nil: it has none.
func (s *nodeSources) of(cluster string) *nodeSource {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[cluster]
}

// use makes the sources of a configuration those that are followed.
func (s *nodeSources) use(cfg *config.Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := make(map[string]*nodeSource)
	for _, c := range cfg.Clusters {
		source, ok := c.Source.(*discovery.Discovery)
		if !ok {
			continue
		}
		if known := s.all[c.Name]; known != nil && known.Discovery == source {
			next[c.Name] = known
			continue
		}
		next[c.Name] = &nodeSource{Discovery: source}
	}
	for name, old := range s.all {
		if next[name] != old && old.stop != nil {
			old.stop()
		}
	}
	s.all = next
	if s.adopt != nil {
		s.follow()
	}
}

// start begins to ask the sources again and again, also those of later configurations.
func (s *nodeSources) start(adopt func(cluster string, source probes.NodeSource, nodes []probes.Node) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.adopt = adopt
	s.follow()
}

// follow asks the sources that are not asked yet. The caller holds mu.
func (s *nodeSources) follow() {
	for name, source := range s.all {
		if source.stop != nil {
			continue
		}
		ctx, stop := context.WithCancel(context.Background())
		source.stop = stop
		s.running.Go(func() {
			panics.Keep(ctx, panics.Daemon, func() {
				source.Run(ctx, func(nodes []probes.Node) bool { return s.adopt(name, source.Discovery, nodes) })
			})
		})
	}
}

// stopAll stops asking.
func (s *nodeSources) stopAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, source := range s.all {
		if source.stop != nil {
			source.stop()
		}
	}
}

// onNodes replaces the nodes of a cluster by those that its source lists now. It returns false
// if it could not.
func (d *Daemon) onNodes(cluster string, source probes.NodeSource, found []probes.Node) bool {
	if !d.reloading.TryLock() {
		source.Refresh() // another change is under way, and may wait for the round that asks: ask again soon
		return false
	}
	defer d.reloading.Unlock()
	old := d.active.Load()
	before := old.config.Cluster(cluster)
	if d.closed || before == nil || before.Source != source {
		return true // a reload has replaced the source
	}
	if slices.EqualFunc(before.Nodes, old.config.Nodes(cluster, found), discovery.SameNode) {
		return true
	}
	cfg := old.config.WithNodes(cluster, source, found)
	after := cfg.Cluster(cluster)
	d.active.Store(&activeConfig{config: cfg, watchers: old.watchers, leaseEpochs: old.leaseEpochs})
	for _, c := range cfg.Watched() {
		if watcher := old.watcherOf(c.Name); watcher != nil && (c.Name == cluster || c.Base == cluster) {
			watcher.SetCluster(c)
		}
	}
	d.logger.Info("nodes changed", "cluster", cluster, "source", source.State().Name,
		"came", missingFrom(nodeIDs(before), nodeIDs(after)), "went", missingFrom(nodeIDs(after), nodeIDs(before)), "nodes", len(after.Nodes))
	return true
}

// restoreNodes returns cfg with the stored lists of sources that do not answer now.
func (d *Daemon) restoreNodes(ctx context.Context, cfg *config.Config) *config.Config {
	var lists []history.NodeList
	for _, c := range cfg.Clusters {
		source, ok := c.Source.(*discovery.Discovery)
		if !ok || !source.State().Answered.IsZero() {
			continue
		}
		if lists == nil {
			var err error
			if lists, err = d.history.NodeLists(ctx); err != nil || len(lists) == 0 {
				d.logFailure(ctx, "reading lists of nodes", err)
				return cfg
			}
		}
		at := slices.IndexFunc(lists, func(l history.NodeList) bool { return l.Cluster == c.Name && l.Source == sourceKey(cfg, c.Name) })
		if at < 0 {
			continue
		}
		if nodes := nodesOf(lists[at]); source.Restore(nodes, lists[at].At) {
			cfg = cfg.WithNodes(c.Name, source, nodes)
			d.logger.Warn("the nodes are those of a stored list", "cluster", c.Name, "source", source.State().Name, "nodes", len(nodes), "answered", lists[at].At)
		}
	}
	return cfg
}

// keepAnswered is how old the time of a stored list may be while its source gives the same one.
const keepAnswered = 10 * time.Minute

// saveNodeLists stores the lists of sources that have changed.
func (d *Daemon) saveNodeLists(ctx context.Context) {
	cfg := d.active.Load().config
	var changed []history.NodeList
	for _, c := range cfg.Clusters {
		source, ok := c.Source.(*discovery.Discovery)
		if !ok {
			continue
		}
		state := source.State()
		if state.Answered.IsZero() || state.Restored {
			continue
		}
		list := history.NodeList{Cluster: c.Name, Source: sourceKey(cfg, c.Name), At: state.Answered}
		for _, n := range source.Nodes() {
			list.Nodes = append(list.Nodes, history.ListedNode{ID: n.ID, URL: n.URL.String(), Host: n.Host, Server: n.Server, Protocol: string(n.Protocol)})
		}
		if old, ok := d.sources.stored[c.Name]; !ok || old.Source != list.Source || !slices.Equal(old.Nodes, list.Nodes) || list.At.Sub(old.At) >= keepAnswered {
			changed = append(changed, list)
		}
	}
	if len(changed) == 0 {
		return
	}
	if err := d.history.PutNodeLists(ctx, changed); err != nil {
		d.logFailure(ctx, "storing lists of nodes", err)
		return
	}
	if d.sources.stored == nil {
		d.sources.stored = make(map[string]history.NodeList)
	}
	for _, list := range changed {
		d.sources.stored[list.Cluster] = list
	}
}

func (d *Daemon) logFailure(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		d.logger.Error(what, "err", err)
	}
}

// nodesOf returns the nodes of a stored list.
func nodesOf(list history.NodeList) (nodes []probes.Node) {
	for _, n := range list.Nodes {
		if u, err := url.Parse(n.URL); err == nil && u.Host != "" {
			nodes = append(nodes, probes.Node{ID: n.ID, URL: u, Host: n.Host, Server: n.Server, Weight: 1, Protocol: probes.NodeProtocol(n.Protocol)})
		}
	}
	return nodes
}

// sourceKey identifies the source of a cluster with all its settings, of which a URL may be secret.
func sourceKey(cfg *config.Config, cluster string) string {
	from, _ := cfg.NodesFrom(cluster)
	from.MinNodes = 0 // does not change the nodes
	settings, err := json.Marshal(from)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256(settings))
}

// missingFrom returns the ids that are in list and not in known.
func missingFrom(known, list []string) (missing []string) {
	for _, id := range list {
		if !slices.Contains(known, id) {
			missing = append(missing, id)
		}
	}
	return missing
}

// forgetLeftNodes drops the series of nodes that left more than an hour ago.
func (d *Daemon) forgetLeftNodes(now time.Time) {
	nodes := make(map[string][]string)
	for _, watcher := range d.active.Load().watchers {
		snapshot := watcher.Snapshot()
		if snapshot.Cluster.Source == nil {
			continue
		}
		kept := append(nodeIDs(snapshot.Cluster), nodeIDs(watcher.Cluster())...)
		for _, n := range snapshot.Cluster.LeftSince(now.Add(-time.Hour)) {
			kept = append(kept, n.ID)
		}
		nodes[snapshot.Cluster.Name] = kept
	}
	if len(nodes) > 0 {
		d.metrics.Retain(nodes)
	}
}
