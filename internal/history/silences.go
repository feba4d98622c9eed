package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"stickwatch/alerting"
)

// ErrNotFound says that there is no such silence or deployment.
var ErrNotFound = errors.New("not found")

// AddSilence keeps a silence, in place of the one that has its ID if there is
// one.
func (db *DB) AddSilence(ctx context.Context, s alerting.Silence) error {
	err := db.commitDurable(ctx, func(tx *sql.Tx) error { return putSilence(ctx, tx, s) })
	if err != nil {
		return fmt.Errorf("adding silence %q: %w", s.ID, err)
	}
	return nil
}

func putSilence(ctx context.Context, tx *sql.Tx, s alerting.Silence) error {
	body, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, upsertSilence, s.ID, s.From.UnixMilli(), s.To.UnixMilli(), string(body))
	return err
}

// Silences that are active at a time or will be, by their beginning.
func (r *Reader) Silences(ctx context.Context, at time.Time) ([]alerting.Silence, error) {
	found, err := queryJSON[alerting.Silence](ctx, r.pool, selectSilences, at.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("reading silences: %w", err)
	}
	return found, nil
}

// ExpireSilence ends a silence at a time, which is before its own end or changes
// nothing. ErrNotFound: there is none with that id.
func (db *DB) ExpireSilence(ctx context.Context, id string, at time.Time) error {
	err := db.commitDurable(ctx, func(tx *sql.Tx) error {
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
