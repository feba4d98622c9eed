package lab

import (
	"net"
	"os"
	"syscall"
	"testing"

	"stickwatch/internal/must"
)

// shortQueue listens on loopback with a queue of the given length: package net always
// uses the system's maximum.
func shortQueue(tb testing.TB, length int) net.Listener {
	tb.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	must.Succeed(tb, err)
	file := os.NewFile(uintptr(fd), "listener")
	defer file.Close() // net.FileListener duplicates it
	must.Succeed(tb, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must.Succeed(tb, syscall.Listen(fd, length))
	ln, err := net.FileListener(file)
	must.Succeed(tb, err)
	return ln
}
