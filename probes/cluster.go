// Package probes sends requests to a cluster and records the answers.
//
// A failed request is an observation, too, and carries its error. A Go error means that
// stickwatch itself failed. Package checks decides what observations mean.
//
// Read the types in this order. A [Client] sends requests to one [Target], which is a
// node or an address of the balancer. A [Canary] is a client with a session of its own,
// which it opens through the balancer and checks with later requests. A [Trace] is the
// record of all requests of one canary. An [Exchange] is one request with its answer,
// or with the reason why there is none. A [Jar] stores the cookies of a client as a
// browser does, and can be copied. A [Limiter] delays requests so that the nodes of a
// cluster stay within a [Budget].
//
// Everything that a target sends is untrusted: its size and the time to read it are
// bounded, and control characters are removed. A session id never leaves this package;
// a [Fingerprint] takes its place.
package probes

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A Cluster is one application behind one balancer, with everything that a round of
// probes needs. Rounds share it and do not change it.
type Cluster struct {
	Name     string
	Profile  string
	Balancer Balancer
	Nodes    []Node // in the order of the balancer's server lines, on which hashing depends

	Source    NodeSource // lists nodes that come and go; nil: Nodes never changes
	Unordered bool       // Source knows no order, so that hashes cannot be computed
	Left      []LeftNode // nodes that Source has ceased to list

	Sites []string // from which a fleet watches it; nil: from where one of its instances is
	Base  string   // of a site's view of a cluster, see From: the name of that cluster; "": it is none

	Session      *Session // nil: sessions are not tested
	Status       *Status  // nil: nodes have no status endpoint
	Pages        []Page
	Handshake    *Handshake // nil: none
	Dependencies []Dependency

	Version Extractor // reads the version from a node's primary page; nil: the status has it, or nothing
	Title   Extractor // reads the titles of Pages; nil: they are judged by their status
	TLS     *tls.Config
	Header  http.Header // that every request to the nodes and the balancer carries, see Target
	Limits  Limits

	Dial DialFunc // opens connections to nodes, the balancer and its evidence; nil: a net.Dialer

	Budget  Budget
	Limiter *Limiter // keeps requests to the nodes within Budget, see Limit; nil: no limit
}

// From returns a cluster as a site sees it, which is watched like a cluster of its own.
func (c *Cluster) From(site string) *Cluster {
	view := *c
	view.Name, view.Base, view.Sites = ViewName(c.Name, site), c.Name, nil
	return &view
}

// ViewName returns the name of a site's view of a cluster.
func ViewName(cluster, site string) string { return cluster + "@" + site }

// Limit keeps all later requests to the nodes of c within b.
func (c *Cluster) Limit(b Budget) {
	c.Budget, c.Limiter = b, NewLimiter(b, c.Nodes)
}

// A Balancer is the load balancer in front of the nodes. Each URL, and each address
// that its host resolves to, is probed as a separate balancer.
type Balancer struct {
	URLs        []*url.URL
	Method      Method
	MaxFails    int           // failures before nginx ejects a server; 0 disables ejection
	FailTimeout time.Duration // duration of an ejection

	// ClientIPHeader is the request header from which the balancer takes the client
	// address of this prober's requests (nginx: set_real_ip_from and real_ip_header).
	// With it a canary can choose the node to which ip_hash sends it.
	ClientIPHeader string

	HashKey    string // the key of nginx's hash directive: "$remote_addr", "$binary_remote_addr", "$http_NAME", "$cookie_NAME"; "": unknown
	Consistent bool   // `hash ... consistent`

	Evidence EvidenceSources // where the balancer reports the state of its servers
}

// HashesCookie reports whether the balancer hashes a cookie. A client that has just come
// has none: nginx places its first request in turn.
func (b Balancer) HashesCookie() bool {
	return b.Method == MethodHash && strings.HasPrefix(b.HashKey, "$cookie_")
}

// HashesAddress reports whether the balancer hashes the client's address.
func (b Balancer) HashesAddress() bool {
	return b.Method == MethodIPHash || b.Method == MethodSource || b.Method == MethodHash && (b.HashKey == "$remote_addr" || b.HashesAddressBytes())
}

// HashesAddressBytes reports whether the balancer hashes the bytes of the client's address instead of its text.
func (b Balancer) HashesAddressBytes() bool {
	return b.Method == MethodHash && b.HashKey == "$binary_remote_addr"
}

// HashesClients reports whether the balancer hashes something that a client has from its first
// request on, so that the hash names the client's node.
func (b Balancer) HashesClients() bool { return b.Method.Hashes() && !b.HashesCookie() }

// A Method is the algorithm by which a balancer chooses the node of a new client.
type Method string

// The methods that a configuration can name.
const (
	MethodUnknown    Method = "unknown"
	MethodIPHash     Method = "ip_hash"
	MethodHash       Method = "hash"
	MethodSource     Method = "source" // HAProxy's hash of the client's address, map-based
	MethodRoundRobin Method = "round_robin"
	MethodLeastConn  Method = "least_conn"
	MethodRandom     Method = "random"
	MethodCookie     Method = "cookie"
)

// Methods lists every Method, the default first.
var Methods = []Method{
	MethodUnknown, MethodIPHash, MethodHash, MethodSource, MethodRoundRobin, MethodLeastConn, MethodRandom, MethodCookie,
}

// Hashes reports whether the method computes the node from the client.
func (m Method) Hashes() bool { return m == MethodIPHash || m == MethodHash || m == MethodSource }

// KeepsClients reports whether the method sends a client to the same node again.
func (m Method) KeepsClients() bool { return m.Hashes() || m == MethodCookie }

// A Node is one application server that can be requested directly.
type Node struct {
	ID      string
	URL     *url.URL
	Host    string // Host header and TLS server name of direct requests; "": those of URL
	Label   string // the name that the node reports, if that is neither ID nor learnt by a direct request
	Server  string // its name in the balancer's server line; "": host:port of URL
	Weight  int    // at least 1
	Down    bool   // marked down in the balancer's file: keeps its share of the hash and receives no client
	Backup  bool   // receives clients only when no other node is left
	Primary bool   // must be started before the others

	Protocol NodeProtocol // of direct requests; "": HTTP/1.1
}

// ServerName returns the node's name in the balancer's configuration.
func (n Node) ServerName() string {
	if n.Server != "" {
		return n.Server
	}
	return n.URL.Host
}

// A Policy is the guarantee that users have about their session.
type Policy string

// The policies. Sticky: a session stays on its node while that node is healthy. Shared:
// any node may answer. Replicated: sticky, and the session survives a failure of its
// node. None: no guarantee.
const (
	PolicySticky     Policy = "sticky"
	PolicyShared     Policy = "shared"
	PolicyReplicated Policy = "replicated"
	PolicyNone       Policy = "none"
)

// Policies lists every Policy.
var Policies = []Policy{PolicySticky, PolicyShared, PolicyReplicated, PolicyNone}

// KeepsClients reports whether a client is to stay on one node while that is healthy.
func (p Policy) KeepsClients() bool { return p == PolicySticky || p == PolicyReplicated }

// A Session describes how to open a session and how to read which node answered.
type Session struct {
	Path    string
	Policy  Policy
	Node    Extractor     // reads which node answered; nil: unknown
	ID      Extractor     // reads the session id without its route; nil: unknown
	Store   Extractor     // reads which store holds the session, which memcached-session-manager writes into the id; nil: unknown
	Cookie  string        // name of the session cookie, if ID reads one; "": any
	Write   string        // path and query that store "{value}" in the session; "": values cannot be stored
	Timeout time.Duration // for which the application keeps an unused session; 0: unknown
	Read    Extractor     // reads the stored value from Path; nil: values cannot be read
	Login   *Login        // how users log in; nil: a visitor has a session
}

// assumedTimeout is the session timeout of an application if none is configured.
const assumedTimeout = 30 * time.Minute

// SessionTimeout returns for how long the application keeps an unused session, or what is assumed.
func (c *Cluster) SessionTimeout() time.Duration {
	if c.Session == nil || c.Session.Timeout <= 0 {
		return assumedTimeout
	}
	return c.Session.Timeout
}

// writesToPage reports whether values are stored by a request for the session's own page.
func (s *Session) writesToPage() bool {
	path, _, _ := strings.Cut(s.Write, "?")
	return path == s.Path
}

// A Status is a node's status endpoint: JSON with state, reason and version.
type Status struct {
	Path     string
	Settings []string // top-level keys whose values must be equal on all nodes
}

// A Page is a path whose answer is checked by its HTTP status alone.
type Page struct {
	Path string
	Want StatusRange
}

// A Handshake is the endpoint of a protocol that connects in several requests, which must
// reach one node.
type Handshake struct {
	Path string
	Kind HandshakeKind
}

// A HandshakeKind is the protocol of a handshake.
type HandshakeKind string

// The kinds: Engine.IO, on which socket.io is built, and SignalR of ASP.NET Core.
const (
	HandshakeEngineIO HandshakeKind = "engine.io"
	HandshakeSignalR  HandshakeKind = "signalr"
)

// HandshakeKinds lists every HandshakeKind, the default first.
var HandshakeKinds = []HandshakeKind{HandshakeEngineIO, HandshakeSignalR}

// A Dependency is a service that the nodes need. The scheme of URL selects the client:
// redis, mysql, postgres, memcached, tcp, http.
type Dependency struct {
	Name string
	URL  *url.URL
}

// Limits are the timeout of requests and the thresholds of findings.
type Limits struct {
	Timeout           time.Duration // of one exchange, from name resolution to the last byte
	Slow              time.Duration // an answer that takes longer is `slow`; 0: never
	ClockSkew         time.Duration // largest accepted difference between two nodes' clocks
	CertificateExpiry time.Duration // a certificate with less time left is `certificate_expiring`
}

// DefaultFailTimeout is nginx's default fail_timeout.
const DefaultFailTimeout = 10 * time.Second

// DefaultLimits apply where a configuration has no limits.
var DefaultLimits = Limits{
	Timeout:           5 * time.Second,
	Slow:              2 * time.Second,
	ClockSkew:         5 * time.Second,
	CertificateExpiry: 14 * 24 * time.Hour,
}

// A StatusRange is the range of HTTP statuses that a page may answer with, both ends
// included.
type StatusRange struct{ From, To int }

// Has reports whether status is in the range.
func (r StatusRange) Has(status int) bool { return r.From <= status && status <= r.To }

// String returns the range as a configuration writes it.
func (r StatusRange) String() string {
	if r.From == r.To {
		return fmt.Sprint(r.From)
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

// A NodeSource is where the nodes of a cluster come from while it is watched.
type NodeSource interface {
	State() SourceState
	Refresh()               // asks the source again soon, and does not wait for its answer
	Update(context.Context) // asks it now; its answer is in use when Update returns
}

// A SourceState is how far a NodeSource can be relied on.
type SourceState struct {
	Name     string        // such as "dns A app.internal"
	Answered time.Time     // when it last gave a usable list; zero: never
	Restored bool          // that was before this process; the list was stored
	Interval time.Duration // between two questions while it answers
	Nodes    int           // nodes in the list that is used
	Failing  time.Time     // since when it gives no usable list; zero: it does
	Error    string        // why, in one clean line; "": it does
}

// A LeftNode is a node that its source no longer lists. Its clients may still arrive.
type LeftNode struct {
	Node
	LastLabel string    // the name that it reported last; "": unknown
	At        time.Time // when it left
}

// LeftSince returns the nodes that have left since a moment and have not come back.
func (c *Cluster) LeftSince(moment time.Time) []LeftNode {
	var list []LeftNode
	for _, n := range c.Left {
		if !n.At.Before(moment) {
			list = append(list, n)
		}
	}
	return list
}
