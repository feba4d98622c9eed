package lab

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// HAProxyConfig describes an HAProxy with one backend. The zero value of every
// field but Servers means off, unless it says otherwise.
type HAProxyConfig struct {
	// Servers are the backend's nodes; their names must be set and differ.
	Servers []Server
	// Balance is the balance directive's value: "leastconn", "source",
	// "hdr(X-Stickwatch-Client)". Empty: "roundrobin".
	Balance string
	// Cookie is the cookie directive's value, e.g. "SRV insert indirect nocache"
	// or "JSESSIONID prefix". The nodes' names are its values.
	Cookie string
	// StickOn keeps a stick table by "src", the client's address, or by the header
	// of that name.
	StickOn string
	// CheckPath has every node asked for it, actively ("option httpchk").
	CheckPath string
	// Observe, "layer4" or "layer7", counts the errors of users' requests and
	// takes a node out when its error limit is reached; a TCP check brings it back.
	Observe string
	// Redispatch lets a request leave a node that does not accept connections,
	// in spite of its cookie ("option redispatch").
	Redispatch bool
	// Retries is the number of further tries at a connection; 0 means none.
	Retries int
	// Timeout bounds a node's answer; 0 means 5 s.
	Timeout time.Duration
	// RealIP takes the client's address from the header X-Stickwatch-Client, so
	// that one prober can be many clients.
	RealIP bool
	// Master runs HAProxy under a master process, which Reload needs.
	Master bool
	// Admin opens a socket by which the balancer can be told what to do.
	Admin bool
	// ExtraBackend is text put at the end of the backend.
	ExtraBackend string
}

// HAProxyBalancer is a running HAProxy. Its log, with the cookie flags, is the
// file haproxy.stdout in the log directory.
type HAProxyBalancer struct {
	*Balancer
	program      string
	stats, admin string
}

// HAProxy starts HAProxy in the foreground.
func HAProxy(tb testing.TB, config HAProxyConfig) *HAProxyBalancer {
	tb.Helper()
	h := &HAProxyBalancer{program: program(tb, "haproxy")}
	dir := directory(tb)
	command := Command{
		Name: "haproxy",
		Path: h.program,
		Args: []string{"-db", "-f", filepath.Join(logDir(dir), "haproxy.conf")},
		Dir:  dir,
		Addr: FreeAddr(tb),
	}
	if config.Master {
		command.Args = append(command.Args, "-W")
	}
	h.Balancer = &Balancer{newProcess(tb, command)}
	if err := h.write(h.ConfigFile(), config); err != nil {
		tb.Fatalf("configuring HAProxy: %v", err)
	}
	h.Start()
	return h
}

// write renders the configuration with ports of its own for the statistics and
// the socket.
func (h *HAProxyBalancer) write(path string, config HAProxyConfig) error {
	h.stats, h.admin = FreeAddr(h.tb), FreeAddr(h.tb)
	return writeConfig(path, "haproxy.cfg.tmpl", struct {
		HAProxyConfig
		Listen, Stats, AdminAddr string
	}{config, h.Addr(), h.stats, h.admin})
}

// Reload has the master of the running HAProxy take a new configuration, and
// returns when the new worker answers and the old one accepts nothing any more.
// It ends the test when HAProxy refuses the configuration.
func (h *HAProxyBalancer) Reload(config HAProxyConfig) {
	h.tb.Helper()
	old, candidate := h.stats, h.ConfigFile()+".new"
	config.Master = true
	err := h.write(candidate, config)
	if err == nil {
		err = prepare(h.tb, Command{Name: "haproxy -c", Path: h.program, Args: []string{"-c", "-f", candidate}, Dir: h.command.Dir})
	}
	if err == nil {
		err = os.Rename(candidate, h.ConfigFile())
	}
	if err == nil {
		err = h.replaceWorkers(user2, old, h.stats)
	}
	if err != nil {
		h.tb.Fatalf("reloading HAProxy: %v", err)
	}
}

// AdminCommand gives a command over the admin socket, such as "set server
// cluster/node1 state drain". An answer means that it was not understood.
func (h *HAProxyBalancer) AdminCommand(tb testing.TB, command string) {
	tb.Helper()
	conn, err := new(net.Dialer).DialContext(tb.Context(), "tcp", h.admin)
	if err != nil {
		tb.Fatalf("telling HAProxy %q: %v", command, err)
	}
	defer conn.Close()
	fmt.Fprintln(conn, command)
	answer, err := io.ReadAll(conn)
	if text := strings.TrimSpace(string(answer)); err != nil || text != "" {
		tb.Fatalf("telling HAProxy %q: got %q, %v", command, text, err)
	}
}

// Log is the path of the log, a line a request.
func (h *HAProxyBalancer) Log() string { return filepath.Join(h.LogDir(), "haproxy.stdout") }

// StatsURL serves the statistics as CSV, on a port of its own.
func (h *HAProxyBalancer) StatsURL() string { return "http://" + h.stats + "/;csv" }

// ConfigFile is the path of the configuration.
func (h *HAProxyBalancer) ConfigFile() string { return filepath.Join(h.LogDir(), "haproxy.conf") }
