//go:build unix

package daemon

import "syscall"

// webConnections returns the maximum number of connections to the page and the API: a
// quarter of the file descriptors that this process may open, at most 512. The others
// are for probing and the history.
func webConnections() int {
	const most = 512
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return most
	}
	return int(max(1, min(uint64(limit.Cur)/4, most))) //nolint:gosec,unconvert // its type differs by system
}
