package lab

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// apacheModules are loaded in addition to those compiled into Debian's httpd. The order
// matters: some need symbols of an earlier one.
var apacheModules = []string{
	"mpm_event", "authz_core", "authz_host", "headers", "status",
	"proxy", "proxy_http", "proxy_ajp", "slotmem_shm", "proxy_balancer",
	"lbmethod_byrequests", "lbmethod_bytraffic", "lbmethod_bybusyness",
}

const apacheModuleDir = "/usr/lib/apache2/modules"

// ApacheConfig describes an Apache httpd with mod_proxy_balancer. The zero value of
// every field but Servers means httpd's default, or off.
type ApacheConfig struct {
	// Servers are the balancer's members; their names are the routes.
	Servers []Server
	// Scheme is the protocol of the nodes, "http" or "ajp". Empty: "http".
	Scheme string
	// StickySession is the cookie and, after a bar, the URL parameter with the route:
	// "JSESSIONID|jsessionid".
	StickySession string
	// Method is "byrequests", "bytraffic" or "bybusyness". Empty: "byrequests".
	Method string
	// NoFailover answers 503 instead of moving a session to another node.
	NoFailover bool
	// RouteHeader adds "X-Route" with the route of the node that answered.
	RouteHeader bool
	// WebSocket passes upgrades on to the nodes.
	WebSocket bool
	// AccessLog writes a line per request to access.log in the log directory: start and
	// duration in microseconds, status, route and cookies.
	AccessLog bool
	// Reloadable opens a control port, which Reload needs.
	Reloadable bool
	// ProxySet contains further parameters of the balancer, such as "failonstatus=503".
	ProxySet string
	// ConnectTimeout and Timeout limit an attempt at a node (60 s each by default).
	// Timeout is rounded up to whole seconds.
	ConnectTimeout, Timeout time.Duration
}

// ApacheBalancer is a running Apache httpd.
type ApacheBalancer struct {
	*Balancer
	program string
	control string // control port of the current configuration, see Reload
}

// Apache starts httpd in the foreground with two worker processes, as Debian packages
// it.
func Apache(tb testing.TB, config ApacheConfig) *ApacheBalancer {
	tb.Helper()
	a := &ApacheBalancer{program: program(tb, "apache2")}
	dir := directory(tb)
	a.Balancer = &Balancer{newProcess(tb, Command{
		Name: "apache2",
		Path: a.program,
		Args: []string{"-f", filepath.Join(logDir(dir), "httpd.conf"), "-DFOREGROUND"},
		Dir:  dir,
		Addr: FreeAddr(tb),
	})}
	if err := a.write(a.ConfigFile(), config); err != nil {
		tb.Fatalf("configuring httpd: %v", err)
	}
	a.Start()
	return a
}

// write renders the configuration with its own control port.
func (a *ApacheBalancer) write(path string, config ApacheConfig) error {
	a.control = FreeAddr(a.tb)
	return writeConfig(path, "httpd.conf.tmpl", struct {
		ApacheConfig
		Dir, LogDir, Listen, Control, ModuleDir string
		Modules                                 []string
		Root                                    bool
	}{config, a.command.Dir, a.LogDir(), a.Addr(), a.control, apacheModuleDir, apacheModules, isRoot()})
}

// Reload loads a new configuration, as `apachectl graceful` does, and returns when no
// old worker accepts connections any more. It fails the test when httpd rejects the
// configuration.
func (a *ApacheBalancer) Reload(config ApacheConfig) {
	a.tb.Helper()
	config.Reloadable = true
	old, candidate := a.control, a.ConfigFile()+".new"
	err := a.write(candidate, config)
	if err == nil {
		err = prepare(a.tb, Command{Name: "apache2 -t", Path: a.program, Args: []string{"-t", "-f", candidate}, Dir: a.command.Dir})
	}
	if err == nil {
		err = os.Rename(candidate, a.ConfigFile())
	}
	if err == nil {
		err = a.replaceWorkers(user1, old, a.control+"/server-status") // the status page uses no node's turn
	}
	if err != nil {
		a.tb.Fatalf("reloading httpd: %v", err)
	}
}

// StatusURL returns the machine-readable mod_status page, with ProxyStatus on.
func (a *ApacheBalancer) StatusURL() string { return a.URL() + "/server-status?auto" }

// ManagerURL returns the balancer manager.
func (a *ApacheBalancer) ManagerURL() string { return a.URL() + "/balancer-manager" }

// ConfigFile returns the path of the configuration.
func (a *ApacheBalancer) ConfigFile() string { return filepath.Join(a.LogDir(), "httpd.conf") }

// AccessLog returns the path of the access log.
func (a *ApacheBalancer) AccessLog() string { return filepath.Join(a.LogDir(), "access.log") }
