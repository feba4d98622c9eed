package lab

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"stickwatch/internal/must"
)

// SocketIOConfig describes the servers of a Strategy collaboration cluster.
type SocketIOConfig struct {
	// Major is the major version of Socket.IO, 2 or 4. 0 means 4.
	Major int
	// Nodes is the number of servers; 0 means 3. They start one after the other, so
	// that the first is the oldest.
	Nodes int
	// Transports are the servers' transports. Nil: polling and websocket.
	Transports []string
	// Redis and Postgres are the servers' dependencies. Nil: none.
	Redis, Postgres *Dependency
}

// SocketIONode is a running substitute for a Strategy Collaboration Server: a real
// Socket.IO server with a /status that reports its dependencies.
type SocketIONode struct {
	*Process
	config CollaborationConfig
}

// CollaborationConfig is a server's configuration file in the format of the product's
// clustering guide. Version, PausedCode and Transports are additions of the substitute.
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
	Transports     []string    `json:"transports,omitempty"` // of Engine.IO; none: polling and websocket
}

// DataSource is the PostgreSQL with a server's comments.
type DataSource struct {
	Host     string `json:"host"`
	Port     int    `json:"port"`
	Username string `json:"username"`
}

// SocketIO starts the servers of a cluster. Their modules are downloaded once from the
// npm registry to the user's cache directory. If that fails, the test is skipped or
// fails, as with [Require].
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
	must.Succeed(tb, copyEmbedded("socketio/server.js", script))
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

// collaboration returns the configuration of a healthy server.
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

// URL returns the server's root for direct requests.
func (n *SocketIONode) URL() string { return "http://" + n.Addr() }

// Restart restarts the server with another configuration, which it reads only at the
// start.
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

// Sessions are the numbers of Engine.IO sessions in a server.
type Sessions struct {
	Open   int            `json:"clientsCount"`
	Opened int            `json:"opened"` // since the start
	Closed map[string]int `json:"closed"` // by Engine.IO's reason, such as "transport close"
}

// Sessions requests the numbers from the server.
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

// nodeFiles are the programs of servers in JavaScript, and the lock files of
// their modules: one of each major version of Socket.IO. Integrity hashes pin
// every module, wherever it comes from.
//
//go:embed socketio express
var nodeFiles embed.FS

// socketIOModules returns the modules of a major version of Socket.IO.
func socketIOModules(tb testing.TB, major int) string {
	tb.Helper()
	return nodeModules(tb, fmt.Sprintf("socketio-%d", major), "socketio/"+strconv.Itoa(major))
}

// nodeModules returns a folder with the node_modules of the lock file in the embedded
// folder from. It is created under another name and then renamed, so that concurrent
// tests see it complete or not at all. name is the folder's name in the user's cache.
func nodeModules(tb testing.TB, name, from string) string {
	tb.Helper()
	npm := program(tb, "npm")
	lock, err := nodeFiles.ReadFile(from + "/package-lock.json")
	if err != nil {
		tb.Fatalf("the lab has no modules of %q: %v", from, err)
	}
	cache := moduleCache(tb, name)
	dir := filepath.Join(cache, fmt.Sprintf("%x", sha256.Sum256(lock))[:16])
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	staging, err := os.MkdirTemp(cache, "installing-")
	if err != nil {
		tb.Fatalf("making a folder for node modules: %v", err)
	}
	defer func() { _ = os.RemoveAll(staging) }() // what the rename has left
	installModules(tb, npm, from, staging)
	if err := os.Rename(staging, dir); err != nil {
		if _, missing := os.Stat(dir); missing != nil { // else another test was faster
			tb.Fatalf("keeping node modules: %v", err)
		}
	}
	return dir
}

// moduleCache returns a folder that outlives the test, or the test's own folder for a
// user without a cache directory.
func moduleCache(tb testing.TB, name string) string {
	tb.Helper()
	if cache, err := os.UserCacheDir(); err == nil {
		dir := filepath.Join(cache, "stickwatch-lab", name)
		if os.MkdirAll(dir, 0o755) == nil {
			return dir
		}
	}
	return tb.TempDir()
}

// installModules runs npm. Any failure means that the server is not available.
func installModules(tb testing.TB, npm, from, to string) {
	tb.Helper()
	for _, name := range []string{"package.json", "package-lock.json"} {
		must.Succeed(tb, copyEmbedded(from+"/"+name, filepath.Join(to, name)))
	}
	err := prepare(tb, Command{
		Name: "npm ci",
		Path: npm,
		Args: []string{"ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1"},
		Dir:  to,
	})
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		tb.Fatalf("the lab needs the modules of %q, which cannot be installed: %v", from, err)
	default:
		tb.Skipf("the lab needs the modules of %q, which cannot be installed: %v", from, err)
	}
}

func copyEmbedded(name, to string) error {
	text, err := nodeFiles.ReadFile(name)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}
