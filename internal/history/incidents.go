package history

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// A WriteSet is a set of changes that is committed in one transaction. Notifications that are
// already in the outbox are ignored.
type WriteSet struct {
	alerting.Decision
	// ActiveFindings replaces the active findings of each cluster in the map. An empty list
	// removes them.
	ActiveFindings map[string][]checks.ActiveFinding
	// Delivered are the references of notifications, by ID, that were delivered before they
	// were written.
	Delivered map[string]alerting.DeliveryRef
	// DeadLetters are the reasons of notifications, by ID, that became dead letters before they
	// were written.
	DeadLetters map[string]string
	// Fence has the epoch of each cluster that the write set is about, in a fleet; see FencedError.
	Fence map[string]int64
}

// Empty reports whether there is nothing to write.
func (s WriteSet) Empty() bool {
	return s.Decision.Empty() && len(s.ActiveFindings)+len(s.Delivered)+len(s.DeadLetters) == 0
}

// Then merges a write set with a later one, so that a caller can retry a failed write set together with
// the next. What was decided about a cluster with an older lease is dropped.
func (s WriteSet) Then(later WriteSet) WriteSet {
	s = s.Without(s.olderThan(later.Fence))
	both := WriteSet{
		Decision: s.Decision.Then(later.Decision), ActiveFindings: make(map[string][]checks.ActiveFinding),
		Delivered: make(map[string]alerting.DeliveryRef), DeadLetters: make(map[string]string),
	}
	if len(s.Fence)+len(later.Fence) > 0 {
		both.Fence = make(map[string]int64)
	}
	for _, set := range []WriteSet{s, later} {
		maps.Copy(both.Fence, set.Fence)
		maps.Copy(both.ActiveFindings, set.ActiveFindings)
		maps.Copy(both.Delivered, set.Delivered)
		maps.Copy(both.DeadLetters, set.DeadLetters)
	}
	return both
}

// Clone returns a copy whose slices and maps are its own.
func (s WriteSet) Clone() WriteSet { return s.Then(WriteSet{}) }

// olderThan returns the clusters whose epoch in the write set is another one.
func (s WriteSet) olderThan(fence map[string]int64) (clusters []string) {
	for cluster, epoch := range s.Fence {
		if now, known := fence[cluster]; known && now != epoch {
			clusters = append(clusters, cluster)
		}
	}
	return clusters
}

// Without returns the write set without all that concerns some clusters. An incident of stickwatch itself
// stays, without them.
func (s WriteSet) Without(clusters []string) WriteSet {
	if len(clusters) == 0 {
		return s
	}
	gone := func(cluster string) bool { return slices.Contains(clusters, cluster) }
	concerns := func(i alerting.Incident) bool {
		return gone(i.Cluster) || i.Cluster != "" && slices.ContainsFunc(i.Clusters, gone)
	}
	s.Incidents = slices.DeleteFunc(slices.Clone(s.Incidents), concerns)
	for n := range s.Incidents {
		s.Incidents[n].Clusters = slices.DeleteFunc(slices.Clone(s.Incidents[n].Clusters), gone)
	}
	s.Notifications = slices.DeleteFunc(slices.Clone(s.Notifications), func(n alerting.Notification) bool { return concerns(n.Incident) })
	for n := range s.Notifications {
		incident := &s.Notifications[n].Incident
		incident.Clusters = slices.DeleteFunc(slices.Clone(incident.Clusters), gone)
	}
	s.Deployments = slices.DeleteFunc(slices.Clone(s.Deployments), func(d alerting.Deployment) bool { return gone(d.Cluster) })
	s.ActiveFindings, s.Fence = maps.Clone(s.ActiveFindings), maps.Clone(s.Fence)
	for _, cluster := range clusters {
		delete(s.ActiveFindings, cluster)
		delete(s.Fence, cluster)
	}
	return s
}

// Clusters returns the clusters that the write set is about.
func (s WriteSet) Clusters() map[string]bool {
	all := make(map[string]bool)
	for _, i := range s.Incidents {
		for _, cluster := range append([]string{i.Cluster}, i.Clusters...) {
			all[cluster] = true
		}
	}
	for _, d := range s.Deployments {
		all[d.Cluster] = true
	}
	for cluster := range s.ActiveFindings {
		all[cluster] = true
	}
	delete(all, "") // stickwatch itself
	return all
}

// Commit writes a write set in one transaction. If it returns nil, the write set is on disk and survives
// a power failure. Otherwise nothing is written, and the caller retries the write set.
func (db *DB) Commit(ctx context.Context, set WriteSet) error {
	err := db.commitDurable(ctx, func(tx *transaction) error {
		if err := tx.checkLeases(ctx, db.path, set.Fence); err != nil {
			return err
		}
		for _, i := range set.Incidents {
			if err := putIncident(ctx, tx, i); err != nil {
				return err
			}
		}
		for _, n := range set.Notifications {
			if err := putNotification(ctx, tx, n, db.config.Now()); err != nil {
				return err
			}
		}
		for _, d := range set.Deployments {
			if err := putDeployment(ctx, tx, d); err != nil {
				return err
			}
		}
		for id, deliveryRef := range set.Delivered {
			if err := db.deliver(ctx, tx, id, deliveryRef); err != nil {
				return err
			}
		}
		for id, reason := range set.DeadLetters {
			if err := markDead(ctx, tx, id, reason); err != nil {
				return err
			}
		}
		return upsertByCluster(ctx, tx, upsertActiveFindings, set.ActiveFindings)
	})
	if err != nil {
		return fmt.Errorf("committing %d incidents and %d notifications: %w", len(set.Incidents), len(set.Notifications), err)
	}
	return nil
}

// commitDurable runs work in a durable transaction and measures it.
func (db *DB) commitDurable(ctx context.Context, work func(*transaction) error) error {
	return db.measure(func() error { return db.engine.commit(ctx, true, work) })
}

func putIncident(ctx context.Context, tx *transaction, i alerting.Incident) error {
	body, err := json.Marshal(i)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, upsertIncident,
		i.ID, i.Cluster, string(i.State), i.Started.UnixMilli(), column(i.Fired), column(i.Ended), string(body))
	if err != nil {
		return err
	}
	return putClusters(ctx, tx, i)
}

// putClusters stores the current and former clusters of an incident.
func putClusters(ctx context.Context, tx *transaction, i alerting.Incident) error {
	for _, cluster := range append([]string{i.Cluster}, i.Clusters...) {
		if cluster == "" {
			continue // the incident is about the monitor itself
		}
		if _, err := tx.ExecContext(ctx, insertCluster, i.ID, cluster); err != nil {
			return err
		}
	}
	return nil
}

// column converts a time to milliseconds since 1970; the zero time is NULL.
func column(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// Incidents returns the incidents that match q, newest first. Clusters that an incident
// concerned earlier match as well.
func (r *Reader) Incidents(ctx context.Context, q alerting.IncidentQuery) ([]alerting.Incident, error) {
	if q.ID != "" {
		found, err := queryJSON[alerting.Incident](ctx, r.pool, selectIncident, q.ID)
		if err != nil {
			return nil, fmt.Errorf("reading incident %q: %w", q.ID, err)
		}
		return found, nil
	}
	limit := clampLimit(q.Limit)
	var found []alerting.Incident
	keep := func(i alerting.Incident) bool {
		if q.Matches(&i) {
			found = append(found, i)
		}
		return len(found) < limit
	}
	var err error
	if q.Phase == alerting.PhaseOngoing || q.Phase == alerting.PhaseRecovering { // among few, instead of all in the span
		limit = maxRows
		err = eachJSON(ctx, r.pool, keep, selectOpenIncidents)
		slices.Reverse(found)
		found = found[:min(len(found), clampLimit(q.Limit))]
	} else {
		statement, args := incidentStatement(q)
		q = alerting.IncidentQuery{Severity: q.Severity, Code: q.Code} // the statement has the rest
		err = eachJSON(ctx, r.pool, keep, statement, args...)
	}
	if err != nil {
		return nil, fmt.Errorf("reading incidents: %w", err)
	}
	return found, nil
}

// incidentStatement returns the statement of a query and its arguments.
func incidentStatement(q alerting.IncidentQuery) (statement string, args []any) {
	from, to := bounds(q.Span)
	args = []any{to, from}
	state, further := cmp.Or(string(q.State), resolvedIf(q.Phase == alerting.PhaseResolved)), ""
	if state != "" {
		further, args = further+incidentsOfState, append(args, state)
	}
	if state != "" && state != string(alerting.Resolved) {
		further += openIncidentsOnly
	}
	if q.Cluster != "" {
		further, args = further+incidentsOfCluster, append(args, q.Cluster)
	}
	return fmt.Sprintf(selectIncidents, further), append(args, maxRows)
}

func resolvedIf(over bool) string {
	if over {
		return string(alerting.Resolved)
	}
	return ""
}
