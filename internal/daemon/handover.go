package daemon

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"stickwatch/internal/config"
	"stickwatch/internal/fleet"
	"stickwatch/internal/history"
	"stickwatch/internal/monitor"
)

// This file stores the canaries of clusters for the instances that take them over, encrypted with
// fleet.key_file, and continues those of others.

// A canaryWriter stores the canaries of own clusters.
type canaryWriter struct {
	put    func(context.Context, []history.StoredCanaries) error // of the history
	logger *slog.Logger
	turn   chan struct{} // has an element while canaries are read and stored: none overwrite newer ones

	mu      sync.Mutex
	stored  map[string]storedVersion // by cluster
	failing time.Time                // when storing began to fail, or the last warning about that; zero: it works
}

func newCanaryWriter(logger *slog.Logger, put func(context.Context, []history.StoredCanaries) error) *canaryWriter {
	return &canaryWriter{put: put, logger: logger, turn: make(chan struct{}, 1), stored: make(map[string]storedVersion)}
}

// A storedVersion says which canaries of a cluster this instance has stored.
type storedVersion struct {
	at    time.Time
	epoch int64
	monitor.CanaryVersion
	keys []config.Secret
	size int // in bytes, encrypted
}

// storeEvery is how often canaries without new sessions are stored, with their last answers.
const storeEvery = time.Minute

// isCurrent reports whether canaries of a version need not be stored again.
func (v storedVersion) isCurrent(next storedVersion) bool {
	return v.epoch == next.epoch && v.CanaryVersion == next.CanaryVersion && slices.Equal(v.keys, next.keys) && next.at.Sub(v.at) < storeEvery
}

// keysOf returns the keys of a configuration; nil: sessions are not stored.
func keysOf(cfg *config.Config) *fleet.Keys {
	var all [][fleet.KeySize]byte
	for _, key := range cfg.Fleet.Keys {
		all = append(all, [fleet.KeySize]byte([]byte(key.Reveal())))
	}
	if len(all) == 0 {
		return nil
	}
	return fleet.NewKeys(all[0], all[1:]...)
}

// storeCanaries stores the canaries of own clusters if they are not stored, and deletes those of clusters
// that are not configured any more.
func (d *Daemon) storeCanaries(ctx context.Context) {
	active := d.active.Load()
	due, removed := d.fleet.canaries.due(active)
	d.fleet.canaries.write(ctx, active, due, removed)
}

// due returns the watchers whose canaries are to be stored, and the removed clusters with their epochs.
func (w *canaryWriter) due(active *activeConfig) (due []*monitor.Watcher, removed map[string]int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	removed = make(map[string]int64)
	for _, watcher := range active.watchers {
		before, known := w.stored[watcher.Cluster().Name]
		if now := versionOf(active, watcher); now.epoch != 0 && (known || len(now.keys) > 0) && !before.isCurrent(now) {
			due = append(due, watcher)
		}
	}
	for name, version := range w.stored {
		if active.config.Cluster(name) == nil {
			removed[name] = version.epoch
		}
	}
	return due, removed
}

func versionOf(active *activeConfig, watcher *monitor.Watcher) storedVersion {
	return storedVersion{at: time.Now(), epoch: active.leaseEpochs[watcher.Cluster().Name], CanaryVersion: watcher.CanaryVersion(), keys: active.config.Fleet.Keys}
}

// write stores the canaries of watchers, and deletes those of removed clusters with these epochs. It returns
// the clusters of which nothing is stored now.
func (w *canaryWriter) write(ctx context.Context, active *activeConfig, watchers []*monitor.Watcher, removed map[string]int64) (without []string) {
	if len(watchers)+len(removed) == 0 {
		return nil
	}
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return nil
	}
	var list []history.StoredCanaries
	versions, keys := make(map[string]storedVersion), keysOf(active.config)
	for _, watcher := range watchers {
		now := versionOf(active, watcher)
		c := history.StoredCanaries{Cluster: watcher.Cluster().Name, Epoch: now.epoch}
		if canaries := watcher.Canaries(); keys != nil && canaries != nil {
			c.Body = keys.Encrypt(originOf(active.config, c), canaries)
			now.size = len(c.Body)
		}
		if now.size > history.MaxCanaries {
			c.Body = nil
		}
		list, versions[c.Cluster] = append(list, c), now
	}
	for name, epoch := range removed {
		list = append(list, history.StoredCanaries{Cluster: name, Epoch: epoch})
	}
	list, err := w.putOwn(ctx, list)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.warn(ctx, err); err != nil {
		return nil
	}
	for _, c := range list {
		now, configured := versions[c.Cluster]
		if now.size > history.MaxCanaries && w.stored[c.Cluster].size <= history.MaxCanaries {
			w.logger.Warn("the sessions of a cluster are too large to be stored for other instances", "cluster", c.Cluster, "bytes", now.size, "limit", history.MaxCanaries)
		}
		if c.Body == nil {
			without = append(without, c.Cluster)
		}
		if configured {
			w.stored[c.Cluster] = now
		} else {
			delete(w.stored, c.Cluster)
		}
	}
	return without
}

// putOwn stores canaries and returns what it has stored: all but those of clusters that have a new owner,
// who stores them.
func (w *canaryWriter) putOwn(ctx context.Context, list []history.StoredCanaries) ([]history.StoredCanaries, error) {
	err := w.put(ctx, list)
	fenced, ok := errors.AsType[*history.FencedError](err)
	if !ok {
		return list, err
	}
	w.forget(fenced.Clusters)
	own := slices.DeleteFunc(list, func(c history.StoredCanaries) bool { return slices.Contains(fenced.Clusters, c.Cluster) })
	if len(own) == 0 {
		return nil, nil
	}
	return own, w.put(ctx, own)
}

// forget forgets clusters of another owner.
func (w *canaryWriter) forget(clusters []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range clusters {
		delete(w.stored, name)
	}
}

// warn logs once a minute that canaries are not stored. The mutex is held.
func (w *canaryWriter) warn(ctx context.Context, err error) {
	switch {
	case err == nil:
		w.failing = time.Time{}
	case ctx.Err() != nil:
	case w.failing.IsZero():
		w.failing = time.Now()
	case time.Since(w.failing) >= time.Minute:
		w.failing = time.Now()
		w.logger.Warn("the sessions of clusters are not stored: an instance that takes one over opens new ones", "err", err)
	}
}

// handOverTime bounds how long other instances wait for the newest canaries: those of a moment ago are stored.
const handOverTime = time.Second

// handOver ends the watch of clusters and stores their canaries for the instances that take them over. If
// one has done so already, the canaries are left to it.
func (d *Daemon) handOver(ctx context.Context, active *activeConfig, watchers []*monitor.Watcher) {
	if len(active.config.Fleet.Keys) == 0 {
		for _, watcher := range watchers {
			watcher.Retire()
		}
		return
	}
	for _, watcher := range watchers {
		watcher.HandOver()
	}
	ctx, cancel := context.WithTimeout(ctx, handOverTime)
	defer cancel()
	without := d.fleet.canaries.write(ctx, active, watchers, nil)
	for _, watcher := range watchers {
		name := watcher.Cluster().Name
		if slices.Contains(without, name) {
			watcher.TakeBack()
		}
		d.fleet.canaries.forget([]string{name})
	}
}

// continueCanaries gives new watchers the canaries that earlier owners of their clusters have stored.
// Where that fails, they open new ones.
func (d *Daemon) continueCanaries(ctx context.Context, cfg *config.Config, leaseEpochs map[string]int64, watchers []*monitor.Watcher) {
	keys := keysOf(cfg)
	if keys == nil || len(watchers) == 0 {
		return
	}
	byName := make(map[string]*monitor.Watcher)
	var names, refused []string
	for _, watcher := range watchers {
		byName[watcher.Cluster().Name] = watcher
		names = append(names, watcher.Cluster().Name)
	}
	stored, err := d.history.Canaries(ctx, names)
	if err != nil {
		d.logger.Warn("reading the sessions of other instances: new ones are opened", "clusters", names, "err", err)
		return
	}
	for _, c := range stored {
		if failed := continueOne(cfg, keys, leaseEpochs[c.Cluster], byName[c.Cluster], c); failed != nil {
			refused, err = append(refused, c.Cluster), failed
		}
	}
	if err != nil {
		d.logger.Warn("continuing the sessions of other instances: new ones are opened instead", "clusters", refused, "err", err)
	}
}

// originOf binds canaries to the settings of their cluster: with others, such as another cookie, every
// session would seem to be lost.
func originOf(cfg *config.Config, c history.StoredCanaries) fleet.Origin {
	return fleet.Origin{Cluster: c.Cluster, Epoch: c.Epoch, Settings: cfg.ClusterDigest(c.Cluster)}
}

func continueOne(cfg *config.Config, keys *fleet.Keys, epoch int64, watcher *monitor.Watcher, c history.StoredCanaries) error {
	taken := time.Now().Add(-c.Age)
	switch {
	case c.Body == nil:
		return errors.New("they are too large")
	case c.Epoch >= epoch:
		return errors.New("they are not of an earlier owner")
	}
	canaries, err := keys.Decrypt(originOf(cfg, c), c.Body)
	if err != nil {
		return err
	}
	return watcher.Continue(canaries, taken)
}
