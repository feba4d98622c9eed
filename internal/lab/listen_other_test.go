//go:build !linux

package lab

import (
	"net"
	"testing"
)

func shortQueue(tb testing.TB, _ int) net.Listener {
	tb.Helper()
	tb.Skip("the queue of a listener is shortened on Linux only")
	return nil
}
