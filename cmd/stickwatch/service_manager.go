package main

import (
	"net"
	"strings"
)

// A serviceManager is what started the program, if it wants to be told how the
// program is: systemd, by the protocol of sd_notify(3).
type serviceManager struct{ environ []string }

// notify sends a line such as READY=1. Nobody is told where nobody asked for it,
// and what goes wrong is the manager's to notice.
func (m serviceManager) notify(state string) {
	for _, pair := range m.environ {
		path, ok := strings.CutPrefix(pair, "NOTIFY_SOCKET=")
		if !ok || path == "" {
			continue
		}
		if path[0] == '@' {
			path = "\x00" + path[1:] // of Linux's abstract namespace
		}
		conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			return
		}
		_, _ = conn.Write([]byte(state))
		_ = conn.Close()
	}
}
