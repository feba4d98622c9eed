package lab

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// NginxConfig describes an nginx with one upstream. The zero value of every field but
// Servers means nginx's default, or off.
type NginxConfig struct {
	// Servers are the upstream's nodes in the order of the file, which determines the
	// hashes.
	Servers []Server
	// Method is the balancing directive of the upstream: "ip_hash", "hash $remote_addr
	// consistent", "least_conn", "random". Empty: round robin.
	Method string
	// Zone shares the upstream's state between workers; without it each worker counts
	// failures by itself.
	Zone bool
	// Workers is the number of worker processes; 0 means 1.
	Workers int
	// RealIP takes the client's address from the header X-Stickwatch-Client of
	// connections from 127.0.0.1, so that one prober can act as many clients.
	RealIP bool
	// NextUpstream is the value of proxy_next_upstream, such as "error timeout
	// http_503" or "off".
	NextUpstream string
	// ConnectTimeout and ReadTimeout limit an attempt at a node (60 s each by default).
	ConnectTimeout, ReadTimeout time.Duration
	// UpstreamHeader adds "X-Upstream: $upstream_addr" to every response.
	UpstreamHeader bool
	// WebSocket passes upgrades on to the nodes.
	WebSocket bool
	// ErrorLogLevel is the level of the error log; empty means "warn", the highest that
	// includes ejections.
	ErrorLogLevel string
	// AccessLog writes access.log in the log directory.
	AccessLog bool
	// Locations is text in the server block before its own location.
	Locations string
	// Location is text in place of the server block's own location.
	Location string
	// ExtraServers is text after the server block, inside http.
	ExtraServers string
}

// NginxBalancer is a running nginx.
type NginxBalancer struct {
	*Balancer
	program string
	control string // control port of the current configuration, see Reload
}

// Nginx starts nginx in the foreground, as root or another user. It writes only to the
// test's temporary directory.
func Nginx(tb testing.TB, config NginxConfig) *NginxBalancer {
	tb.Helper()
	n := newNginx(tb, config)
	n.Start()
	return n
}

func newNginx(tb testing.TB, config NginxConfig) *NginxBalancer {
	tb.Helper()
	n := &NginxBalancer{program: program(tb, "nginx")}
	dir := directory(tb)
	n.Balancer = &Balancer{newProcess(tb, Command{
		Name: "nginx",
		Path: n.program,
		Args: nginxArgs(dir, filepath.Join(logDir(dir), "nginx.conf")),
		Dir:  dir,
		Addr: FreeAddr(tb),
	})}
	if err := n.write(n.ConfigFile(), FreeAddr(tb), config); err != nil {
		tb.Fatalf("configuring nginx: %v", err)
	}
	return n
}

// nginxArgs prevent nginx from opening its compiled-in log, which requires root.
func nginxArgs(dir, config string) []string {
	return []string{"-p", dir, "-c", config, "-e", "stderr"}
}

// ConfigFile returns the path of nginx.conf.
func (n *NginxBalancer) ConfigFile() string { return filepath.Join(n.LogDir(), "nginx.conf") }

// ErrorLog returns the path of the error log.
func (n *NginxBalancer) ErrorLog() string { return filepath.Join(n.LogDir(), "error.log") }

// AccessLog returns the path of the access log, if the configuration has one.
func (n *NginxBalancer) AccessLog() string { return filepath.Join(n.LogDir(), "access.log") }

// Reload loads a new configuration, as `nginx -s reload` does, and returns when no old
// worker accepts connections any more. It fails the test when nginx rejects the
// configuration.
func (n *NginxBalancer) Reload(config NginxConfig) {
	n.tb.Helper()
	if err := n.reload(config); err != nil {
		n.tb.Fatalf("reloading nginx: %v", err)
	}
}

// reload detects the end of the old workers by a control port, which is new in every
// configuration. Old workers close their sockets in the order of the file, and the
// control port is the last: once it refuses connections, no old worker accepts any on
// the balancer's port.
func (n *NginxBalancer) reload(config NginxConfig) error {
	old, candidate := n.control, n.ConfigFile()+".new"
	if err := n.write(candidate, FreeAddr(n.tb), config); err != nil {
		return err
	}
	// A running nginx would only log an invalid configuration, and continue.
	if err := n.check(candidate); err != nil {
		return err
	}
	if err := os.Rename(candidate, n.ConfigFile()); err != nil {
		return err
	}
	return n.replaceWorkers(syscall.SIGHUP, old, n.control)
}

// check lets nginx test a configuration.
func (n *NginxBalancer) check(file string) error {
	dir := n.command.Dir
	return prepare(n.tb, Command{
		Name: "nginx -t",
		Path: n.program,
		Args: append(nginxArgs(dir, file), "-t"),
		Dir:  dir,
	})
}

// write renders the configuration with its own control port.
func (n *NginxBalancer) write(path, control string, config NginxConfig) error {
	n.control = control
	return writeConfig(path, "nginx.conf.tmpl", struct {
		NginxConfig
		Dir, LogDir, Listen, Control string
		Root                         bool
	}{config, n.command.Dir, n.LogDir(), n.Addr(), control, isRoot()})
}
