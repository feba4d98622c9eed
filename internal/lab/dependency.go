package lab

import (
	"net"
	"testing"
)

// Credentials of every store that supports them. Redis has a password only, memcached
// nothing.
const (
	User     = "stickwatch"
	Password = "lab-password"
)

// Dependency is a running store that an application's nodes depend on. Its data is in
// the test's temporary directory and survives Stop and Start as far as the product
// supports that.
type Dependency struct {
	*Process
	url string
}

// URL returns the store's address as in a configuration, including credentials.
func (d *Dependency) URL() string { return d.url }

// Redis starts a Redis that requires [Password].
func Redis(tb testing.TB) *Dependency {
	tb.Helper()
	path, dir, host, port := storePaths(tb, "redis-server")
	process := Run(tb, Command{
		Name: "redis",
		Path: path,
		Args: []string{
			"--bind", host, "--port", port, "--dir", dir, "--requirepass", Password,
			"--save", "3600 1", // saves its data when it stops
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

// storePaths returns the program, the directory and the address of a store.
func storePaths(tb testing.TB, name string) (path, dir, host, port string) {
	tb.Helper()
	path, dir = program(tb, name), directory(tb)
	host, port, err := net.SplitHostPort(FreeAddr(tb))
	if err != nil {
		tb.Fatalf("splitting a free address: %v", err)
	}
	return path, dir, host, port
}
