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

// A Recovery describes the damage of a history and the rows that were saved from it.
type Recovery struct {
	Kept   string           // path of the damaged file
	Detail string           // the first problem found
	Saved  map[string]int64 // number of saved rows by table
	Lost   []string         // tables with missing rows
}

// summary returns the saved rows and the incomplete tables in one line.
func (r *Recovery) summary() string {
	text := cmp.Or(strings.Join(r.Rows(), ", "), "nothing")
	if len(r.Lost) > 0 {
		text += "; rows are missing from: " + strings.Join(r.Lost, ", ")
	}
	return text
}

// Rows returns the number of saved rows of each table, such as "incidents 7".
func (r *Recovery) Rows() []string {
	var list []string
	for _, t := range salvageTables {
		if n := r.Saved[t.name]; n > 0 {
			list = append(list, fmt.Sprintf("%s %d", t.name, n))
		}
	}
	return list
}

// Recovery returns the recovery that Open made; nil: the history was intact.
func (db *DB) Recovery() *Recovery { return db.recovery }

// openOrRecover opens the history. If it is damaged, it starts a new one with the readable
// rows of the damaged file.
func openOrRecover(ctx context.Context, c Config) (*DB, error) {
	db, err := openReadable(ctx, c)
	damaged, ok := errors.AsType[*damagedError](err)
	if !ok {
		return db, err
	}
	r, failure := c.recover(ctx, damaged)
	if failure != nil {
		return nil, fmt.Errorf("%w; starting a new one instead: %w", err, failure)
	}
	if db, err = openReadable(ctx, c); err != nil {
		return nil, err
	}
	db.recovery = r
	c.Logger.Error("the history was damaged: started a new one", "damage", r.Detail, "kept", r.Kept, "saved", r.summary())
	return db, nil
}

// openReadable opens the history and checks that a daemon can restore its state. It reports
// every kind of damage as a damagedError.
func openReadable(ctx context.Context, c Config) (*DB, error) {
	if err := errors.Join(checkHeader(c.Path), c.checkIntegrity(ctx)); err != nil {
		return nil, err
	}
	db, err := openLocked(ctx, c)
	if err != nil {
		return nil, asDamage(c.Path, err)
	}
	if err := db.checkReadable(ctx); err != nil {
		return nil, errors.Join(asDamage(c.Path, err), db.Close(ctx))
	}
	return db, nil
}

// checkIntegrity runs SQLite's integrity check. It runs before any write, because other
// operations on a damaged file fail with less precise errors.
func (c Config) checkIntegrity(ctx context.Context) error {
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

// An undecodableError is the error of a row with invalid content.
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

// checkReadable checks that the state of the daemon can be decoded. SQLite's check covers the
// structure of the file, but not the content of rows.
func (db *DB) checkReadable(ctx context.Context) error {
	if _, err := db.restore(ctx); err != nil {
		return err
	}
	var broken int64
	if err := db.pool.QueryRowContext(ctx, countBroken).Scan(&broken); err != nil {
		return err
	}
	if broken > 0 {
		return undecodableError{fmt.Errorf("%d incidents and notifications are not valid JSON", broken)}
	}
	recent := db.config.Now().Add(-alerting.FlapWindow)
	if _, err := queryJSON[alerting.Incident](ctx, db.pool, selectRecentIncidents, recent.UnixMilli()); err != nil {
		return err
	}
	_, err := queryJSON[alerting.Notification](ctx, db.pool, selectPendingNotifications)
	return err
}

// asDamage converts errors about the content of the file to a damagedError. Locks,
// permissions, a full disk and I/O errors are not damage.
func asDamage(path string, err error) error {
	_, undecodable := errors.AsType[undecodableError](err)
	if undecodable || is(err, sqlite3.SQLITE_CORRUPT) || is(err, sqlite3.SQLITE_NOTADB) {
		return &damagedError{Path: path, Detail: err.Error(), Backup: newestBackup(path)}
	}
	return err
}

// magic is the start of every SQLite file.
const magic = "SQLite format 3\x00"

// checkHeader checks the fields of the file header that SQLite would not report as damage. See
// https://sqlite.org/fileformat.html#the_database_header.
func checkHeader(path string) error {
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
			return &damagedError{Path: path, Detail: "the file is empty", Backup: newestBackup(path)}
		}
		return nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("reading the history: %w", err)
	}
	size := binary.BigEndian.Uint16(header[16:])
	sound := string(header[:len(magic)]) == magic && (size == 1 || size >= 512 && size&(size-1) == 0) &&
		slices.Contains([]byte{1, 2}, header[18]) && slices.Contains([]byte{1, 2}, header[19]) &&
		bytes.Equal(header[21:24], []byte{64, 32, 32}) && // payload fractions, which are constants
		binary.BigEndian.Uint32(header[44:]) <= 4 && binary.BigEndian.Uint32(header[56:]) <= 3
	if !sound {
		return &damagedError{Path: path, Detail: "its header is not one of SQLite's", Backup: newestBackup(path)}
	}
	return nil
}

// recover moves the damaged history aside and puts a new one in its place.
func (c Config) recover(ctx context.Context, damaged *damagedError) (*Recovery, error) {
	fresh, kept := c.Path+".new", unusedPath(c.Path+afterDamage+c.Now().UTC().Format("20060102T150405Z"))
	if err := removeFiles(fresh); err != nil {
		return nil, err
	}
	r := &Recovery{Kept: kept, Detail: damaged.Detail, Saved: make(map[string]int64)}
	if err := c.salvage(ctx, fresh, r); err != nil {
		return nil, errors.Join(err, removeFiles(fresh))
	}
	// The journal of the damaged file must not be applied to the new file.
	err := errors.Join(ignoreNotExist(os.Rename(c.Path+"-wal", kept+"-wal")), ignoreNotExist(os.Remove(c.Path+"-shm")))
	if err != nil {
		return nil, fmt.Errorf("moving the damaged history aside: %w", err)
	}
	if err := os.Link(c.Path, kept); err != nil { // the file system has no hard links
		if err := os.Rename(c.Path, kept); err != nil {
			return nil, fmt.Errorf("moving the damaged history aside: %w", err)
		}
	}
	if err := os.Rename(fresh, c.Path); err != nil {
		return nil, fmt.Errorf("putting a new history in its place: %w", err)
	}
	return r, nil
}

// unusedPath returns path, with a number appended if the file exists.
func unusedPath(path string) string {
	free := path
	for n := 2; ; n++ {
		if _, err := os.Lstat(free); errors.Is(err, fs.ErrNotExist) {
			return free
		}
		free = fmt.Sprintf("%s-%d", path, n)
	}
}

// ignoreNotExist returns err unless it means that a file does not exist.
func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// removeFiles removes a database and its journal.
func removeFiles(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := ignoreNotExist(os.Remove(path + suffix)); err != nil {
			return fmt.Errorf("removing %q: %w", path+suffix, err)
		}
	}
	return nil
}
