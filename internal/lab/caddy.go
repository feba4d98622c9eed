package lab

import (
	"net"
	"path/filepath"
	"testing"
	"time"
)

// CaddyConfig describes a Caddy with one reverse proxy. The zero value of every
// field but Servers means Caddy's own default, or off.
type CaddyConfig struct {
	// Servers are the upstreams. Caddy knows them by their address alone: of a
	// Server only Addr counts.
	Servers []Server
	// Policy is the lb_policy directive's value: "ip_hash", "cookie lb",
	// "round_robin". Empty: "random".
	Policy string
	// FailDuration is for how long a failure is remembered. 0 turns passive
	// health checks off: then nothing is ever taken out, or counted.
	FailDuration time.Duration
	// MaxFails is how many remembered failures take a server out; 0 leaves the
	// default, 1.
	MaxFails int
	// Retries is the number of further tries at another server; 0 means none.
	Retries int
}

// CaddyBalancer is a running Caddy.
type CaddyBalancer struct {
	*Balancer
	admin string
}

// Caddy starts Caddy in the foreground, with its admin API on a port of its own.
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

// AdminURL is the root of the admin API, without a slash at the end.
func (c *CaddyBalancer) AdminURL() string { return "http://" + c.admin }

// ConfigFile is the path of the Caddyfile.
func (c *CaddyBalancer) ConfigFile() string { return filepath.Join(c.LogDir(), "Caddyfile.conf") }
