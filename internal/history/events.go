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

// Moves returns the session moves of a cluster in a span, newest first. An empty cluster
// selects all. A limit of 0 selects the maximum of 10000.
func (r *Reader) Moves(ctx context.Context, cluster string, span checks.Span, limit int) ([]checks.Move, error) {
	from, to := bounds(span)
	statement, args := ofCluster(selectMoves, cluster, from, to, clampLimit(limit))
	rows, err := r.pool.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, fmt.Errorf("reading moves: %w", err)
	}
	defer rows.Close()
	var all []checks.Move
	for rows.Next() {
		var m checks.Move
		var at int64
		var cause string
		var message sql.NullString
		if err := rows.Scan(&m.Cluster, &at, &m.From, &m.To, &m.Kept, &m.Session, &cause, &message); err != nil {
			return nil, fmt.Errorf("reading moves: %w", err)
		}
		m.Cause = checks.Quote(cause) // rows of earlier versions have only this text
		if message.Valid {
			if err := json.Unmarshal([]byte(message.String), &m.Cause); err != nil {
				return nil, fmt.Errorf("reading the cause of a move of %s: %w", m.Session, err)
			}
		}
		m.At = timeOf(at)
		all = append(all, m)
	}
	return all, rows.Err()
}

// Changes returns the changes of a cluster's findings in a span, newest first. An empty
// cluster selects all. A limit of 0 selects the maximum of 10000.
func (r *Reader) Changes(ctx context.Context, cluster string, span checks.Span, limit int) ([]Change, error) {
	from, to := bounds(span)
	statement, args := ofCluster(selectChanges, cluster, from, to, clampLimit(limit))
	rows, err := r.pool.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, fmt.Errorf("reading changes: %w", err)
	}
	defer rows.Close()
	var all []Change
	for rows.Next() {
		var c Change
		var body []byte
		if err := rows.Scan(&c.Cluster, &body); err != nil {
			return nil, fmt.Errorf("reading changes: %w", err)
		}
		if err := json.Unmarshal(body, &c.Change); err != nil {
			return nil, fmt.Errorf("reading changes: %w", err)
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

// Placements returns where the canaries of a cluster were served in a span, newest first. A
// limit of 0 selects the maximum of 10000.
func (r *Reader) Placements(ctx context.Context, cluster string, span checks.Span, limit int) ([]checks.Placement, error) {
	from, to := bounds(span)
	rows, err := r.pool.QueryContext(ctx, selectPlacements, cluster, from, to, clampLimit(limit))
	if err != nil {
		return nil, fmt.Errorf("reading placements: %w", err)
	}
	defer rows.Close()
	var all []checks.Placement
	for rows.Next() {
		var p checks.Placement
		var since, until int64
		if err := rows.Scan(&p.Cluster, &p.Balancer, &p.Owner, &since, &until, &p.Node, &p.Outcome); err != nil {
			return nil, fmt.Errorf("reading placements: %w", err)
		}
		p.Span = checks.Span{From: timeOf(since), To: timeOf(until)}
		all = append(all, p)
	}
	return all, rows.Err()
}

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

// CountMoves returns how many sessions of a cluster moved in a span, and how many of them were
// lost. Each session counts once.
func (r *Reader) CountMoves(ctx context.Context, cluster string, span checks.Span) (moved, lost int, err error) {
	from, to := bounds(span)
	if err := r.pool.QueryRowContext(ctx, countMoves, cluster, from, to).Scan(&moved, &lost); err != nil {
		return 0, 0, fmt.Errorf("counting moves of %q: %w", cluster, err)
	}
	return moved, lost, nil
}

// CountsOf returns the effects on the clients of a cluster in a span. A session that moved counts once.
// Of those that were lost on their own node, canaries of one node that lost theirs together count once,
// so the number of lost sessions is a lower bound. Longest is the longest period in which the
// balancer, or the canaries of one node, got no good response.
func (r *Reader) CountsOf(ctx context.Context, cluster string, span checks.Span) (alerting.Counts, error) {
	var c alerting.Counts
	var err error
	if c.Moved, c.Lost, err = r.CountMoves(ctx, cluster, span); err != nil {
		return c, err
	}
	inPlace := 0
	from, to := bounds(span)
	if err := r.pool.QueryRowContext(ctx, countLostInPlace, cluster, from, from, to).Scan(&inPlace); err != nil {
		return c, fmt.Errorf("counting lost sessions of %q: %w", cluster, err)
	}
	c.Lost += inPlace
	uptimes, err := r.Uptimes(ctx, cluster, span, checks.TargetBalancer, checks.TargetCanary)
	if err != nil {
		return c, err
	}
	for _, u := range uptimes {
		c.Longest = max(c.Longest, u.Longest)
	}
	return c, nil
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
