package lab

import (
	"net"
	"path/filepath"
	"testing"
	"time"
)

// CaddyConfig describes a Caddy with one reverse proxy. The zero value of every field
// but Servers means Caddy's default, or off.
type CaddyConfig struct {
	// Servers are the upstreams. Caddy identifies them by address: only Addr of a
	// Server is used.
	Servers []Server
	// Policy is the lb_policy directive's value: "ip_hash", "cookie lb", "round_robin".
	// Empty: "random".
	Policy string
	// FailDuration is how long a failure counts. 0 turns passive health checks off:
	// servers are never ejected.
	FailDuration time.Duration
	// MaxFails is the number of counted failures that eject a server; 0 means the
	// default, 1.
	MaxFails int
	// Retries is the number of further attempts at another server; 0 means none.
	Retries int
}

// CaddyBalancer is a running Caddy.
type CaddyBalancer struct {
	*Balancer
	admin string
}

// Caddy starts Caddy in the foreground, with its admin API on its own port.
func Caddy(tb testing.TB, config CaddyConfig) *CaddyBalancer {
	tb.Helper()
	path, dir, listen, admin := program(tb, "caddy"), directory(tb), FreeAddr(tb), FreeAddr(tb)
	file := filepath.Join(logDir(dir), "Caddyfile.conf")
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		tb.Fatalf("splitting %q: %v", listen, err)
	}
	data := struct {
		CaddyConfig
		Port, Admin string
	}{config, port, admin}
	if err := writeConfig(file, "Caddyfile.tmpl", data); err != nil {
		tb.Fatalf("configuring Caddy: %v", err)
	}
	process := Run(tb, Command{
		Name: "caddy",
		Path: path,
		Args: []string{"run", "--config", file, "--adapter", "caddyfile"},
		Env:  []string{"HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir},
		Dir:  dir,
		Addr: listen,
	})
	return &CaddyBalancer{&Balancer{process}, admin}
}

// AdminURL returns the root of the admin API, without a trailing slash.
func (c *CaddyBalancer) AdminURL() string { return "http://" + c.admin }

// ConfigFile returns the path of the Caddyfile.
func (c *CaddyBalancer) ConfigFile() string { return filepath.Join(c.LogDir(), "Caddyfile.conf") }
