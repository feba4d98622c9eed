package daemon

import (
	"context"
	"slices"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/fleet"
	"stickwatch/internal/history"
)

// This file ends the open incidents that no instance of a fleet handles any more: those of clusters
// that a restart removed from the configuration, and those of instances that are gone.

// removedAfter is how long nobody may have watched a cluster before it counts as removed. Until then
// it may be one that the configuration of an instance has that is restarting.
const removedAfter = 10 * time.Minute

// endOrphans is what the instance does that maintains the history.
func (d *Daemon) endOrphans(ctx context.Context) {
	if d.active.Load().leaseEpochs[""] == 0 {
		return
	}
	if err := d.tryEndOrphans(ctx); err != nil && ctx.Err() == nil {
		d.logger.Debug("searching for incidents that no instance handles", "err", err)
	}
}

func (d *Daemon) tryEndOrphans(ctx context.Context) error {
	if err := d.flush(ctx); err != nil { // what is read must have what was decided
		return err
	}
	known := d.incidentService.open()
	past, err := d.history.Restore(ctx)
	if err != nil {
		return err
	}
	state, err := d.history.Fleet(ctx) // after the incidents: it has every instance that opened one
	if err != nil {
		return err
	}
	orphans := slices.DeleteFunc(slices.Clone(past.Incidents), func(i alerting.Incident) bool {
		return !i.OfOther(state.Live) || slices.ContainsFunc(known, func(k alerting.Incident) bool { return k.ID == i.ID })
	})
	if len(orphans) > 0 {
		d.incidentService.adoptOwn(orphans)
	}
	if len(fleet.Status{FleetState: state, Name: d.fleet.name}.Skewed()) > 0 {
		return nil // a cluster may be in the configuration of another instance only
	}
	for _, set := range writeSetsOfRemoved(d.clock.sharedNow(), d.active.Load().config, past, state) {
		d.logger.Info("ending the incidents of a cluster that is in no configuration any more", "incidents", len(set.Incidents))
		d.writeQueue.Add(set)
	}
	return nil
}

// writeSetsOfRemoved returns the end of the open incidents and active findings of each cluster that is in
// no configuration any more.
func writeSetsOfRemoved(at time.Time, cfg *config.Config, past history.State, state history.FleetState) (sets []history.WriteSet) {
	for _, l := range state.Leases {
		if l.Cluster == "" || l.Owner != "" || cfg.Cluster(l.Cluster) != nil || state.Now.Sub(l.Since) < removedAfter {
			continue
		}
		isRemoved := func(cluster string) bool { return cluster == l.Cluster }
		open := slices.DeleteFunc(slices.Clone(past.Incidents), func(i alerting.Incident) bool {
			return i.Cluster == "" || !i.HandledBy("", isRemoved)
		})
		if len(open)+len(past.ActiveFindings[l.Cluster]) == 0 {
			continue
		}
		sets = append(sets, history.WriteSet{
			Decision:       alerting.NewManager(rulesOf(cfg), open).Watch(at, nil),
			ActiveFindings: map[string][]checks.ActiveFinding{l.Cluster: nil},
			Fence:          map[string]int64{l.Cluster: l.Epoch},
		})
	}
	return sets
}
