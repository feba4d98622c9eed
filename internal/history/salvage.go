package history

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// A salvageTable is a table and the key that orders its rows.
type salvageTable struct {
	name  string
	key   string                        // an integer column
	valid func(row map[string]any) bool // nil: check types only
}

// salvageTables are ordered by importance. The table incident_clusters is missing because it
// can be derived from incidents.
var salvageTables = []salvageTable{
	{"incidents", "rowid", decodes[alerting.Incident]},
	{"notices", "rowid", func(row map[string]any) bool {
		waits := row["state"] == "pending" || row["state"] == "dead" // others have an empty body
		return !waits || decodes[alerting.Notification](row)
	}},
	{"threads", "rowid", nil},
	{"silences", "rowid", decodes[alerting.Silence]},
	{"deployments", "rowid", nil},
	{"standing", "rowid", decodes[[]checks.ActiveFinding]},
	{"node_lists", "rowid", decodes[NodeList]},
	{"counters", "rowid", nil},
	{"targets", "rowid", nil},
	{"moves", "rowid", nil},
	{"changes", "rowid", decodes[checks.Change]},
	{"placements", "rowid", nil},
	{"days", "ts", nil},
	{"hours", "ts", nil},
	{"minutes", "ts", nil},
	{"samples", "ts", nil},
}

// decodes reports whether the body of a row is the JSON of a T.
func decodes[T any](row map[string]any) bool {
	var into T
	body, _ := row["body"].(string)
	return json.Unmarshal([]byte(body), &into) == nil
}

// salvageTime bounds the copying of measurements, because nothing is monitored meanwhile.
const salvageTime = 30 * time.Second

// salvage creates a new history at fresh from the readable rows of the damaged one. It has the
// schema of the damaged file; opening it migrates it.
func (c Config) salvage(ctx context.Context, fresh string, recovery *Recovery) error {
	newest, err := newestVersion(migrations())
	if err != nil {
		return err
	}
	if err := create(ctx, fresh, newest); err != nil {
		return err
	}
	from, version, end, err := openDamaged(ctx, c.Path, fresh)
	defer end()
	switch {
	case err != nil:
		return err
	case from == nil:
		recovery.Lost = []string{"every table"}
		return nil
	case version > newest:
		return newNewerError(c.Path, version, newest)
	case version == 0:
		version = newest
		recovery.Lost = append(recovery.Lost, "goose_db_version")
	case version < newest:
		if err := errors.Join(removeFiles(fresh), create(ctx, fresh, version)); err != nil {
			return err
		}
	}
	to, err := openWriter(fresh)
	if err != nil {
		return err
	}
	s := salvager{from: from, to: to, recovery: recovery, until: time.Now().Add(salvageTime)}
	for _, t := range salvageTables {
		if err := s.table(ctx, t); err != nil {
			return closeWith(to, fmt.Errorf("saving %s: %w", t.name, err))
		}
	}
	const withClusters = 4 // first schema version with the table
	if version >= withClusters {
		_, err = to.ExecContext(ctx, fillClusters)
	}
	return errors.Join(err, to.Close())
}

// create creates an empty history with a schema version.
func create(ctx context.Context, path string, version int64) (err error) {
	db, err := openWriter(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	p, err := provider(db, migrations())
	if err != nil {
		return err
	}
	if _, err := p.UpTo(ctx, version); err != nil {
		return fmt.Errorf("creating a new history: %w", err)
	}
	return nil
}

// openDamaged opens a damaged history for reading, and returns its schema version; 0: unknown.
// If the schema is unusable, it opens a copy with the header, the whole first page, or all pages
// of the schema of an empty history: tables that are created together have the same root pages.
// The pool is nil if nothing can be read.
func openDamaged(ctx context.Context, path, empty string) (from *sql.DB, version int64, end func(), err error) {
	scratch := path + ".salvage"
	end = func() {
		if from != nil {
			from.Close()
		}
		_ = removeFiles(scratch) // the user can remove a remaining file
	}
	whole, err := os.ReadFile(empty)
	if err != nil {
		return nil, 0, end, fmt.Errorf("reading an empty history: %w", err)
	}
	for _, borrowed := range [][]span{nil, {{0, headerSize}}, {{0, pageSize}}, schemaPages(whole)} {
		file := path
		if borrowed != nil {
			if err := patched(path, whole, scratch, borrowed); err != nil {
				return nil, 0, end, err
			}
			file = scratch
		}
		pool, err := openReaders(file, "writable_schema(1)", "cell_size_check(1)") // tolerate a wrong schema or size
		if err != nil {
			return nil, 0, end, err
		}
		pool.SetMaxOpenConns(1)
		var known int
		if err := pool.QueryRowContext(ctx, countTables).Scan(&known); err != nil || known == 0 {
			pool.Close()
			continue
		}
		if pool.QueryRowContext(ctx, selectVersion).Scan(&version) != nil {
			version = 0
		}
		return pool, version, end, nil
	}
	return nil, 0, end, nil
}

// Sizes in an SQLite file, in bytes.
const (
	headerSize = 100
	pageSize   = 4096
)

// A span is a part of a file, in bytes.
type span struct{ from, to int }

// schemaPages returns the pages of the schema of an SQLite file: the first one and, if that is an
// interior page, those it refers to (https://www.sqlite.org/fileformat.html#b_tree_pages).
func schemaPages(file []byte) []span {
	const interior, cells = 0x05, headerSize + 12
	list := []span{{0, pageSize}}
	if len(file) < pageSize || file[headerSize] != interior {
		return list
	}
	children := []uint32{binary.BigEndian.Uint32(file[headerSize+8:])}
	for i := range int(binary.BigEndian.Uint16(file[headerSize+3:])) {
		children = append(children, binary.BigEndian.Uint32(file[binary.BigEndian.Uint16(file[cells+2*i:]):]))
	}
	for _, page := range children {
		list = append(list, span{int(page-1) * pageSize, int(page) * pageSize})
	}
	return list
}

// patched copies a damaged file and replaces parts with those of an empty one, the header among them.
func patched(path string, empty []byte, scratch string, parts []span) error {
	if err := removeFiles(scratch); err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal"} {
		if err := copyFile(path+suffix, scratch+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	file, err := os.OpenFile(scratch, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("patching the copy: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("patching the copy: %w", err)
	}
	binary.BigEndian.PutUint32(empty[28:], uint32(info.Size()/pageSize))
	clear(empty[32:40]) // no free pages
	for _, part := range parts {
		if _, err := file.WriteAt(empty[part.from:part.to], int64(part.from)); err != nil {
			return fmt.Errorf("patching the copy: %w", err)
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// A salvager copies the readable rows of a damaged history.
type salvager struct {
	from, to *sql.DB
	recovery *Recovery
	until    time.Time // deadline for measurements
}

// table copies the rows of a table. It returns errors of the new history only.
func (s *salvager) table(ctx context.Context, table salvageTable) error {
	columns, err := columnsOf(ctx, s.to, table.name)
	if err != nil {
		return err
	}
	where, targets := "", []int64{0}
	if table.key == "ts" {
		where = "target = ? AND "
		if targets, err = queryColumn[int64](ctx, s.to, selectTargetIDs); err != nil {
			return err
		}
	}
	whole := true
	for _, target := range targets {
		all, err := s.rows(ctx, table, columns, where, target)
		if err != nil {
			return err
		}
		whole = whole && all
	}
	if !whole {
		s.recovery.Lost = append(s.recovery.Lost, table.name)
	}
	return nil
}

// rows copies all readable rows of a table. It skips unreadable keys in steps that double
// until a row can be read.
func (s *salvager) rows(ctx context.Context, t salvageTable, columns []tableColumn, where string, target int64) (whole bool, err error) {
	whole = true
	for from, step := int64(0), int64(1); step < 1<<48; {
		if t.key == "ts" && time.Now().After(s.until) {
			return false, ctx.Err()
		}
		last, n, unread, err := s.copy(ctx, t, columns, where, target, from)
		s.recovery.Saved[t.name] += n
		if err != nil || unread == nil {
			return whole, err
		}
		whole = false
		if last >= from {
			from, step = last+1, 1
		} else {
			from, step = from+step, 2*step
		}
	}
	return whole, nil
}

// copy copies rows from a key on until a row cannot be read. unread is the reason; nil: all
// rows were read. last is the key of the last row that was read.
func (s *salvager) copy(ctx context.Context, table salvageTable, columns []tableColumn, where string, target, from int64) (last, saved int64, unread, err error) {
	args := []any{from}
	if where != "" {
		args = []any{target, from}
	}
	last = from - 1
	list := columnList(columns)
	rows, unread := s.from.QueryContext(ctx, fmt.Sprintf("SELECT %s, %s FROM %s WHERE %s%s >= ? ORDER BY %s", table.key, list, table.name, where, table.key, table.key), args...)
	if unread != nil {
		return last, 0, unread, ctx.Err()
	}
	defer rows.Close()
	err = commitRelaxed(ctx, s.to, func(tx *sql.Tx) error {
		insert, err := tx.PrepareContext(ctx, fmt.Sprintf("INSERT OR IGNORE INTO %s (%s) VALUES (?%s)", table.name, list, strings.Repeat(", ?", len(columns)-1)))
		if err != nil {
			return err
		}
		defer insert.Close()
		values := make([]any, len(columns))
		into := []any{new(int64)}
		for i := range values {
			into = append(into, &values[i])
		}
		for rows.Next() {
			if unread = rows.Scan(into...); unread != nil {
				return nil
			}
			key := *into[0].(*int64)
			if key <= last {
				unread = errors.New("rows are out of order")
				return nil
			}
			last = key
			if !table.sound(columns, values) {
				s.markLost(table.name)
				continue
			}
			result, err := insert.ExecContext(ctx, values...)
			if err != nil {
				return err
			}
			n, err := result.RowsAffected()
			if err != nil {
				return err
			}
			saved += n
		}
		unread = rows.Err()
		return nil
	})
	return last, saved, unread, err
}

// markLost records that rows of a table are missing.
func (s *salvager) markLost(table string) {
	if !slices.Contains(s.recovery.Lost, table) {
		s.recovery.Lost = append(s.recovery.Lost, table)
	}
}

// A tableColumn is a column as SQLite declares it.
type tableColumn struct {
	name, kind string
	null       bool
}

func columnsOf(ctx context.Context, db *sql.DB, table string) ([]tableColumn, error) {
	return queryAll(ctx, db, func(rows *sql.Rows, c *tableColumn) error {
		return rows.Scan(&c.name, &c.kind, &c.null)
	}, `SELECT name, type, "notnull" = 0 FROM pragma_table_info(?)`, table)
}

func columnList(columns []tableColumn) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

// sound reports whether the values of a row match the column types, and whether its body is
// valid.
func (t salvageTable) sound(columns []tableColumn, values []any) bool {
	for i, c := range columns {
		ok := false
		switch v := values[i].(type) {
		case nil:
			ok = c.null
		case int64:
			ok = c.kind != "TEXT" && c.kind != "BLOB"
		case []byte:
			ok = c.kind == "BLOB"
		case float64:
			ok = c.kind == "REAL"
		case string:
			ok = c.kind == "TEXT" && utf8.ValidString(v)
		}
		if !ok {
			return false
		}
	}
	if t.valid == nil {
		return true
	}
	row := make(map[string]any)
	for i, c := range columns {
		row[c.name] = values[i]
	}
	return t.valid(row)
}
