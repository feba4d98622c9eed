package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// A State is the state that a daemon restores at its start.
type State struct {
	Incidents      []alerting.Incident               // not resolved, oldest first
	ActiveFindings map[string][]checks.ActiveFinding // by cluster
	Silences       []alerting.Silence                // active and future ones
	Announced      []alerting.Deployment             // see Reader.Announced
	Counters       map[string]float64
}

// Restore returns the last saved state as one consistent snapshot.
func (db *DB) Restore(ctx context.Context) (State, error) {
	s, err := db.restore(ctx)
	if err != nil {
		return State{}, fmt.Errorf("restoring the state: %w", err)
	}
	return s, nil
}

func (db *DB) restore(ctx context.Context) (state State, err error) {
	err = db.inSnapshot(ctx, func(tx *sql.Tx) error {
		if state.Incidents, err = queryJSON[alerting.Incident](ctx, tx, selectOpenIncidents); err != nil {
			return err
		}
		if state.Silences, err = queryJSON[alerting.Silence](ctx, tx, selectSilences, db.config.Now().UnixMilli()); err != nil {
			return err
		}
		if state.Announced, err = announced(ctx, tx, db.config.Now()); err != nil {
			return err
		}
		if state.ActiveFindings, err = queryByCluster[checks.ActiveFinding](ctx, tx, selectActiveFindings); err != nil {
			return err
		}
		state.Counters, err = queryMap[float64](ctx, tx, selectCounters)
		return err
	})
	return state, err
}

// queryByCluster reads the lists that upsertByCluster writes.
func queryByCluster[T any](ctx context.Context, q queryer, query string) (map[string][]T, error) {
	bodies, err := queryMap[[]byte](ctx, q, query)
	if err != nil {
		return nil, err
	}
	all := make(map[string][]T)
	for cluster, body := range bodies {
		var list []T
		if err := decode(body, &list); err != nil {
			return nil, err
		}
		if len(list) > 0 {
			all[cluster] = list
		}
	}
	return all, nil
}

// exec runs a statement in a transaction of its own and returns the number of changed rows.
func (db *DB) exec(ctx context.Context, statement string, args ...any) (changed int64, err error) {
	err = db.engine.commit(ctx, false, func(tx *transaction) error {
		result, err := tx.ExecContext(ctx, statement, args...)
		if err != nil {
			return err
		}
		changed, err = result.RowsAffected()
		return err
	})
	return changed, err
}

// SaveCounters saves counters. It keeps saved counters that are not in the map. It does not
// survive a power failure, because it is called about once a minute.
func (db *DB) SaveCounters(ctx context.Context, counters map[string]float64) error {
	err := db.engine.commit(ctx, false, func(tx *transaction) error {
		for name, value := range counters {
			if _, err := tx.ExecContext(ctx, upsertCounter, name, value); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("saving %d counters: %w", len(counters), err)
	}
	return nil
}

// ErrNotFound is the error of an unknown silence or deployment.
var ErrNotFound = errors.New("not found")

// AddSilence stores a silence. It replaces the silence with the same ID.
func (db *DB) AddSilence(ctx context.Context, s alerting.Silence) error {
	err := db.commitDurable(ctx, func(tx *transaction) error { return putSilence(ctx, tx, s) })
	if err != nil {
		return fmt.Errorf("adding silence %q: %w", s.ID, err)
	}
	return nil
}

func putSilence(ctx context.Context, tx *transaction, s alerting.Silence) error {
	body, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, upsertSilence, s.ID, s.From.UnixMilli(), s.To.UnixMilli(), string(body))
	return err
}

// Silences returns the silences that end after a moment, by their start.
func (r *Reader) Silences(ctx context.Context, at time.Time) ([]alerting.Silence, error) {
	found, err := queryJSON[alerting.Silence](ctx, r.pool, selectSilences, at.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("reading silences: %w", err)
	}
	return found, nil
}

// ExpireSilence ends a silence at a moment. It changes nothing if the silence ends earlier. It
// returns ErrNotFound if there is no silence with the id.
func (db *DB) ExpireSilence(ctx context.Context, id string, at time.Time) error {
	err := db.commitDurable(ctx, func(tx *transaction) error {
		found, err := queryJSON[alerting.Silence](ctx, tx, selectSilence, id)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return ErrNotFound
		}
		s := found[0]
		if !at.Before(s.To) {
			return nil
		}
		s.To = at
		return putSilence(ctx, tx, s)
	})
	if err != nil {
		return fmt.Errorf("expiring silence %q: %w", id, err)
	}
	return nil
}
