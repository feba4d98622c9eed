//go:build unix

package daemon

import "syscall"

// webConnections is how many connections page and API may have: a quarter of the
// descriptors that this process may open, and 512 at most. The others are for probing
// and the history, whoever comes to look.
func webConnections() int {
	const most = 512
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return most
	}
	return int(max(1, min(uint64(limit.Cur)/4, most))) //nolint:gosec,unconvert // its type differs by system
}
