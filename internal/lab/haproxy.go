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

// HAProxyConfig describes an HAProxy with one backend. The zero value of every field
// but Servers means off, unless noted otherwise.
type HAProxyConfig struct {
	// Servers are the backend's nodes; their names are required and unique.
	Servers []Server
	// Balance is the balance directive's value: "leastconn", "source",
	// "hdr(X-Stickwatch-Client)". Empty: "roundrobin".
	Balance string
	// Cookie is the cookie directive's value, such as "SRV insert indirect nocache" or
	// "JSESSIONID prefix". The cookie values are the nodes' names.
	Cookie string
	// StickOn adds a stick table by "src", the client's address, or by the header of
	// that name.
	StickOn string
	// CheckPath is the path of active checks ("option httpchk").
	CheckPath string
	// Observe, "layer4" or "layer7", counts the errors of users' requests and ejects a
	// node at its error limit; a TCP check readmits it.
	Observe string
	// Redispatch lets a request leave a node that does not accept connections, in spite
	// of its cookie ("option redispatch").
	Redispatch bool
	// Retries is the number of further connection attempts; 0 means none.
	Retries int
	// Timeout limits the wait for a node's answer; 0 means 5 s.
	Timeout time.Duration
	// RealIP takes the client's address from the header X-Stickwatch-Client, so that
	// one prober can act as many clients.
	RealIP bool
	// Master runs HAProxy under a master process, which Reload needs.
	Master bool
	// Admin opens an admin socket, which AdminCommand needs.
	Admin bool
	// ExtraBackend is text appended to the backend.
	ExtraBackend string
}

// HAProxyBalancer is a running HAProxy. Its log, with the cookie flags, is the file
// haproxy.stdout in the log directory.
type HAProxyBalancer struct {
	*Balancer
	program      string
	stats, admin string
}

// HAProxy starts HAProxy in the foreground.
func HAProxy(tb testing.TB, config HAProxyConfig) *HAProxyBalancer {
	tb.Helper()
	balancer := &HAProxyBalancer{program: program(tb, "haproxy")}
	dir := directory(tb)
	command := Command{
		Name: "haproxy",
		Path: balancer.program,
		Args: []string{"-db", "-f", filepath.Join(logDir(dir), "haproxy.conf")},
		Dir:  dir,
		Addr: FreeAddr(tb),
	}
	if config.Master {
		command.Args = append(command.Args, "-W")
	}
	balancer.Balancer = &Balancer{newProcess(tb, command)}
	if err := balancer.write(balancer.ConfigFile(), config); err != nil {
		tb.Fatalf("configuring HAProxy: %v", err)
	}
	balancer.Start()
	return balancer
}

// write renders the configuration with its own statistics port and socket.
func (h *HAProxyBalancer) write(path string, config HAProxyConfig) error {
	h.stats, h.admin = FreeAddr(h.tb), FreeAddr(h.tb)
	return writeConfig(path, "haproxy.cfg.tmpl", struct {
		HAProxyConfig
		Listen, Stats, AdminAddr string
	}{config, h.Addr(), h.stats, h.admin})
}

// Reload makes the master process load a new configuration, and returns when the new
// worker answers and the old one accepts no connections. It fails the test when HAProxy
// rejects the configuration.
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

// AdminCommand sends a command to the admin socket, such as "set server cluster/node1
// state drain". Any output is an error.
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

// Log returns the path of the log, one line per request.
func (h *HAProxyBalancer) Log() string { return filepath.Join(h.LogDir(), "haproxy.stdout") }

// StatsURL returns the address of the statistics as CSV, on its own port.
func (h *HAProxyBalancer) StatsURL() string { return "http://" + h.stats + "/;csv" }

// ConfigFile returns the path of the configuration.
func (h *HAProxyBalancer) ConfigFile() string { return filepath.Join(h.LogDir(), "haproxy.conf") }
