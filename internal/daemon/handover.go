package daemon

import (
	"context"
	"errors"
	"slices"
	"time"

	"stickwatch/internal/config"
	"stickwatch/internal/fleet"
	"stickwatch/internal/history"
	"stickwatch/internal/monitor"
)

// This file stores the canaries of clusters for the instances that take them over, encrypted with
// fleet.key_file, and continues those of others.

// A storedVersion says which canaries of a cluster this instance has stored.
type storedVersion struct {
	at       time.Time
	epoch    int64
	revision int64
	keys     []config.Secret
	size     int // in bytes, encrypted
}

// storeEvery is how often canaries without new sessions are stored, with their last answers.
const storeEvery = time.Minute

// isCurrent reports whether canaries of a version need not be stored again.
func (v storedVersion) isCurrent(next storedVersion) bool {
	return v.epoch == next.epoch && v.revision == next.revision && slices.Equal(v.keys, next.keys) && next.at.Sub(v.at) < storeEvery
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
	active, due, removed := d.active.Load(), []*monitor.Watcher(nil), map[string]int64{}
	d.fleet.mu.Lock()
	for _, one := range active.watchers {
		before, stored := d.fleet.stored[one.Cluster().Name]
		if now := versionOf(active, one); now.epoch != 0 && (stored || len(now.keys) > 0) && !before.isCurrent(now) {
			due = append(due, one)
		}
	}
	for name, version := range d.fleet.stored {
		if active.config.Cluster(name) == nil {
			removed[name] = version.epoch
		}
	}
	d.fleet.mu.Unlock()
	d.putCanaries(ctx, active, due, removed)
}

func versionOf(active *activeConfig, one *monitor.Watcher) storedVersion {
	return storedVersion{at: time.Now(), epoch: active.own[one.Cluster().Name], revision: one.CanaryRevision(), keys: active.config.Fleet.Keys}
}

// putCanaries stores the canaries of watchers, and deletes those of removed clusters with these epochs.
func (d *Daemon) putCanaries(ctx context.Context, active *activeConfig, watchers []*monitor.Watcher, removed map[string]int64) {
	var list []history.StoredCanaries
	versions, keys := make(map[string]storedVersion), keysOf(active.config)
	for _, one := range watchers {
		now := versionOf(active, one)
		c := history.StoredCanaries{Cluster: one.Cluster().Name, Epoch: now.epoch}
		if canaries := one.Canaries(); keys != nil && canaries != nil {
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
	if len(list) == 0 {
		return
	}
	err := d.history.PutCanaries(ctx, list)
	d.fleet.mu.Lock()
	defer d.fleet.mu.Unlock()
	if err != nil {
		if fenced, ok := errors.AsType[*history.FencedError](err); ok {
			for _, name := range fenced.Clusters { // their new owner stores them
				delete(d.fleet.stored, name)
			}
		} else if ctx.Err() == nil {
			d.logger.Debug("storing canaries for other instances", "err", err)
		}
		return
	}
	for name, now := range versions {
		if now.size > history.MaxCanaries && d.fleet.stored[name].size <= history.MaxCanaries {
			d.logger.Warn("the sessions of a cluster are too large to be stored for other instances", "cluster", name, "bytes", now.size, "limit", history.MaxCanaries)
		}
		d.fleet.stored[name] = now
	}
	for name := range removed {
		delete(d.fleet.stored, name)
	}
}

// handOverTime bounds how long other instances wait for the newest canaries: those of a moment ago are stored.
const handOverTime = time.Second

// handOver ends the watch of clusters and stores their canaries for the instances that take them over. If
// one has done so already, the canaries are left to it.
func (d *Daemon) handOver(ctx context.Context, active *activeConfig, watchers []*monitor.Watcher) {
	if len(active.config.Fleet.Keys) == 0 {
		for _, one := range watchers {
			one.Retire()
		}
		return
	}
	for _, one := range watchers {
		one.HandOver()
	}
	ctx, cancel := context.WithTimeout(ctx, handOverTime)
	defer cancel()
	d.putCanaries(ctx, active, watchers, nil)
	d.fleet.mu.Lock()
	defer d.fleet.mu.Unlock()
	for _, one := range watchers {
		delete(d.fleet.stored, one.Cluster().Name)
	}
}

// continueCanaries gives new watchers the canaries that earlier owners of their clusters have stored.
// Where that fails, they open new ones.
func (d *Daemon) continueCanaries(ctx context.Context, cfg *config.Config, own map[string]int64, watchers []*monitor.Watcher) {
	keys := keysOf(cfg)
	if keys == nil || len(watchers) == 0 {
		return
	}
	byName := make(map[string]*monitor.Watcher)
	var names, refused []string
	for _, one := range watchers {
		byName[one.Cluster().Name] = one
		names = append(names, one.Cluster().Name)
	}
	stored, err := d.history.Canaries(ctx, names)
	if err != nil {
		d.logger.Warn("reading the sessions of other instances: new ones are opened", "clusters", names, "err", err)
		return
	}
	for _, c := range stored {
		if failed := continueOne(cfg, keys, own[c.Cluster], byName[c.Cluster], c); failed != nil {
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

func continueOne(cfg *config.Config, keys *fleet.Keys, epoch int64, one *monitor.Watcher, c history.StoredCanaries) error {
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
	return one.Continue(canaries, taken)
}
