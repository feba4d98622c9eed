package history

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// A DamagedError says that the file is not whole, and the ways out.
type DamagedError struct {
	Path   string
	Detail string // the first thing that SQLite found
	Backup string // the newest copy made before a migration; "": there is none
}

func (e *DamagedError) Error() string {
	text := fmt.Sprintf("checking %q: the file is damaged (%s). Move it away together with its -wal and -shm files to begin a new history, "+
		"or save what can be read: sqlite3 %q .recover | sqlite3 %q",
		e.Path, e.Detail, e.Path, e.Path+".recovered")
	if e.Backup != "" {
		text += fmt.Sprintf("; the newest copy is %q", e.Backup)
	}
	return text
}

// A LostError says that the file that is being written is not at its path any
// more. The system does not mind: it keeps the file until it is closed.
type LostError struct{ Path string }

func (e *LostError) Error() string {
	return fmt.Sprintf("looking for %q: it was deleted, or another file is in its place, while it was written. "+
		"What happens is remembered until stickwatch ends, and then lost: restart stickwatch, it goes on with the file that is there, or begins a new history",
		e.Path)
}

// lookForFile tells once when what is written cannot be found any more.
func (db *DB) lookForFile() {
	if db.lost {
		return
	}
	there, err := os.Stat(db.path)
	if err == nil && os.SameFile(there, db.file) || err != nil && !errors.Is(err, os.ErrNotExist) {
		return
	}
	db.lost = true
	lost := &LostError{Path: db.path}
	db.meter.damaged(lost)
	db.config.Logger.Error("history is lost", "err", lost)
}

// A NewerError says that a later version of the program wrote the file.
type NewerError struct {
	Path      string
	Got, Want int64  // schema versions
	Backup    string // the copy made when the version after Want came; "": there is none
}

func newer(path string, got, want int64) *NewerError {
	e := &NewerError{Path: path, Got: got, Want: want, Backup: backupPath(path, want+1)}
	if _, err := os.Stat(e.Backup); err != nil {
		e.Backup = "" // a file that began with a later version has none
	}
	return e
}

func (e *NewerError) Error() string {
	text := fmt.Sprintf("opening %q: its schema is version %d, and this program knows %d at most: use the newer program", e.Path, e.Got, e.Want)
	if e.Backup != "" {
		text += fmt.Sprintf(", or go back to the copy %q", e.Backup)
	}
	return text
}

// backupPath is where the copy goes that is made before migration version.
func backupPath(path string, version int64) string {
	return fmt.Sprintf("%s.before-%d", path, version)
}

// newestBackup of the file at path; "": there is none.
func newestBackup(path string) string {
	var newest string
	var at int64
	copies, err := filepath.Glob(path + ".before-*")
	if err != nil {
		return "" // path itself has a broken pattern in it
	}
	for _, c := range copies {
		if info, err := os.Stat(c); err == nil && info.ModTime().UnixNano() > at {
			newest, at = c, info.ModTime().UnixNano()
		}
	}
	return newest
}
