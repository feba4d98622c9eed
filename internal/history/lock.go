package history

import (
	"fmt"
	"os"
)

// An InUseError says that another process writes the history. Two would each
// tell every incident, and hold each other's claims for those of the dead.
type InUseError struct{ Path string }

func (e *InUseError) Error() string {
	return fmt.Sprintf("another stickwatch writes %q: end it, or give this one a history of its own", e.Path)
}

// A lock is held from before a history is opened until after it is closed.
// Readers need none.
type lock struct{ file *os.File }

// mark notes that there is a history: from then on an empty file is a damaged one.
func (l lock) mark() {
	if l.file != nil {
		_, _ = l.file.WriteAt([]byte("a history is at this path\n"), 0) // else an empty file is taken for a new one
	}
}

// known reports whether a history was once opened at path.
func known(path string) bool {
	info, err := os.Stat(path + ".lock")
	return err == nil && info.Size() > 0
}

// unexpected tells of a file that never was a history: a path that names something else
// by mistake. Of a history there is a lock.
func unexpected(path string) error {
	if _, err := os.Stat(path + ".lock"); err == nil {
		return nil
	}
	return headerFlaw(path)
}

func (l lock) release() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
