package demo

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A NodeConfig is what a node is, as long as nothing is wrong with it.
type NodeConfig struct {
	ID      string // how it calls itself, and the route in its cookies
	Addr    string // host:port to listen on; "": a free port of 127.0.0.1
	Version string // "": 1.0.0
	Cookie  string // of the generic test page; "": SESSIONID
	GBK     bool   // the e-Bridge test page is in GBK instead of UTF-8

	Network Network // nil: loopback

	Store   Store     // nil: its own memory, which a restart empties
	UpSince time.Time // when its process pretends to have started; zero: when it did

	// Memcached names the memcached node that has the sessions at the moment,
	// which memcached-session-manager shows in every id; nil: always n1.
	Memcached func(context.Context) string

	// Dependencies are asked whenever somebody asks for /status: by the name
	// that /status gives them, such as "Redis Server".
	Dependencies map[string]func(context.Context) error
}

// A Node is an application server. It shows all faces at once:
//
//	/cluster/test             the generic session test page
//	/main/base/cluster/test   that of Weaver e-Bridge
//	/cluster/index.jsp        that of Tomcat with session replication
//	/index.jsp                that of memcached-session-manager
//	/status, /socket.io/      Strategy Collaboration Server
//	/, /app_a/, /app_b/       plain pages
//
// Its methods may be called side by side.
type Node struct {
	config   NodeConfig
	endpoint *endpoint
	mux      *http.ServeMux
	faults   atomic.Pointer[NodeFaults]
	process  atomic.Pointer[process]
	killed   atomic.Bool // the process has ended, and none has begun since
}

// A process is what a restart throws away.
type process struct {
	pid     int64
	since   time.Time
	memory  *MemoryStore
	sockets *sockets

	requests atomic.Int64
	returned atomic.Int64 // requests that brought a session cookie, while some of them hang

	lastMu sync.Mutex
	last   Session // that was stored last, while sessions overwrite each other
}

// started counts the processes of all nodes, so that no two have one pid.
var started atomic.Int64

func newProcess(since time.Time) *process {
	const first = 900 // as in the vendor's example
	return &process{pid: first - 1 + started.Add(1), since: since, memory: NewStore(), sockets: newSockets()}
}

// StartNode starts a healthy node. The error is that its address is not to be
// had.
func StartNode(c NodeConfig) (*Node, error) {
	if c.Version == "" {
		c.Version = "1.0.0"
	}
	if c.Cookie == "" {
		c.Cookie = "SESSIONID"
	}
	if c.Memcached == nil {
		c.Memcached = func(context.Context) string { return "n1" }
	}
	if c.UpSince.IsZero() {
		c.UpSince = time.Now()
	}
	n := &Node{config: c}
	n.Set(NodeFaults{})
	n.process.Store(newProcess(c.UpSince))
	n.mux = n.routes()
	n.endpoint = newEndpoint(c.Addr, serveHTTP(n, nil)).on(c.Network)
	if err := n.Start(); err != nil {
		return nil, err
	}
	return n, nil
}

// ID returns the node's own id, whatever it calls itself.
func (n *Node) ID() string { return n.config.ID }

// Addr returns the node's host:port, which it keeps while it is stopped.
func (n *Node) Addr() string { return n.endpoint.address() }

// URL returns the node's root, without a slash at its end.
func (n *Node) URL() string { return "http://" + n.Addr() }

// Stop makes the node refuse connections and cuts those it has. Its sessions
// stay, as those of a server whose network is gone.
func (n *Node) Stop() { n.endpoint.stop() }

// Kill ends the node's process: it refuses connections, and what it had in
// memory is gone. Start then begins a new process.
func (n *Node) Kill() {
	n.Stop()
	n.killed.Store(true)
}

// Start makes a stopped node listen again, at its address.
func (n *Node) Start() error {
	if n.killed.Swap(false) {
		n.process.Store(newProcess(time.Now()))
	}
	return n.endpoint.start()
}

// Restart replaces the node's process: it has a new pid, and nothing in memory.
func (n *Node) Restart() error {
	n.Kill()
	return n.Start()
}

// Close stops the node for good.
func (n *Node) Close() { n.endpoint.close() }

// maxBody bounds the body of a request, in bytes. nginx's default is the same.
const maxBody = 1 << 20

// ServeHTTP answers as the node does at the moment.
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

// id is how the node calls itself.
func (n *Node) id() string {
	if id := n.Faults().ID; id != "" {
		return id
	}
	return n.config.ID
}

// version is the one the node says it runs.
func (n *Node) version() string {
	if v := n.Faults().Version; v != "" {
		return v
	}
	return n.config.Version
}

// store is where the node keeps its sessions.
func (n *Node) store() Store {
	if n.config.Store == nil || n.Faults().Private {
		return n.process.Load().memory
	}
	return n.config.Store
}
