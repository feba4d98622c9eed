package history

import (
	"context"
	"encoding/json"
	"fmt"

	"stickwatch/checks"
)

// Moves of a cluster's sessions, "" for all, in a span: the newest first, and no
// more than limit; 0: 10000, which is the most.
func (r *Reader) Moves(ctx context.Context, cluster string, span checks.Span, limit int) ([]checks.Move, error) {
	from, to := bounds(span)
	rows, err := r.pool.QueryContext(ctx, selectMoves, cluster, cluster, from, to, clampLimit(limit))
	if err != nil {
		return nil, fmt.Errorf("reading moves: %w", err)
	}
	defer rows.Close()
	var all []checks.Move
	for rows.Next() {
		var m checks.Move
		var at int64
		var cause []byte
		if err := rows.Scan(&m.Cluster, &at, &m.From, &m.To, &m.Kept, &m.Session, &cause); err != nil {
			return nil, fmt.Errorf("reading moves: %w", err)
		}
		if err := json.Unmarshal(cause, &m.Cause); err != nil {
			return nil, fmt.Errorf("reading why %s moved: %w", m.Session, err)
		}
		m.At = timeOf(at)
		all = append(all, m)
	}
	return all, rows.Err()
}

// Changes to a cluster's findings, "" for all, in a span: the newest first, and no
// more than limit; 0: 10000, which is the most.
func (r *Reader) Changes(ctx context.Context, cluster string, span checks.Span, limit int) ([]Change, error) {
	from, to := bounds(span)
	rows, err := r.pool.QueryContext(ctx, selectChanges, cluster, cluster, from, to, clampLimit(limit))
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
