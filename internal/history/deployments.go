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
	all, err := queryAll(ctx, q, scanDeployment, selectAnnounced, at.Add(-alerting.EventMemory).UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("reading announced deployments: %w", err)
	}
	return all, nil
}

func scanDeployment(rows *sql.Rows, d *alerting.Deployment) error {
	var id int64
	var nodes, touched []byte
	var watched sql.NullString
	if err := rows.Scan(&id, &d.Cluster, &d.Name, (*unixMilli)(&d.From), (*unixMilli)(&d.To), &nodes, &touched, &d.CanariesLost,
		(*unixMilli)(&d.LastLost), &watched, (*unixMilli)(&d.Summed)); err != nil {
		return err
	}
	d.ID = strconv.FormatInt(id, 10)
	if err := decode(nodes, &d.Nodes); err != nil {
		return err
	}
	if err := decode(touched, &d.Touched); err != nil || !watched.Valid {
		return err
	}
	return decode([]byte(watched.String), &d.Watched)
}

// Deployments returns the deployments of a cluster that overlap a span, oldest first. An empty
// cluster selects all.
func (r *Reader) Deployments(ctx context.Context, cluster string, span checks.Span) ([]checks.Deployment, error) {
	from, to := bounds(span)
	statement, args := ofCluster(selectDeployments, cluster, to, from)
	all, err := queryAll(ctx, r.pool, func(rows *sql.Rows, d *checks.Deployment) error {
		var nodes []byte
		if err := rows.Scan(&d.Cluster, &d.Name, (*unixMilli)(&d.From), (*unixMilli)(&d.To), &nodes); err != nil {
			return err
		}
		return json.Unmarshal(nodes, &d.Nodes)
	}, statement, args...)
	if err != nil {
		return nil, fmt.Errorf("reading deployments: %w", err)
	}
	return all, nil
}
