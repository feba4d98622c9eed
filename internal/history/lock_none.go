//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package history

// lockFile does nothing: this system has no flock.
func lockFile(string) (lock, error) { return lock{}, nil }
