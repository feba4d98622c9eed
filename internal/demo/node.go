package demo

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A NodeConfig configures a node.
type NodeConfig struct {
	ID      string // its label, and the route in its cookies
	Addr    string // host:port to listen on; "": a free port of 127.0.0.1
	Version string // "": 1.0.0
	Cookie  string // session cookie of the generic test page; "": SESSIONID
	GBK     bool   // the e-Bridge test page is encoded in GBK instead of UTF-8

	Network Network // nil: loopback

	Store   Store     // nil: its own memory, which a restart empties
	UpSince time.Time // start time that the process reports; zero: the real one

	// Memcached returns the memcached node that currently has the sessions.
	// memcached-session-manager shows it in every id. nil: always n1.
	Memcached func(context.Context) string

	// Dependencies are checked for each request of /status, by the names that it shows,
	// such as "Redis Server".
	Dependencies map[string]func(context.Context) error
}

// A Node is an application server. It serves the pages of all supported applications:
//
//	/cluster/test             the generic session test page
//	/main/base/cluster/test   Weaver e-Bridge
//	/cluster/index.jsp        Tomcat with session replication
//	/index.jsp                memcached-session-manager
//	/status, /socket.io/      Strategy Collaboration Server
//	/, /app_a/, /app_b/       plain pages
//
// Its methods are safe for concurrent use.
type Node struct {
	config   NodeConfig
	endpoint *endpoint
	mux      *http.ServeMux
	faults   atomic.Pointer[NodeFaults]
	process  atomic.Pointer[process]
	killed   atomic.Bool // the process has ended and no new one was started
}

// A process is the state that a restart discards.
type process struct {
	pid     int64
	since   time.Time
	memory  *MemoryStore
	sockets *sockets

	requests atomic.Int64
	returned atomic.Int64 // requests with a session cookie, for ReturningHangs

	lastMu sync.Mutex
	last   Session // session stored last, for Overwrites
}

// started counts the processes of all nodes, so that each has its own pid.
var started atomic.Int64

func newProcess(since time.Time) *process {
	const first = 900 // as in the vendor's example
	return &process{pid: first - 1 + started.Add(1), since: since, memory: NewStore(), sockets: newSockets()}
}

// StartNode starts a healthy node. It returns an error when the address is taken.
func StartNode(nodeConfig NodeConfig) (*Node, error) {
	if nodeConfig.Version == "" {
		nodeConfig.Version = "1.0.0"
	}
	if nodeConfig.Cookie == "" {
		nodeConfig.Cookie = "SESSIONID"
	}
	if nodeConfig.Memcached == nil {
		nodeConfig.Memcached = func(context.Context) string { return "n1" }
	}
	if nodeConfig.UpSince.IsZero() {
		nodeConfig.UpSince = time.Now()
	}
	n := &Node{config: nodeConfig}
	n.Set(NodeFaults{})
	n.process.Store(newProcess(nodeConfig.UpSince))
	n.mux = n.routes()
	n.endpoint = newEndpoint(nodeConfig.Addr, serveHTTP(n, nil)).on(nodeConfig.Network)
	if err := n.Start(); err != nil {
		return nil, err
	}
	return n, nil
}

// ID returns the node's id, even if a fault changes its label.
func (n *Node) ID() string { return n.config.ID }

// Addr returns the node's host:port, which stays reserved while it is stopped.
func (n *Node) Addr() string { return n.endpoint.address() }

// URL returns the node's root, without a trailing slash.
func (n *Node) URL() string { return "http://" + n.Addr() }

// Stop makes the node refuse connections and closes the open ones. Its sessions are
// kept, as for a server without a network.
func (n *Node) Stop() { n.endpoint.stop() }

// Kill ends the node's process: it refuses connections, and its memory is lost. Start
// then starts a new process.
func (n *Node) Kill() {
	n.Stop()
	n.killed.Store(true)
}

// Start makes a stopped node listen again at its address.
func (n *Node) Start() error {
	if n.killed.Swap(false) {
		n.process.Store(newProcess(time.Now()))
	}
	return n.endpoint.start()
}

// Restart replaces the node's process: it has a new pid and empty memory.
func (n *Node) Restart() error {
	n.Kill()
	return n.Start()
}

// DeleteSessions deletes the sessions in the node's memory. Its process runs on.
func (n *Node) DeleteSessions() { n.process.Load().memory.Clear() }

// Close stops the node for good.
func (n *Node) Close() { n.endpoint.close() }

// maxBody limits the body of a request, in bytes. It is nginx's default.
const maxBody = 1 << 20

// ServeHTTP answers a request subject to the node's faults.
func (n *Node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	faults := n.Faults()
	n.process.Load().requests.Add(1)
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	w.Header().Set("Date", time.Now().Add(faults.ClockOffset).UTC().Format(http.TimeFormat))
	if !faults.apply(w, r) {
		n.mux.ServeHTTP(w, r)
	}
}

func (n *Node) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/cluster/test", n.serveTest)
	mux.HandleFunc("/main/base/cluster/test", n.serveEBridge)
	mux.HandleFunc("/cluster/index.jsp", n.serveTomcat)
	mux.HandleFunc("/index.jsp", n.serveMSM)
	mux.HandleFunc("/status", n.serveStatus)
	mux.HandleFunc("/socket.io/", n.serveEngineIO)
	mux.HandleFunc("/login", n.serveLogin)
	for _, path := range []string{"/{$}", "/app_a/{$}", "/app_b/{$}"} {
		mux.HandleFunc(path, n.servePlain)
	}
	return mux
}

// id returns the label that the node shows.
func (n *Node) id() string {
	if id := n.Faults().ID; id != "" {
		return id
	}
	return n.config.ID
}

// version returns the version that the node shows.
func (n *Node) version() string {
	if v := n.Faults().Version; v != "" {
		return v
	}
	return n.config.Version
}

// store returns the session store of the node.
func (n *Node) store() Store {
	if n.config.Store == nil || n.Faults().Private {
		return n.process.Load().memory
	}
	return n.config.Store
}
