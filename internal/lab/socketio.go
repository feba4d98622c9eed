package lab

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// SocketIOConfig describes the servers of one Strategy collaboration cluster.
type SocketIOConfig struct {
	// Major is the major version of Socket.IO, 2 or 4. 0 means 4.
	Major int
	// Nodes is the number of servers; 0 means 3. They are started in turn, so
	// that the first is the oldest.
	Nodes int
	// Transports are what the servers speak. Nil: polling and websocket.
	Transports []string
	// Redis and Postgres are what the servers depend on. Nil: not on that.
	Redis, Postgres *Dependency
}

// SocketIONode is a running stand-in for a Strategy Collaboration Server: a real
// Socket.IO server, and a /status that says whether its dependencies answer it.
type SocketIONode struct {
	*Process
	config CollaborationConfig
}

// CollaborationConfig is a server's configuration file, in the words of the
// product's clustering guide. Version, PausedCode and Transports are the
// stand-in's own.
type CollaborationConfig struct {
	Host           string      `json:"host"`
	Port           int         `json:"port"`
	DataSource     *DataSource `json:"dataSource,omitempty"`
	Logging        bool        `json:"logging"`
	EnableTLS      bool        `json:"enableTls"`
	Scaling        string      `json:"scaling"` // horizontal, vertical or none
	RedisServerURL string      `json:"redisServerUrl,omitempty"`
	Version        string      `json:"version"`
	PausedCode     int         `json:"pausedCode,omitempty"` // HTTP status of /status while paused; 0: 200
	Transports     []string    `json:"transports,omitempty"` // Engine.IO's; none: polling and websocket
}

// DataSource is the PostgreSQL that a server keeps its comments in.
type DataSource struct {
	Host     string `json:"host"`
	Port     int    `json:"port"`
	Username string `json:"username"`
}

// SocketIO starts the servers of a cluster. Their modules come from the npm
// registry, once, and are kept in the user's cache directory; where they cannot
// be had the test is skipped, or fails, as [Require] does.
func SocketIO(tb testing.TB, config SocketIOConfig) []*SocketIONode {
	tb.Helper()
	node, modules := program(tb, "node"), socketIOModules(tb, cmp.Or(config.Major, 4))
	nodes := make([]*SocketIONode, cmp.Or(config.Nodes, 3))
	for i := range nodes {
		nodes[i] = startSocketIO(tb, node, modules, config)
	}
	return nodes
}

func startSocketIO(tb testing.TB, node, modules string, config SocketIOConfig) *SocketIONode {
	tb.Helper()
	dir := directory(tb)
	script := filepath.Join(dir, "server.js")
	if err := copyEmbedded("socketio/server.js", script); err != nil {
		tb.Fatal(err)
	}
	n := &SocketIONode{config: config.collaboration(tb)}
	n.Process = newProcess(tb, Command{
		Name: "socketio",
		Path: node,
		Args: []string{script, collaborationFile(dir)},
		Env:  []string{"NODE_PATH=" + filepath.Join(modules, "node_modules")},
		Dir:  dir,
		Addr: net.JoinHostPort(n.config.Host, strconv.Itoa(n.config.Port)),
	})
	n.configure()
	n.Start()
	return n
}

// collaboration is the configuration of a healthy server.
func (c SocketIOConfig) collaboration(tb testing.TB) CollaborationConfig {
	tb.Helper()
	host, port := splitAddr(tb, FreeAddr(tb))
	config := CollaborationConfig{Host: host, Port: port, Logging: true, Scaling: "horizontal", Version: "11.0.0.720", Transports: c.Transports}
	if c.Redis != nil {
		config.RedisServerURL = c.Redis.URL()
	}
	if c.Postgres != nil {
		host, port := splitAddr(tb, c.Postgres.Addr())
		config.DataSource = &DataSource{Host: host, Port: port, Username: User}
	}
	return config
}

// URL is the server's root when asked directly.
func (n *SocketIONode) URL() string { return "http://" + n.Addr() }

// Restart gives the server another configuration, as an operator would: it is
// read at the start only.
func (n *SocketIONode) Restart(change func(*CollaborationConfig)) {
	n.tb.Helper()
	n.Stop()
	change(&n.config)
	n.configure()
	n.Start()
}

// configure writes the file that the server's command line names.
func (n *SocketIONode) configure() {
	n.tb.Helper()
	text, err := json.MarshalIndent(n.config, "", "  ")
	if err == nil {
		err = os.WriteFile(collaborationFile(n.command.Dir), text, 0o600)
	}
	if err != nil {
		n.tb.Fatalf("configuring a Socket.IO server: %v", err)
	}
}

func collaborationFile(dir string) string { return filepath.Join(logDir(dir), "config.json") }

// Sessions counts Engine.IO's sessions in one server.
type Sessions struct {
	Open   int            `json:"clientsCount"`
	Opened int            `json:"opened"` // since the start
	Closed map[string]int `json:"closed"` // by Engine.IO's reason, such as "transport close"
}

// Sessions asks the server for its sessions.
func (n *SocketIONode) Sessions() (Sessions, error) {
	var s Sessions
	request, err := http.NewRequestWithContext(n.tb.Context(), http.MethodGet, n.URL()+"/debug", nil)
	if err != nil {
		return s, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return s, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&s); err != nil {
		return s, fmt.Errorf("decoding the sessions of %q: %w", n.Addr(), err)
	}
	return s, nil
}

func splitAddr(tb testing.TB, addr string) (host string, port int) {
	tb.Helper()
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		tb.Fatalf("splitting %q: %v", addr, err)
	}
	if port, err = strconv.Atoi(text); err != nil {
		tb.Fatalf("reading the port of %q: %v", addr, err)
	}
	return host, port
}
