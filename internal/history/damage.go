package history

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A damagedError is the error of a file that SQLite cannot read completely. Its text lists the
// ways to recover.
type damagedError struct {
	Path   string
	Detail string // the first problem that SQLite found
	Backup string // path of the newest copy from before a migration; "": none
}

func (e *damagedError) Error() string {
	text := fmt.Sprintf("checking %q: the file is damaged (%s). Move it away together with its -wal and -shm files to start a new history, "+
		"or save the readable rows: sqlite3 %q .recover | sqlite3 %q",
		e.Path, e.Detail, e.Path, e.Path+".recovered")
	if e.Backup != "" {
		text += fmt.Sprintf("; the newest copy is %q", e.Backup)
	}
	return text
}

// A fileMissingError is the error of a file that was deleted or replaced while it is open. The
// operating system keeps the deleted file until it is closed.
type fileMissingError struct{ Path string }

func (e *fileMissingError) Error() string {
	return fmt.Sprintf("checking %q: the file was deleted or replaced while it was open. "+
		"New data is lost when stickwatch stops. Restart stickwatch: it continues with the existing file, or starts a new history",
		e.Path)
}

// A truncatedError is the error of a file that another program truncated while it is open.
type truncatedError struct {
	Path      string
	Got, Want int64 // bytes
}

func (e *truncatedError) Error() string {
	return fmt.Sprintf("checking %q: the file has %d bytes but its header requires at least %d, so another program has truncated it. "+
		"Restart stickwatch: it keeps the file and starts a new history with the readable rows", e.Path, e.Got, e.Want)
}

// checkLength returns an error if the file is shorter than its header says. It returns nil if
// the file cannot be read.
func checkLength(path string) *truncatedError {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil
	}
	var count [4]byte
	want := int64(headerSize)
	if _, err := file.ReadAt(count[:], 28); err == nil {
		want = max(want, pageSize*int64(binary.BigEndian.Uint32(count[:])))
	}
	if info.Size() >= want {
		return nil
	}
	return &truncatedError{Path: path, Got: info.Size(), Want: want}
}

// checkFile logs once that the file was deleted, replaced or truncated, and counts it as a write
// error.
func (e *sqliteEngine) checkFile() {
	if e.fileMissing {
		return
	}
	info, err := os.Stat(e.path)
	if err == nil && os.SameFile(info, e.file) {
		e.checkTruncated()
		return
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return
	}
	e.fileMissing = true
	lost := &fileMissingError{Path: e.path}
	e.meter.damaged(lost)
	e.logger.Error("history is lost", "err", lost)
}

// checkTruncated checks the length of the file. During a checkpoint the header may be ahead of
// the file for a moment, so it reports only the second consecutive failure.
func (e *sqliteEngine) checkTruncated() {
	cut := checkLength(e.path)
	if cut == nil {
		e.truncatedChecks = 0
		return
	}
	switch e.truncatedChecks++; {
	case e.truncatedChecks == 2:
		e.logger.Error("history is damaged", "err", cut)
		fallthrough
	case e.truncatedChecks > 2:
		e.meter.damaged(cut)
	}
}

// A newerError is the error of a file that was written by a newer version of the program.
type newerError struct {
	Path      string
	Got, Want int64  // schema versions
	Backup    string // path of the copy from before the migration after Want; "": none
}

func newNewerError(path string, got, want int64) *newerError {
	e := &newerError{Path: path, Got: got, Want: want, Backup: backupPath(path, want+1)}
	if _, err := os.Stat(e.Backup); err != nil {
		e.Backup = "" // a file that was created by a newer version has no copy
	}
	return e
}

func (e *newerError) Error() string {
	text := fmt.Sprintf("opening %q: its schema is version %d, and this program supports %d at most: use the newer program", e.Path, e.Got, e.Want)
	if e.Backup != "" {
		text += fmt.Sprintf(", or go back to the copy %q", e.Backup)
	}
	return text
}

// backupPath returns the path of the copy from before the migration to version.
func backupPath(path string, version int64) string {
	return fmt.Sprintf("%s%s%d", path, beforeMigration, version)
}

// newestBackup returns the path of the newest copy from before a migration; "": none.
func newestBackup(path string) string {
	copies := copiesOf(path, beforeMigration)
	if len(copies) == 0 {
		return ""
	}
	return copies[0]
}

// The kinds of copies that are kept beside a history, as their paths name them.
const (
	beforeMigration = ".before-"
	afterDamage     = ".damaged-"
)

// copiesOf returns the paths of the copies of a kind, the newest first.
func copiesOf(path, kind string) []string {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	var copies []string
	written := make(map[string]time.Time)
	for _, e := range entries {
		name := e.Name()
		info, err := e.Info()
		if err != nil || !strings.HasPrefix(name, filepath.Base(path)+kind) || strings.HasSuffix(name, "-wal") || strings.HasSuffix(name, "-shm") {
			continue
		}
		one := filepath.Join(filepath.Dir(path), name)
		copies, written[one] = append(copies, one), info.ModTime()
	}
	slices.SortFunc(copies, func(a, b string) int { return cmp.Or(written[b].Compare(written[a]), cmp.Compare(b, a)) })
	return copies
}

// keptCopies is the number of copies of each kind that are kept, so that a disk that damages
// the history again and again is not filled with them.
const keptCopies = 3

// removeOldCopies removes all but the newest copies, and logs it.
func (db *DB) removeOldCopies() {
	for _, kind := range []string{beforeMigration, afterDamage} {
		for n, path := range copiesOf(db.path, kind) {
			if n < keptCopies || db.recovery != nil && path == db.recovery.Kept {
				continue
			}
			if err := removeFiles(path); err != nil {
				db.config.Logger.Warn("removing an old copy of the history", "err", err)
				continue
			}
			db.config.Logger.Info("removed an old copy of the history", "path", path, "kept", keptCopies)
		}
	}
}
