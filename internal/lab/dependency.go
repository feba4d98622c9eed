package lab

import (
	"net"
	"testing"
)

// The account that every store which knows accounts is given, so that tests
// exercise credentials too. Redis knows the password only, memcached nothing.
const (
	User     = "stickwatch"
	Password = "lab-password"
)

// Dependency is a running store that an application's nodes depend on. Its data
// lies in the test's temporary directory and survives Stop and Start, as far as
// the product keeps any.
type Dependency struct {
	*Process
	url string
}

// URL is the store's address in the form that a dependency has in a
// configuration, credentials included.
func (d *Dependency) URL() string { return d.url }

// Redis starts a Redis that asks for [Password].
func Redis(tb testing.TB) *Dependency {
	tb.Helper()
	path, dir, host, port := storePaths(tb, "redis-server")
	process := Run(tb, Command{
		Name: "redis",
		Path: path,
		Args: []string{
			"--bind", host, "--port", port, "--dir", dir, "--requirepass", Password,
			"--save", "3600 1", // writes what it holds when it is stopped
		},
		Dir:  dir,
		Addr: host + ":" + port,
	})
	return &Dependency{process, "redis://:" + Password + "@" + process.Addr()}
}

// Memcached starts a memcached, without credentials.
func Memcached(tb testing.TB) *Dependency {
	tb.Helper()
	path, dir, host, port := storePaths(tb, "memcached")
	args := []string{"-l", host, "-p", port, "-U", "0", "-m", "16", "-t", "2"}
	if isRoot() {
		args = append(args, "-u", "root")
	}
	process := Run(tb, Command{
		Name: "memcached",
		Path: path,
		Args: args,
		Dir:  dir,
		Addr: host + ":" + port,
	})
	return &Dependency{process, "memcached://" + process.Addr()}
}

// storePaths returns what every store needs: its program, a directory, an address.
func storePaths(tb testing.TB, name string) (path, dir, host, port string) {
	tb.Helper()
	path, dir = program(tb, name), directory(tb)
	host, port, err := net.SplitHostPort(FreeAddr(tb))
	if err != nil {
		tb.Fatalf("splitting a free address: %v", err)
	}
	return path, dir, host, port
}
