package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// A Step is what must come to the disk together. Notices that are in the outbox
// already change nothing.
type Step struct {
	alerting.Step
	// Standing replaces what stood of each cluster in it; an empty list says that
	// nothing stands.
	ActiveFindings map[string][]checks.ActiveFinding
	// Delivered are the receipts of those notices, by ID, that somebody delivered
	// before they were written.
	Delivered map[string]alerting.DeliveryRef
	// Buried are the reasons for which notices, by ID, were given up before that.
	Buried map[string]string
}

// Empty reports whether there is nothing to write.
func (s Step) Empty() bool {
	return s.Step.Empty() && len(s.ActiveFindings)+len(s.Delivered)+len(s.Buried) == 0
}

// Then is a step and a later one in one. Who could not write a step holds it,
// and writes it with the next.
func (s Step) Then(later Step) Step {
	both := Step{
		Step: s.Step.Then(later.Step), ActiveFindings: make(map[string][]checks.ActiveFinding),
		Delivered: make(map[string]alerting.DeliveryRef), Buried: make(map[string]string),
	}
	for _, one := range []Step{s, later} {
		maps.Copy(both.ActiveFindings, one.ActiveFindings)
		maps.Copy(both.Delivered, one.Delivered)
		maps.Copy(both.Buried, one.Buried)
	}
	return both
}

// Commit writes a step, all of it or nothing. When it returns nil the step is on
// the disk and survives the end of the machine. When it does not, nothing of it is
// kept, and the caller tries the same step again: it is the one who holds it.
func (db *DB) Commit(ctx context.Context, s Step) error {
	err := db.commitDurable(ctx, func(tx *sql.Tx) error {
		for _, i := range s.Incidents {
			if err := putIncident(ctx, tx, i); err != nil {
				return err
			}
		}
		for _, n := range s.Notifications {
			if err := putNotification(ctx, tx, n); err != nil {
				return err
			}
		}
		for _, d := range s.Deployments {
			if err := putDeployment(ctx, tx, d); err != nil {
				return err
			}
		}
		for id, deliveryRef := range s.Delivered {
			if err := db.deliver(ctx, tx, id, deliveryRef); err != nil {
				return err
			}
		}
		for id, reason := range s.Buried {
			if err := bury(ctx, tx, id, reason); err != nil {
				return err
			}
		}
		return upsertByCluster(ctx, tx, upsertActiveFindings, s.ActiveFindings)
	})
	if err != nil {
		return fmt.Errorf("committing %d incidents and %d notices: %w", len(s.Incidents), len(s.Notifications), err)
	}
	return nil
}

// commitDurable runs work in a durable transaction, and measures it.
func (db *DB) commitDurable(ctx context.Context, work func(*sql.Tx) error) (err error) {
	began := time.Now()
	defer func() { db.meter.recordWrite(time.Since(began), db.config.Now(), err) }()
	return commitDurable(ctx, db.writer, work)
}

func putIncident(ctx context.Context, tx *sql.Tx, i alerting.Incident) error {
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

// putClusters keeps which clusters an incident concerns, or did.
func putClusters(ctx context.Context, tx *sql.Tx, i alerting.Incident) error {
	for _, cluster := range append([]string{i.Cluster}, i.Clusters...) {
		if cluster == "" {
			continue // of the monitor itself
		}
		if _, err := tx.ExecContext(ctx, insertCluster, i.ID, cluster); err != nil {
			return err
		}
	}
	return nil
}

// column is a time as milliseconds since 1970, or NULL when it is zero.
func column(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// An IncidentQuery says which incidents are asked for. What is zero does not
// matter.
type IncidentQuery struct {
	ID      string // this one alone
	Cluster string // that it concerns, or did, among others
	State   alerting.State
	Span    checks.Span // in which it was open
	Limit   int         // 0: 10000, which is the most
}

// Incidents that q asks for, the newest first.
func (r *Reader) Incidents(ctx context.Context, q IncidentQuery) ([]alerting.Incident, error) {
	if q.ID != "" {
		found, err := queryJSON[alerting.Incident](ctx, r.pool, selectIncident, q.ID)
		if err != nil {
			return nil, fmt.Errorf("reading incident %q: %w", q.ID, err)
		}
		return found, nil
	}
	from, to := bounds(q.Span)
	found, err := queryJSON[alerting.Incident](ctx, r.pool, selectIncidents,
		to, from, string(q.State), string(q.State), q.Cluster, q.Cluster, clampLimit(q.Limit))
	if err != nil {
		return nil, fmt.Errorf("reading incidents: %w", err)
	}
	return found, nil
}
