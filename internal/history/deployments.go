package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// endDeployments ends deployments that have reached the maximum duration.
func (db *DB) endDeployments(ctx context.Context, now time.Time) error {
	longest := alerting.LongestDeployment.Milliseconds()
	if _, err := db.exec(ctx, expireDeployments, longest, now.UnixMilli()-longest); err != nil {
		return fmt.Errorf("ending deployments after the maximum duration: %w", err)
	}
	return nil
}

// BeginDeployment stores a deployment that starts, and returns the id that ends it. It ignores
// d.To. The deployment affects notifications; see Announced.
func (db *DB) BeginDeployment(ctx context.Context, d checks.Deployment) (id string, err error) {
	nodes, err := json.Marshal(append([]string{}, d.Nodes...))
	if err != nil {
		return "", fmt.Errorf("starting deployment %q: %w", d.Name, err)
	}
	var row int64
	err = db.commitDurable(ctx, func(tx *transaction) error {
		return tx.QueryRowContext(ctx, insertDeployment, d.Cluster, d.Name, d.From.UnixMilli(), string(nodes)).Scan(&row)
	})
	if err != nil {
		return "", fmt.Errorf("starting deployment %q: %w", d.Name, err)
	}
	return strconv.FormatInt(row, 10), nil
}

// EndDeployment ends a deployment. watched has the results of a client that held sessions
// during it; nil: there was none. It returns ErrNotFound if there is no ongoing deployment with the id.
func (db *DB) EndDeployment(ctx context.Context, id string, at time.Time, watched *alerting.WatchedCounts) error {
	row, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return fmt.Errorf("ending deployment %q: %w", id, ErrNotFound)
	}
	var counts any
	if watched != nil {
		body, err := json.Marshal(watched)
		if err != nil {
			return fmt.Errorf("ending deployment %q: %w", id, err)
		}
		counts = string(body)
	}
	err = db.commitDurable(ctx, func(tx *transaction) error {
		result, err := tx.ExecContext(ctx, updateDeployment, at.UnixMilli(), counts, row)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return ErrNotFound
	})
	if err != nil {
		return fmt.Errorf("ending deployment %q: %w", id, err)
	}
	return nil
}

// putDeployment stores the observed data of a deployment, except its end.
func putDeployment(ctx context.Context, tx *transaction, d alerting.Deployment) error {
	row, err := strconv.ParseInt(d.ID, 10, 64)
	if err != nil {
		return fmt.Errorf("storing deployment %q: %w", d.ID, err)
	}
	touched, err := json.Marshal(append([]string{}, d.Touched...))
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, observeDeployment, string(touched), d.CanariesLost, column(d.LastLost), column(d.Summed), row)
	return err
}

// Announced returns the deployments that explain findings at a moment, oldest first: those
// that are ongoing, not yet summarized, or summarized recently.
func (r *Reader) Announced(ctx context.Context, at time.Time) ([]alerting.Deployment, error) {
	return announced(ctx, r.pool, at)
}

func announced(ctx context.Context, q queryer, at time.Time) ([]alerting.Deployment, error) {
	rows, err := q.QueryContext(ctx, selectAnnounced, at.Add(-alerting.EventMemory).UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("reading announced deployments: %w", err)
	}
	defer rows.Close()
	var all []alerting.Deployment
	for rows.Next() {
		d, err := scanDeployment(rows)
		if err != nil {
			return nil, fmt.Errorf("reading announced deployments: %w", err)
		}
		all = append(all, d)
	}
	return all, rows.Err()
}

func scanDeployment(rows *sql.Rows) (deployment alerting.Deployment, err error) {
	var id, started int64
	var ended, lastLost, summed sql.NullInt64
	var nodes, touched []byte
	var watched sql.NullString
	if err := rows.Scan(&id, &deployment.Cluster, &deployment.Name, &started, &ended, &nodes, &touched, &deployment.CanariesLost, &lastLost, &watched, &summed); err != nil {
		return deployment, err
	}
	deployment.ID, deployment.From = strconv.FormatInt(id, 10), timeOf(started)
	if ended.Valid {
		deployment.To = timeOf(ended.Int64)
	}
	if lastLost.Valid {
		deployment.LastLost = timeOf(lastLost.Int64)
	}
	if summed.Valid {
		deployment.Summed = timeOf(summed.Int64)
	}
	if err := decode(nodes, &deployment.Nodes); err != nil {
		return deployment, err
	}
	if err := decode(touched, &deployment.Touched); err != nil {
		return deployment, err
	}
	if watched.Valid {
		err = decode([]byte(watched.String), &deployment.Watched)
	}
	return deployment, err
}

// Deployments returns the deployments of a cluster that overlap a span, oldest first. An empty
// cluster selects all.
func (r *Reader) Deployments(ctx context.Context, cluster string, span checks.Span) ([]checks.Deployment, error) {
	from, to := bounds(span)
	statement, args := ofCluster(selectDeployments, cluster, to, from)
	rows, err := r.pool.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, fmt.Errorf("reading deployments: %w", err)
	}
	defer rows.Close()
	var all []checks.Deployment
	for rows.Next() {
		var d checks.Deployment
		var started int64
		var ended sql.NullInt64
		var nodes []byte
		if err := rows.Scan(&d.Cluster, &d.Name, &started, &ended, &nodes); err != nil {
			return nil, fmt.Errorf("reading deployments: %w", err)
		}
		if err := json.Unmarshal(nodes, &d.Nodes); err != nil {
			return nil, fmt.Errorf("reading the nodes of deployment %q: %w", d.Name, err)
		}
		d.From = timeOf(started)
		if ended.Valid {
			d.To = timeOf(ended.Int64)
		}
		all = append(all, d)
	}
	return all, rows.Err()
}
