//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package history

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockFile keeps every other process from writing the history at path until the
// lock is closed. The kernel ends it with the process, however that dies. The
// file stays behind: to remove it would take it from under whoever waits for it.
func lockFile(path string) (lock, error) {
	file, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return lock{}, fmt.Errorf("locking the history: %w", err)
	}
	switch err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return lock{}, errors.Join(&InUseError{Path: path}, file.Close())
	case err != nil:
		return lock{}, errors.Join(fmt.Errorf("locking %q: %w", file.Name(), err), file.Close())
	}
	return lock{file}, nil
}
