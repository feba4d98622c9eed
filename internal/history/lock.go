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

func (l lock) release() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
