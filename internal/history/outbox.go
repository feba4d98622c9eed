package history

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"stickwatch/alerting"
	"stickwatch/probes"
)

// The outbox is a table of pending notifications. A delivery worker claims a notification with
// a lease; if the worker dies, the lease expires and another worker claims it. All changes are
// durable: an attempt that a power failure erased could be repeated without a check for a
// duplicate.

// putNotification adds a notification that is due at once. now is earlier than its time if
// the clock was set meanwhile.
func putNotification(ctx context.Context, tx *transaction, n alerting.Notification, now time.Time) error {
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	at := n.At.UnixMilli()
	_, err = tx.ExecContext(ctx, insertNotification, n.ID, n.Receiver, n.Incident.ID, at, n.Receiver, n.Incident.ID, min(at, now.UnixMilli()), n.Attempts, string(body))
	return err
}

// inFlightGrace is how long an attempt of a dead process may still be in progress. A receiver
// may show a notification late, so an earlier check could miss it and send it twice.
const inFlightGrace = 15 * time.Second

// releaseClaims shortens the claims of the previous process, so that its notifications do not
// wait for the full lease. Notifications that are due later than after the longest pause
// were postponed when the clock was ahead.
func (db *DB) releaseClaims(ctx context.Context) error {
	return db.commitDurable(ctx, func(tx *transaction) error {
		now := db.config.Now()
		at, late := now.Add(inFlightGrace).UnixMilli(), now.Add(alerting.MaxReceiverPause).UnixMilli()
		if _, err := tx.ExecContext(ctx, releaseNotifications, at, at); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, advanceNotifications, at, late)
		return err
	})
}

// Claim claims the notification of a receiver that has been due for the longest, unless an
// earlier one of the same incident is pending. The lease begins now. ok is false if there is
// none. The result includes the number of attempts, counting this one, and the thread of the
// incident.
func (db *DB) Claim(ctx context.Context, receiver string, now time.Time, lease time.Duration) (n alerting.Notification, ok bool, err error) {
	// Most calls find nothing. Checking first avoids an fsync.
	if waiting, err := db.claimable(ctx, receiver, now); err != nil || !waiting {
		return n, false, err
	}
	err = db.commitDurable(ctx, func(tx *transaction) error {
		n, ok, err = claim(ctx, tx, receiver, now.UnixMilli(), now.Add(lease).UnixMilli())
		if err == nil && ok && !db.leases.unfenced() {
			_, err = tx.ExecContext(ctx, setClaimer, db.leases.instance, n.ID)
		}
		return err
	})
	if err != nil {
		return alerting.Notification{}, false, fmt.Errorf("claiming a notification for %q: %w", receiver, err)
	}
	return n, ok, nil
}

func (db *DB) claimable(ctx context.Context, receiver string, now time.Time) (bool, error) {
	var seq int64
	at := now.UnixMilli()
	err := db.pool.QueryRowContext(ctx, selectClaimable, receiver, at, at).Scan(&seq)
	if noRows(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("searching for a notification for %q: %w", receiver, err)
	}
	return true, nil
}

func claim(ctx context.Context, tx *transaction, receiver string, now, until int64) (notification alerting.Notification, ok bool, err error) {
	var attempts int
	var body []byte
	err = tx.QueryRowContext(ctx, fmt.Sprintf(claimNotification, tx.engine.rowLock()), until, receiver, now, now).Scan(&attempts, &body)
	if noRows(err) {
		return notification, false, nil
	}
	if err != nil {
		return notification, false, err
	}
	if err := json.Unmarshal(body, &notification); err != nil {
		return notification, false, err
	}
	notification.Attempts = attempts
	err = tx.QueryRowContext(ctx, selectThread, receiver, notification.Incident.ID).Scan(&notification.Thread)
	if err != nil && !noRows(err) {
		return notification, false, err
	}
	return notification, true, nil
}

// Delivered removes a notification from the outbox, and stores the thread of its delivery
// reference for later notifications of the incident. It ignores unknown and delivered
// notifications.
func (db *DB) Delivered(ctx context.Context, id string, deliveryRef alerting.DeliveryRef) error {
	err := db.commitDurable(ctx, func(tx *transaction) error { return db.deliver(ctx, tx, id, deliveryRef) })
	if err != nil {
		return fmt.Errorf("recording the delivery of %q: %w", id, err)
	}
	return nil
}

func (db *DB) deliver(ctx context.Context, tx *transaction, id string, deliveryRef alerting.DeliveryRef) error {
	var receiver, incident string
	err := tx.QueryRowContext(ctx, deliverNotification, id).Scan(&receiver, &incident)
	if noRows(err) {
		return nil
	}
	if err != nil || deliveryRef.Thread == "" {
		return err
	}
	_, err = tx.ExecContext(ctx, upsertThread, receiver, incident, deliveryRef.Thread, db.config.Now().UnixMilli())
	return err
}

// Retry postpones a notification, and those that wait for it, and ends its claim.
func (db *DB) Retry(ctx context.Context, id string, at time.Time, reason string) error {
	due := at.UnixMilli()
	return db.release(ctx, id, func(tx *transaction) error {
		if _, err := tx.ExecContext(ctx, retryLater, due, due, id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, retryNotification, due, probes.Clean(reason, probes.MaxError), id)
		return err
	})
}

// DeadLetter moves a notification to the dead letters, so that later notifications of its
// incident no longer wait for it.
func (db *DB) DeadLetter(ctx context.Context, id, reason string) error {
	return db.release(ctx, id, func(tx *transaction) error { return markDead(ctx, tx, id, reason) })
}

func markDead(ctx context.Context, tx *transaction, id, reason string) error {
	_, err := tx.ExecContext(ctx, markNotificationDead, probes.Clean(reason, probes.MaxError), id)
	return err
}

// SkipToResolved skips a notification, and those that wait for it, if the last one reports the end
// of the incident. Only the last one stays pending. Otherwise it changes nothing.
func (db *DB) SkipToResolved(ctx context.Context, id string) (skipped bool, err error) {
	err = db.release(ctx, id, func(tx *transaction) error {
		var last int64
		var body []byte
		err := tx.QueryRowContext(ctx, selectLastPending, id).Scan(&last, &body)
		if noRows(err) {
			return nil
		}
		if err != nil {
			return err
		}
		var n alerting.Notification
		if err := json.Unmarshal(body, &n); err != nil {
			return err
		}
		if n.ID == id || n.Kind != alerting.NotificationResolved {
			return nil
		}
		skipped = true
		_, err = tx.ExecContext(ctx, skipNotifications, last, id)
		return err
	})
	return skipped && err == nil, err
}

// release ends a claim of this process. If another instance has claimed the notification since, it
// changes nothing.
func (db *DB) release(ctx context.Context, id string, work func(*transaction) error) error {
	err := db.commitDurable(ctx, func(tx *transaction) error {
		if !db.leases.unfenced() {
			var seq int64
			switch err := tx.QueryRowContext(ctx, lockClaim, id, db.leases.instance).Scan(&seq); {
			case noRows(err):
				return nil
			case err != nil:
				return err
			}
		}
		return work(tx)
	})
	if err != nil {
		return fmt.Errorf("releasing notification %q: %w", id, err)
	}
	return nil
}

// Pending returns the number of pending notifications by receiver.
func (r *Reader) Pending(ctx context.Context) (map[string]int, error) {
	counts, err := queryMap[int](ctx, r.pool, countPending)
	if err != nil {
		return nil, fmt.Errorf("counting notifications: %w", err)
	}
	return counts, nil
}

// A ThreadState is the delivery state of an incident for one receiver.
type ThreadState struct {
	Thread string // thread of the incident at the receiver; "": none
	Waits  bool   // a notification is pending
}

// ThreadState returns the delivery state of incidents for a receiver, by incident.
func (r *Reader) ThreadState(ctx context.Context, receiver string, incidents []string) (map[string]ThreadState, error) {
	known := make(map[string]ThreadState)
	for part := range slices.Chunk(incidents, maxParameters) {
		if err := r.threadState(ctx, receiver, part, known); err != nil {
			return nil, fmt.Errorf("reading the state of %d incidents at %q: %w", len(incidents), receiver, err)
		}
	}
	return known, nil
}

func (r *Reader) threadState(ctx context.Context, receiver string, incidents []string, known map[string]ThreadState) error {
	args := []any{receiver}
	for _, i := range incidents {
		args = append(args, i)
	}
	in := placeholders(len(incidents))
	return eachRow(ctx, r.pool, func(rows *sql.Rows) error {
		var incident, thread string
		var waits bool
		if err := rows.Scan(&incident, &thread, &waits); err != nil {
			return err
		}
		c := known[incident]
		known[incident] = ThreadState{Thread: cmp.Or(c.Thread, thread), Waits: c.Waits || waits}
		return nil
	}, fmt.Sprintf(selectThreadState, in, in), append(args, args...)...)
}

// A DeadLetter is a notification that could not be delivered.
type DeadLetter struct {
	alerting.Notification
	Reason string
}

// DeadLetters returns the newest dead letters, newest first.
func (r *Reader) DeadLetters(ctx context.Context, limit int) ([]DeadLetter, error) {
	all, err := queryAll(ctx, r.pool, func(rows *sql.Rows, d *DeadLetter) error {
		var attempts int
		var body []byte
		if err := rows.Scan(&attempts, &d.Reason, &body); err != nil {
			return err
		}
		err := json.Unmarshal(body, &d.Notification)
		d.Attempts = attempts
		return err
	}, selectDead, clampLimit(limit))
	if err != nil {
		return nil, fmt.Errorf("reading dead letters: %w", err)
	}
	return all, nil
}

// noRows reports whether err means that a query returned no row.
func noRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }
