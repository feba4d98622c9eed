package history

import (
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

// A NewerError says that a later version of the program wrote the file.
type NewerError struct {
	Path      string
	Got, Want int64 // schema versions
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("opening %q: its schema is version %d, and this program knows %d at most: use the newer program, or go back to the copy %q",
		e.Path, e.Got, e.Want, backupPath(e.Path, e.Want+1))
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
