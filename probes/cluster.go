package probes

import (
	"crypto/tls"
	"fmt"
	"net/url"
	"time"
)

// A Cluster is one application behind one balancer: everything a round needs
// to know before it asks. It is read only; rounds share it.
type Cluster struct {
	Name     string
	Profile  string
	Balancer Balancer
	Nodes    []Node // in the order of the balancer's own server lines: hashing depends on it

	Session      *Session // nil: no session test
	Status       *Status  // nil: nodes have no status endpoint
	Pages        []Page
	Handshake    *Handshake // nil: no Engine.IO
	Dependencies []Dependency

	Version Extractor // from a node's primary page; nil: the status tells, or nobody
	TLS     *tls.Config
	Limits  Limits

	Dial DialFunc // opens every connection to nodes, the balancer and its evidence; nil: a net.Dialer

	Budget  Budget
	Limiter *Limiter // keeps requests to the nodes within Budget, see Limit; nil: nothing does
}

// Limit has every request to the nodes of c kept within b from now on.
func (c *Cluster) Limit(b Budget) {
	c.Budget, c.Limiter = b, NewLimiter(b, c.Nodes)
}

// A Balancer is what clients talk to. Each URL, and each address its host
// resolves to, is probed as a balancer of its own.
type Balancer struct {
	URLs        []*url.URL
	Method      Method
	MaxFails    int           // failures before nginx ejects a server; 0 turns ejection off
	FailTimeout time.Duration // for how long it stays ejected

	// ClientIPHeader names a request header from which the balancer takes the
	// client address of connections of this prober (nginx: set_real_ip_from and
	// real_ip_header). With it a canary can choose where ip_hash sends it.
	ClientIPHeader string

	HashKey    string // what `hash` hashes: "$remote_addr", "$http_NAME", "$cookie_NAME"; "" is unknown
	Consistent bool   // `hash ... consistent`

	Evidence EvidenceSources // what the balancer itself tells
}

// A Method is how a balancer chooses the node for a new client.
type Method string

// The methods a configuration can name.
const (
	MethodUnknown    Method = "unknown"
	MethodIPHash     Method = "ip_hash"
	MethodHash       Method = "hash"
	MethodRoundRobin Method = "round_robin"
	MethodLeastConn  Method = "least_conn"
	MethodRandom     Method = "random"
	MethodCookie     Method = "cookie"
)

// Methods lists every Method, the default first.
var Methods = []Method{
	MethodUnknown, MethodIPHash, MethodHash, MethodRoundRobin, MethodLeastConn, MethodRandom, MethodCookie,
}

// A Node is one application server, as it can be asked directly.
type Node struct {
	ID      string
	URL     *url.URL
	Host    string // Host header and TLS name when asked directly; "": the URL's own
	Label   string // how the node calls itself, where that is neither ID nor learnt by asking it
	Server  string // its name in the balancer's server line; "": host:port of URL
	Weight  int    // at least 1
	Down    bool   // marked down in the balancer's file: keeps its share of the hash, gets no client
	Backup  bool   // gets clients only when no other node is left
	Primary bool   // must be started before the others
}

// ServerName is the node as the balancer's own file calls it.
func (n Node) ServerName() string {
	if n.Server != "" {
		return n.Server
	}
	return n.URL.Host
}

// A Policy is what users were promised about their session.
type Policy string

// The promises. Sticky: a session stays on its node while that node is
// healthy. Shared: any node may answer. Replicated: sticky, and the session
// survives its node.
const (
	PolicySticky     Policy = "sticky"
	PolicyShared     Policy = "shared"
	PolicyReplicated Policy = "replicated"
	PolicyNone       Policy = "none"
)

// Policies lists every Policy.
var Policies = []Policy{PolicySticky, PolicyShared, PolicyReplicated, PolicyNone}

// A Session tells how to open a session and how to read who answered.
type Session struct {
	Path    string
	Policy  Policy
	Node    Extractor     // which node answered; nil: cannot be told
	ID      Extractor     // the session id without its route; nil: cannot be told
	Store   Extractor     // which store holds the session, as memcached-session-manager tells in the id; nil: not told
	Cookie  string        // the session cookie's name, where ID reads one; "": any
	Write   string        // path and query that store "{value}" in the session; "": the application takes none
	Timeout time.Duration // for how long the application keeps an unused session; 0: not known
	Read    Extractor     // reads the stored value from Path; nil: as Write
}

// A Status is a node's status endpoint: JSON with state, reason and version.
type Status struct {
	Path     string
	Settings []string // top-level keys that must be equal on all nodes
}

// A Page is a path whose answer is judged by its HTTP status alone.
type Page struct {
	Path string
	Want StatusRange
}

// A Handshake is an Engine.IO endpoint.
type Handshake struct {
	Path string
}

// A Dependency is a service the nodes need. Scheme tells the client to use:
// redis, mysql, postgres, memcached, tcp, http.
type Dependency struct {
	Name string
	URL  *url.URL
}

// Limits bound what is asked and tell when an answer is worth a finding.
type Limits struct {
	Timeout           time.Duration // of one exchange, name resolution to last byte
	Slow              time.Duration // an answer above it is `slow`; 0: never
	ClockSkew         time.Duration // the most by which two nodes' clocks may differ
	CertificateExpiry time.Duration // a certificate with less left is `certificate_expiring`
}

// DefaultFailTimeout is nginx's fail_timeout where its file is silent.
const DefaultFailTimeout = 10 * time.Second

// DefaultLimits hold where a configuration is silent.
var DefaultLimits = Limits{
	Timeout:           5 * time.Second,
	Slow:              2 * time.Second,
	ClockSkew:         5 * time.Second,
	CertificateExpiry: 14 * 24 * time.Hour,
}

// A StatusRange is the HTTP statuses a page may answer with, both ends included.
type StatusRange struct{ From, To int }

// Has reports whether status is in the range.
func (r StatusRange) Has(status int) bool { return r.From <= status && status <= r.To }

// String is the range as a configuration writes it.
func (r StatusRange) String() string {
	if r.From == r.To {
		return fmt.Sprint(r.From)
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}
