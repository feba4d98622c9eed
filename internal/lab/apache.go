package lab

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// apacheModules are loaded beside those compiled into Debian's httpd, in this
// order: some need symbols of an earlier one.
var apacheModules = []string{
	"mpm_event", "authz_core", "authz_host", "headers", "status",
	"proxy", "proxy_http", "proxy_ajp", "slotmem_shm", "proxy_balancer",
	"lbmethod_byrequests", "lbmethod_bytraffic", "lbmethod_bybusyness",
}

const apacheModuleDir = "/usr/lib/apache2/modules"

// ApacheConfig describes an Apache httpd with mod_proxy_balancer. The zero value
// of every field but Servers means httpd's own default, or off.
type ApacheConfig struct {
	// Servers are the balancer's members; their names are the routes.
	Servers []Server
	// Scheme is what the nodes speak, "http" or "ajp". Empty: "http".
	Scheme string
	// StickySession is the cookie and, after a bar, the URL parameter that hold
	// the route: "JSESSIONID|jsessionid".
	StickySession string
	// Method is "byrequests", "bytraffic" or "bybusyness". Empty: "byrequests".
	Method string
	// NoFailover answers 503 instead of moving a session to another node.
	NoFailover bool
	// RouteHeader adds "X-Route", the route of the node that answered.
	RouteHeader bool
	// WebSocket passes upgrades on to the nodes.
	WebSocket bool
	// AccessLog writes a line a request to access.log in the log directory: its
	// start and duration in microseconds, status, route and cookies.
	AccessLog bool
	// ProxySet is more of the balancer's parameters, e.g. "failonstatus=503".
	ProxySet string
	// ConnectTimeout and Timeout bound a try at a node (60 s each by default).
	// Timeout is rounded up to whole seconds.
	ConnectTimeout, Timeout time.Duration
}

// ApacheBalancer is a running Apache httpd.
type ApacheBalancer struct {
	*Balancer
}

// Apache starts httpd in the foreground with two worker processes, as Debian
// packages it.
func Apache(tb testing.TB, config ApacheConfig) *ApacheBalancer {
	tb.Helper()
	path, dir, listen := program(tb, "apache2"), directory(tb), FreeAddr(tb)
	file := filepath.Join(logDir(dir), "httpd.conf")
	if err := writeApache(file, dir, listen, config); err != nil {
		tb.Fatalf("configuring httpd: %v", err)
	}
	process := Run(tb, Command{
		Name: "apache2",
		Path: path,
		Args: []string{"-f", file, "-DFOREGROUND"},
		Dir:  dir,
		Addr: listen,
	})
	return &ApacheBalancer{&Balancer{process}}
}

func writeApache(file, dir, listen string, config ApacheConfig) error {
	return writeConfig(file, "httpd.conf.tmpl", struct {
		ApacheConfig
		Dir, LogDir, Listen, ModuleDir string
		Modules                        []string
		Root                           bool
	}{config, dir, logDir(dir), listen, apacheModuleDir, apacheModules, isRoot()})
}

// Reload has httpd take a new configuration, as `apachectl graceful` does, and
// returns when it is in force. It ends the test when that takes too long.
func (a *ApacheBalancer) Reload(config ApacheConfig) {
	a.tb.Helper()
	if err := writeApache(a.ConfigFile(), a.command.Dir, a.Addr(), config); err != nil {
		a.tb.Fatalf("reloading httpd: %v", err)
	}
	before, err := a.generation(a.tb.Context())
	if err != nil {
		a.tb.Fatalf("reloading httpd: %v", err)
	}
	if err := a.signal(user1); err != nil {
		a.tb.Fatalf("reloading httpd: %v", err)
	}
	err = poll(a.tb.Context(), nil, func(ctx context.Context) error {
		now, err := a.generation(ctx)
		if err == nil && now == before {
			err = fmt.Errorf("the configuration in force is still %q", now)
		}
		return err
	})
	if err != nil {
		a.tb.Fatalf("reloading httpd: %v\n%s", err, tail(a.LogDir()))
	}
}

// generation is mod_status's count of the configurations that were in force.
func (a *ApacheBalancer) generation(ctx context.Context) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.StatusURL(), nil)
	if err != nil {
		return "", err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	_, rest, found := strings.Cut(string(text), "ParentServerConfigGeneration: ")
	if !found {
		return "", fmt.Errorf("%s does not tell the generation", a.StatusURL())
	}
	number, _, _ := strings.Cut(rest, "\n")
	return number, nil
}

// StatusURL serves mod_status for machines, with ProxyStatus on.
func (a *ApacheBalancer) StatusURL() string { return a.URL() + "/server-status?auto" }

// ManagerURL serves the balancer manager.
func (a *ApacheBalancer) ManagerURL() string { return a.URL() + "/balancer-manager" }

// ConfigFile is the path of the configuration.
func (a *ApacheBalancer) ConfigFile() string { return filepath.Join(a.LogDir(), "httpd.conf") }

// AccessLog is the path of the access log.
func (a *ApacheBalancer) AccessLog() string { return filepath.Join(a.LogDir(), "access.log") }

// ErrorLog is the path of the error log.
func (a *ApacheBalancer) ErrorLog() string { return filepath.Join(a.LogDir(), "error.log") }
