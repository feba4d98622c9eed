package history

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

	"stickwatch/alerting"
)

// A Recovery tells that the history was damaged when it was opened, and what a new
// one was begun with.
type Recovery struct {
	Kept   string           // path of the damaged file
	Detail string           // the first thing that was wrong with it
	Saved  map[string]int64 // rows by table
	Lost   []string         // tables that could not be read to their end
}

// Summary tells in a line what was saved, and of what something is missing.
func (r *Recovery) Summary() string {
	text := cmp.Or(strings.Join(r.Rows(), ", "), "nothing")
	if len(r.Lost) > 0 {
		text += "; rows are missing from: " + strings.Join(r.Lost, ", ")
	}
	return text
}

// Rows are the tables of which rows were saved, and how many: "incidents 7".
func (r *Recovery) Rows() []string {
	var list []string
	for _, t := range salvageTables {
		if n := r.Saved[t.name]; n > 0 {
			list = append(list, fmt.Sprintf("%s %d", t.name, n))
		}
	}
	return list
}

// Recovery tells what happened when the history was opened; nil: it was whole.
func (db *DB) Recovery() *Recovery { return db.recovery }

// openWhole opens the history, and in place of a damaged one a new one, with what
// can be read of the other.
func openWhole(ctx context.Context, c Config) (*DB, error) {
	db, err := openReadable(ctx, c)
	damaged, ok := errors.AsType[*DamagedError](err)
	if !ok {
		return db, err
	}
	r, failure := c.recover(ctx, damaged)
	if failure != nil {
		return nil, fmt.Errorf("%w; beginning a new one instead: %w", err, failure)
	}
	if db, err = openReadable(ctx, c); err != nil {
		return nil, err
	}
	db.recovery = r
	c.Logger.Error("the history was damaged: a new one was begun", "damage", r.Detail, "kept", r.Kept, "saved", r.Summary())
	return db, nil
}

// openReadable opens the history and makes sure that a daemon can go on from it.
// Every kind of damage is a DamagedError.
func openReadable(ctx context.Context, c Config) (*DB, error) {
	if err := errors.Join(headerFlaw(c.Path), c.flaw(ctx)); err != nil {
		return nil, err
	}
	db, err := openLocked(ctx, c)
	if err != nil {
		return nil, asDamage(c.Path, err)
	}
	if err := db.readable(ctx); err != nil {
		return nil, errors.Join(asDamage(c.Path, err), db.Close(ctx))
	}
	return db, nil
}

// flaw is what SQLite's own check finds. It comes before anything is written:
// whatever else is asked of a damaged file fails with less to say.
func (c Config) flaw(ctx context.Context) error {
	if size := fileBytes(c.Path); size == 0 || size >= c.largeFile {
		return nil
	}
	pool, err := openReaders(c.Path)
	if err != nil {
		return err
	}
	defer pool.Close()
	return verify(ctx, pool, c.Path, fullCheck)
}

// An undecodableError is a row whose content is not what was written.
type undecodableError struct{ err error }

func (e undecodableError) Error() string { return "a row cannot be decoded: " + e.err.Error() }

func (e undecodableError) Unwrap() error { return e.err }

// decode decodes the JSON of a row.
func decode(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return undecodableError{err}
	}
	return nil
}

// readable makes sure that what a daemon begins with can be decoded: SQLite's check
// looks at the structure, and not at what is written there.
func (db *DB) readable(ctx context.Context) error {
	if _, err := db.restore(ctx); err != nil {
		return err
	}
	var broken int64
	if err := db.pool.QueryRowContext(ctx, countBroken).Scan(&broken); err != nil {
		return err
	}
	if broken > 0 {
		return undecodableError{fmt.Errorf("%d incidents and notifications are no JSON", broken)}
	}
	recent := db.config.Now().Add(-alerting.FlapWindow)
	if _, err := queryJSON[alerting.Incident](ctx, db.pool, selectRecentIncidents, recent.UnixMilli()); err != nil {
		return err
	}
	_, err := queryJSON[alerting.Notification](ctx, db.pool, selectPendingNotifications)
	return err
}

// asDamage makes a DamagedError of an error that says that the content of the file
// is wrong. A lock, missing rights, a full disk and errors of the disk say nothing
// about the content.
func asDamage(path string, err error) error {
	_, undecodable := errors.AsType[undecodableError](err)
	if undecodable || is(err, sqlite3.SQLITE_CORRUPT) || is(err, sqlite3.SQLITE_NOTADB) {
		return &DamagedError{Path: path, Detail: err.Error(), Backup: newestBackup(path)}
	}
	return err
}

// magic begins every file of SQLite.
const magic = "SQLite format 3\x00"

// headerFlaw tells of a header that SQLite would not write, or would take for
// something else than damage. See https://sqlite.org/fileformat.html#the_database_header.
func headerFlaw(path string) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening the history: %w", err)
	}
	defer file.Close()
	header := make([]byte, 100)
	n, err := io.ReadFull(file, header)
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		if known(path) {
			return &DamagedError{Path: path, Detail: "the file is empty", Backup: newestBackup(path)}
		}
		return nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("reading the history: %w", err)
	}
	size := binary.BigEndian.Uint16(header[16:])
	sound := string(header[:len(magic)]) == magic && (size == 1 || size >= 512 && size&(size-1) == 0) &&
		slices.Contains([]byte{1, 2}, header[18]) && slices.Contains([]byte{1, 2}, header[19]) &&
		bytes.Equal(header[21:24], []byte{64, 32, 32}) && // fractions of a payload, which never change
		binary.BigEndian.Uint32(header[44:]) <= 4 && binary.BigEndian.Uint32(header[56:]) <= 3
	if !sound {
		return &DamagedError{Path: path, Detail: "its header is not one of SQLite's", Backup: newestBackup(path)}
	}
	return nil
}

// recover puts a new history in the place of a damaged one, which it keeps.
func (c Config) recover(ctx context.Context, damaged *DamagedError) (*Recovery, error) {
	fresh, kept := c.Path+".new", unused(c.Path+".damaged-"+c.Now().UTC().Format("20060102T150405Z"))
	if err := removeFiles(fresh); err != nil {
		return nil, err
	}
	r := &Recovery{Kept: kept, Detail: damaged.Detail, Saved: make(map[string]int64)}
	if err := c.salvage(ctx, fresh, r); err != nil {
		return nil, errors.Join(err, removeFiles(fresh))
	}
	// A journal of the damaged file must not be taken for one of the new file.
	err := errors.Join(ifThere(os.Rename(c.Path+"-wal", kept+"-wal")), ifThere(os.Remove(c.Path+"-shm")))
	if err != nil {
		return nil, fmt.Errorf("moving the damaged history aside: %w", err)
	}
	if err := os.Link(c.Path, kept); err != nil { // a file system without hard links
		if err := os.Rename(c.Path, kept); err != nil {
			return nil, fmt.Errorf("moving the damaged history aside: %w", err)
		}
	}
	if err := os.Rename(fresh, c.Path); err != nil {
		return nil, fmt.Errorf("putting a new history in its place: %w", err)
	}
	return r, nil
}

// unused is path, or with a number after it where there is a file of that name.
func unused(path string) string {
	free := path
	for n := 2; ; n++ {
		if _, err := os.Lstat(free); errors.Is(err, fs.ErrNotExist) {
			return free
		}
		free = fmt.Sprintf("%s-%d", path, n)
	}
}

// ifThere is an error, unless it says that there is no such file.
func ifThere(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// removeFiles removes a database with its journal.
func removeFiles(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := ifThere(os.Remove(path + suffix)); err != nil {
			return fmt.Errorf("removing %q: %w", path+suffix, err)
		}
	}
	return nil
}
