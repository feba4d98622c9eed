//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package history

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockFile locks the history at path against writers in other processes. The kernel releases
// the lock when the process ends. The lock file is never removed: a process that has it open could lock
// the removed file while another one locks a new file.
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
