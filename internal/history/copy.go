package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"stickwatch/checks"
)

// A Copied counts the rows that a copy wrote, by table.
type Copied map[string]int64

// errOwnRows is the error of a copy to a history that has rows of its own. Notifications that it has
// delivered would become pending again.
var errOwnRows = errors.New("it has rows of its own: name an empty history, or one that only `history copy` has written")

// Copy copies the history at from to that at to, which may be of the other engine. A daemon may write
// the first one, and none may use the second one, which is created if missing. A copy that ended
// early, or after which the daemon went on, is continued by the next one: it reads the events again,
// and of the measurements those that are new. The last copy, after the daemon has stopped, is exact.
func Copy(ctx context.Context, from, to string, progress func(Copied)) (Copied, error) {
	source, err := OpenReader(ctx, from)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	target, err := open(ctx, Config{Path: to})
	if err != nil {
		return nil, err
	}
	c := copier{from: source, to: target, copied: make(Copied), progress: progress}
	if err := errors.Join(c.copy(ctx), target.Close(ctx)); err != nil {
		return c.copied, fmt.Errorf("copying %q to %q: %w", source.path, target.path, err)
	}
	return c.copied, nil
}

// A copier copies one history to another.
type copier struct {
	from     *Reader
	to       *DB
	copied   Copied
	progress func(Copied) // called after each transaction
}

// copyPage is the number of rows in one transaction.
const copyPage = 2000

func (c *copier) copy(ctx context.Context) error {
	if err := c.begin(ctx); err != nil {
		return err
	}
	if err := c.rows(ctx); err != nil {
		return err
	}
	return c.mark(ctx, copyComplete)
}

// rows copies the rows of all tables.
func (c *copier) rows(ctx context.Context) error {
	for _, table := range eventTables {
		if err := c.events(ctx, table); err != nil {
			return fmt.Errorf("%s: %w", table.name, err)
		}
	}
	all, err := targets(ctx, c.from.pool, selectTargets)
	if err != nil {
		return fmt.Errorf("targets: %w", err)
	}
	for _, t := range all {
		if err := c.measurements(ctx, t); err != nil {
			return fmt.Errorf("%s %q of %q: %w", t.Kind, t.Name, t.Cluster, err)
		}
	}
	return nil
}

// copyMark is the counter of a history that only copies have written. The daemon deletes it.
const copyMark = "history_copy"

// The values of copyMark.
const (
	copyIncomplete = 1 // a copy is running, or was interrupted
	copyComplete   = 2
)

func (c *copier) mark(ctx context.Context, state float64) error {
	return c.to.SaveCounters(ctx, map[string]float64{copyMark: state})
}

// begin marks a history as incomplete, and refuses one with rows of a daemon.
func (c *copier) begin(ctx context.Context) error {
	var marks, rows int
	err := c.to.pool.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM counters WHERE name = ?),
	(SELECT COUNT(*) FROM targets) + (SELECT COUNT(*) FROM incidents) + (SELECT COUNT(*) FROM counters)`, copyMark).Scan(&marks, &rows)
	switch {
	case err != nil:
		return err
	case marks == 0 && rows > 0:
		return errOwnRows
	}
	return c.mark(ctx, copyIncomplete)
}

// An incompleteCopyError is the error of a history that a copy has not written completely.
type incompleteCopyError struct{ Path string }

func (e *incompleteCopyError) Error() string {
	return fmt.Sprintf("the copy to %q is incomplete: run `stickwatch history copy FROM TO` again until it ends, or configure another history", e.Path)
}

// adopt makes a complete copy the history of a daemon, so that no further copy can change it.
func (db *DB) adopt(ctx context.Context) error {
	all, err := queryMap[float64](ctx, db.pool, selectCounters)
	if err != nil {
		return err
	}
	if all[copyMark] == copyIncomplete {
		return &incompleteCopyError{Path: db.path}
	}
	_, err = db.exec(ctx, deleteCounter, copyMark)
	return err
}

// An eventTable is a table without measurements.
type eventTable struct {
	name    string
	keys    []string // columns of the primary key, in its order
	columns []string // the others
	grows   bool     // rows are added and never changed
	serial  bool     // the key is a number that the database assigns
}

// eventTables are in the order of references: incidents precede their clusters.
var eventTables = []eventTable{
	{"incidents", []string{"id"}, []string{"cluster", "state", "started", "fired", "ended", "body"}, false, false},
	{"incident_clusters", []string{"incident", "cluster"}, nil, false, false},
	{"notices", []string{"seq"}, []string{"id", "receiver", "incident", "state", "at", "due", "leased", "attempts", "reason", "body"}, false, true},
	{"threads", []string{"receiver", "incident"}, []string{"thread", "at"}, false, false},
	{"silences", []string{"id"}, []string{"starts", "ends", "body"}, false, false},
	{"deployments", []string{"id"}, []string{"cluster", "name", "started", "ended", "nodes", "touched", "lost", "last_lost", "watched", "summed"}, false, true},
	{"standing", []string{"cluster"}, []string{"body"}, false, false},
	{"node_lists", []string{"cluster"}, []string{"at", "body"}, false, false},
	{"counters", []string{"name"}, []string{"value"}, false, false},
	{"moves", []string{"id"}, []string{"cluster", "at", "origin", "dest", "kept", "session", "cause", "message"}, true, true},
	{"changes", []string{"id"}, []string{"cluster", "at", "body"}, true, true},
	{"placements", []string{"cluster", "balancer", "owner", "since"}, []string{"until", "node", "outcome"}, false, false},
}

// events copies the rows of a table in pages.
func (c *copier) events(ctx context.Context, table eventTable) error {
	var after []any // the key of the last copied row; nil: none
	if table.grows {
		var last sql.NullInt64
		if err := c.to.pool.QueryRowContext(ctx, fmt.Sprintf(`SELECT MAX(%s) FROM %s`, table.keys[0], table.name)).Scan(&last); err != nil {
			return err
		}
		after = []any{last.Int64}
	}
	for {
		rows, err := scanAll(ctx, c.from.pool, table.selectPage(after != nil), len(table.keys)+len(table.columns), append(after, copyPage)...)
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := c.insertEvents(ctx, table, rows); err != nil {
			return err
		}
		after = rows[len(rows)-1][:len(table.keys):len(table.keys)]
		c.count(table.name, len(rows))
	}
}

func (c *copier) insertEvents(ctx context.Context, table eventTable, rows [][]any) error {
	return c.to.engine.commit(ctx, false, func(tx *transaction) error {
		insert, err := tx.PrepareContext(ctx, table.upsert(c.to.engine.explicitIDs()))
		if err != nil {
			return err
		}
		defer insert.Close()
		for _, row := range rows {
			if row[0] == copyMark {
				continue // of an original that is itself a copy
			}
			if _, err := insert.ExecContext(ctx, row...); err != nil {
				return err
			}
		}
		if !table.serial {
			return nil
		}
		return c.to.engine.continueSerial(ctx, tx, table.name, table.keys[0])
	})
}

// selectPage selects the rows after a key, or the first ones.
func (t eventTable) selectPage(after bool) string {
	keys, where := strings.Join(t.keys, ", "), ""
	if after {
		where = fmt.Sprintf(" WHERE (%s) > (%s)", keys, placeholders(len(t.keys)))
	}
	return fmt.Sprintf(`SELECT %s FROM %s%s ORDER BY %s LIMIT ?`, t.list(), t.name, where, keys)
}

// upsert inserts a row or replaces the one with the same key.
func (t eventTable) upsert(explicitIDs string) string {
	action := "NOTHING"
	if len(t.columns) > 0 {
		set := make([]string, len(t.columns))
		for i, column := range t.columns {
			set[i] = column + " = excluded." + column
		}
		action = "UPDATE SET " + strings.Join(set, ", ")
	}
	return fmt.Sprintf(`INSERT INTO %s (%s) %s VALUES (%s) ON CONFLICT (%s) DO %s`,
		t.name, t.list(), explicitIDs, placeholders(len(t.keys)+len(t.columns)), strings.Join(t.keys, ", "), action)
}

// list returns the columns of a row, first its key.
func (t eventTable) list() string {
	return strings.Join(append(t.keys[:len(t.keys):len(t.keys)], t.columns...), ", ")
}

func placeholders(n int) string { return strings.Repeat("?, ", n-1) + "?" }

// scanAll returns the rows of a query with a number of columns.
func scanAll(ctx context.Context, q queryer, query string, columns int, args ...any) ([][]any, error) {
	return queryAll(ctx, q, func(rows *sql.Rows, row *[]any) error {
		*row = make([]any, columns)
		into := make([]any, columns)
		for i := range into {
			into[i] = &(*row)[i]
		}
		return rows.Scan(into...)
	}, query, args...)
}

// copyAgain is the length of the newest measurements that are copied again, because samples may have
// arrived late and sums may have been computed again.
var copyAgain = [levels]int64{units[hours], units[hours], 2 * units[days], 2 * units[days]}

// measurements copies a target with its rows of all levels.
func (c *copier) measurements(ctx context.Context, of *target) error {
	own, err := c.target(ctx, of)
	if err != nil {
		return err
	}
	for level := range levels {
		var last sql.NullInt64
		err := c.to.pool.QueryRowContext(ctx, fmt.Sprintf(`SELECT MAX(ts) FROM %s WHERE target = ?`, tables[level]), own).Scan(&last)
		if err != nil {
			return err
		}
		from := of.since[level]
		if last.Valid {
			// The original has deleted older rows since the previous copy.
			if _, err := c.to.exec(ctx, deleteBuckets[level], own, from/units[level]); err != nil {
				return err
			}
			from = max(from, level.floor(last.Int64*units[level]-copyAgain[level]))
		}
		if err := c.level(ctx, level, of.id, own, from/units[level]); err != nil {
			return fmt.Errorf("%s: %w", tables[level], err)
		}
	}
	return nil
}

// target stores a target with the progress of its sums, and returns its id in the new history.
func (c *copier) target(ctx context.Context, of *target) (id int64, err error) {
	found := c.to.targets[checks.Target{Cluster: of.Cluster, Kind: of.Kind, Name: of.Name}]
	err = c.to.engine.commit(ctx, false, func(tx *transaction) error {
		own := *of
		if found == nil {
			err := own.insert(ctx, tx)
			id = own.id
			return err
		}
		own.id, id = found.id, found.id
		return own.update(ctx, tx)
	})
	return id, err
}

// level copies the rows of a level from a bucket on, in pages, and replaces those that are there.
func (c *copier) level(ctx context.Context, l level, of, own, from int64) error {
	for {
		rows, err := scanAll(ctx, c.from.pool, selectPage[l], len(l.columns()), of, from, copyPage)
		if err != nil || len(rows) == 0 {
			return err
		}
		begin, end := from*units[l], (rows[len(rows)-1][0].(int64)+1)*units[l]
		err = c.to.engine.commit(ctx, false, func(tx *transaction) error {
			if _, err := tx.ExecContext(ctx, fmt.Sprintf(`DELETE FROM %s WHERE target = ? AND ts >= ?`, tables[l]), own, from); err != nil {
				return err
			}
			if err := tx.engine.partition(ctx, tx, l, max(begin, rows[0][0].(int64)*units[l]), end); err != nil {
				return err
			}
			return tx.engine.insertRows(ctx, tx, l, own, rows)
		})
		if err != nil {
			return err
		}
		from = end / units[l]
		c.count(tables[l], len(rows))
	}
}

func (c *copier) count(table string, rows int) {
	c.copied[table] += int64(rows)
	if c.progress != nil {
		c.progress(c.copied)
	}
}
