package lab

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// NginxConfig describes an nginx with one upstream. The zero value of every
// field but Servers means: nginx's own default, or off.
type NginxConfig struct {
	// Servers are the upstream's nodes in the order of the file, which decides
	// the hashes.
	Servers []Server
	// Method is the upstream's balancing directive as nginx writes it: "ip_hash",
	// "hash $remote_addr consistent", "least_conn", "random". Empty: round robin.
	Method string
	// Zone shares the upstream's state among the workers; without it each worker
	// counts failures by itself.
	Zone bool
	// Workers is the number of worker processes; 0 means 1.
	Workers int
	// RealIP takes the client's address from the header X-Stickwatch-Client of
	// whoever connects from 127.0.0.1, so that one prober can be many clients.
	RealIP bool
	// NextUpstream is the value of proxy_next_upstream, e.g. "error timeout
	// http_503" or "off".
	NextUpstream string
	// ConnectTimeout and ReadTimeout bound a try at a node (60 s each by default).
	ConnectTimeout, ReadTimeout time.Duration
	// UpstreamHeader adds "X-Upstream: $upstream_addr" to every response.
	UpstreamHeader bool
	// WebSocket passes upgrades on to the nodes.
	WebSocket bool
	// ErrorLogLevel is the level of the error log; empty means "warn", the lowest
	// that tells of an ejection.
	ErrorLogLevel string
	// AccessLog writes access.log in the log directory.
	AccessLog bool
	// Locations is text put into the server block before its own location.
	Locations string
	// Location is text put in place of the server block's own location.
	Location string
	// ExtraServers is text put after the server block, inside http.
	ExtraServers string
}

// NginxBalancer is a running nginx.
type NginxBalancer struct {
	*Balancer
	program string
	control string // where the current configuration's workers answer, see Reload
}

// Nginx starts nginx in the foreground, as root or as a normal user, writing
// only to the test's temporary directory.
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

// nginxArgs keep nginx from opening the log that was compiled in, which a normal
// user may not write.
func nginxArgs(dir, config string) []string {
	return []string{"-p", dir, "-c", config, "-e", "stderr"}
}

// ConfigFile is the path of nginx.conf.
func (n *NginxBalancer) ConfigFile() string { return filepath.Join(n.LogDir(), "nginx.conf") }

// ErrorLog is the path of the error log.
func (n *NginxBalancer) ErrorLog() string { return filepath.Join(n.LogDir(), "error.log") }

// AccessLog is the path of the access log, if the configuration asks for one.
func (n *NginxBalancer) AccessLog() string { return filepath.Join(n.LogDir(), "access.log") }

// Reload has the running nginx take a new configuration, as `nginx -s reload`
// does, and returns when no worker of the old one accepts connections any more.
// It ends the test when nginx refuses the configuration.
func (n *NginxBalancer) Reload(config NginxConfig) {
	n.tb.Helper()
	if err := n.reload(config); err != nil {
		n.tb.Fatalf("reloading nginx: %v", err)
	}
}

// reload tells the end of the old workers by a control port, which is a new one
// in every configuration. Old workers close their sockets in the order of the
// file, and the control port stands last: once the old one refuses connections,
// none of them accepts on the balancer's port.
func (n *NginxBalancer) reload(config NginxConfig) error {
	old, candidate := n.control, n.ConfigFile()+".new"
	if err := n.write(candidate, FreeAddr(n.tb), config); err != nil {
		return err
	}
	// Given a configuration it refuses, nginx would only log that and go on.
	if err := n.check(candidate); err != nil {
		return err
	}
	if err := os.Rename(candidate, n.ConfigFile()); err != nil {
		return err
	}
	return n.replaceWorkers(syscall.SIGHUP, old, n.control)
}

// check has nginx read a configuration without running it.
func (n *NginxBalancer) check(file string) error {
	dir := n.command.Dir
	return prepare(n.tb, Command{
		Name: "nginx -t",
		Path: n.program,
		Args: append(nginxArgs(dir, file), "-t"),
		Dir:  dir,
	})
}

// write renders the configuration with a control port of its own.
func (n *NginxBalancer) write(path, control string, config NginxConfig) error {
	n.control = control
	return writeConfig(path, "nginx.conf.tmpl", struct {
		NginxConfig
		Dir, LogDir, Listen, Control string
		Root                         bool
	}{config, n.command.Dir, n.LogDir(), n.Addr(), control, isRoot()})
}
