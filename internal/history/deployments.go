package history

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"stickwatch/checks"
)

// LongestDeployment is when a deployment that nobody ends is over.
const LongestDeployment = 4 * time.Hour

// endDeployments ends those that nobody has ended in time.
func (db *DB) endDeployments(ctx context.Context, now time.Time) error {
	longest := LongestDeployment.Milliseconds()
	if _, err := db.writer.ExecContext(ctx, expireDeployments, longest, now.UnixMilli()-longest); err != nil {
		return fmt.Errorf("ending deployments that nobody ended: %w", err)
	}
	return nil
}

// BeginDeployment keeps a deployment that begins, and returns the id by which it
// is ended. Its To does not matter.
func (db *DB) BeginDeployment(ctx context.Context, d checks.Deployment) (id string, err error) {
	var row int64
	err = db.durably(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, insertDeployment, d.Cluster, d.Name, d.From.UnixMilli()).Scan(&row)
	})
	if err != nil {
		return "", fmt.Errorf("beginning deployment %q: %w", d.Name, err)
	}
	return strconv.FormatInt(row, 10), nil
}

// EndDeployment ends a deployment. ErrNotFound: none that goes on has that id.
func (db *DB) EndDeployment(ctx context.Context, id string, at time.Time) error {
	row, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return fmt.Errorf("ending deployment %q: %w", id, ErrNotFound)
	}
	err = db.durably(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, updateDeployment, at.UnixMilli(), row)
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

// Deployments of a cluster, "" for all, that went on in a span, oldest first.
func (r *Reader) Deployments(ctx context.Context, cluster string, span checks.Span) ([]checks.Deployment, error) {
	from, to := limits(span)
	rows, err := r.pool.QueryContext(ctx, selectDeployments, cluster, cluster, to, from)
	if err != nil {
		return nil, fmt.Errorf("reading deployments: %w", err)
	}
	defer rows.Close()
	var all []checks.Deployment
	for rows.Next() {
		var d checks.Deployment
		var started int64
		var ended sql.NullInt64
		if err := rows.Scan(&d.Cluster, &d.Name, &started, &ended); err != nil {
			return nil, fmt.Errorf("reading deployments: %w", err)
		}
		d.From = moment(started)
		if ended.Valid {
			d.To = moment(ended.Int64)
		}
		all = append(all, d)
	}
	return all, rows.Err()
}
