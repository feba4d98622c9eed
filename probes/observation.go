package probes

import (
	"net/netip"
	"net/url"
	"time"
)

// A NodeObservation is what a node answered when asked directly.
type NodeObservation struct {
	Node    string        // its id in the configuration
	Primary Exchange      // the request that tells whether it is up: status, else session page, else first page, else /
	Status  *StatusReport // what /status said; nil: not asked, or nothing that could be read
	Session *Exchange     // the session test page; nil: not asked
	Pages   []Exchange    // in the order of Cluster.Pages
	Label   string        // how the node calls itself; "": it does not tell
	Version string
	Clock   ClockOffset

	// StatusError says why nothing could be read in a status that was answered
	// with 200; "": it could, or was not asked or answered.
	StatusError string
}

// A BalancerObservation is what one address of the balancer answered to a
// plain client.
type BalancerObservation struct {
	URL     string // as configured
	Address netip.AddrPort
	Primary Exchange
	Pages   []Exchange // in the order of Cluster.Pages
	Waiting int        // addresses of the URL that are not probed now, but in their turn
}

// A DependencyObservation is what a dependency said to stickwatch itself.
type DependencyObservation struct {
	Name       string
	Up         bool
	Error      string
	LocalError bool // this machine could not ask it; see Own
	Took       time.Duration
}

// A HandshakeObservation is one Engine.IO client's handshake, through an address
// of the balancer or with a node directly.
type HandshakeObservation struct {
	Node     string // the node asked directly; "": through the balancer
	URL      string
	Balancer netip.AddrPort
	Client   string
	Expected string
	Opened   bool   // the polling open was answered with a sid
	Known    bool   // the polls that followed knew the sid
	Upgraded bool   // the WebSocket upgrade passed and was answered
	Offered  bool   // the server offers the upgrade
	Stage    string // the stage that broke: open, poll, upgrade; "": none
	Status   int    // HTTP status at that stage
	TimedOut bool   // it broke because there was no time left for it
	Error    string
	Series   string // the per-process counter in the sid, where it has one
}

// EvidenceSources are where a balancer tells about its own servers. Zero fields
// are sources that there are not.
type EvidenceSources struct {
	NginxErrorLog         string   // path of a file on this machine
	HAProxyStats          *url.URL // the statistics page
	ApacheStatus          *url.URL // /server-status, with ProxyStatus On
	ApacheBalancerManager *url.URL
	CaddyAdmin            *url.URL
}

// An EvidenceObservation is what a balancer told about its own servers: a log
// it writes, or a page it serves. How its names map to nodes is not known here.
type EvidenceObservation struct {
	Kind   EvidenceKind
	Source string // where it was read, without credentials and query
	At     time.Time
	Error  string // why it could not be read, in one clean line; "": it was read

	Servers []ServerEvidence
	// Pools are upstreams that had no live server left when asked for one. Only
	// an nginx error log names them, and only then; of their names Pool is set.
	Pools []ServerEvidence

	// Silent tells why the absence of a server from this source, or of an
	// ejection, proves nothing; "": silence is telling.
	NoAbsence string
}

// An EvidenceKind is a way by which balancers tell.
type EvidenceKind string

// The kinds, by their keys in a configuration.
const (
	EvidenceNginxErrorLog         EvidenceKind = "nginx_error_log"
	EvidenceHAProxyStats          EvidenceKind = "haproxy_stats"
	EvidenceApacheStatus          EvidenceKind = "apache_status"
	EvidenceApacheBalancerManager EvidenceKind = "apache_balancer_manager"
	EvidenceCaddyAdmin            EvidenceKind = "caddy_admin"
)

// ServerEvidence is what a balancer told about one of its servers.
type ServerEvidence struct {
	Pool    string // the upstream, backend or balancer it belongs to; "": not told
	Server  string // as the balancer names it: host:port, route or server name
	Address string // its host:port or unix:PATH; "": not told
	Scheme  string // by which it is asked, such as "ajp"; "": not told
	State   ServerState
	Since   time.Time // of the state; zero: not told
	Fails   int       // failures the source counts; 0: none, or it does not count
	Detail  string    // what the source said, in one clean line

	Episodes []Episode // the newest ejections, oldest first; nginx only
	Failures Failures  // nginx only
}

// A ServerState is what a balancer does with a server.
type ServerState string

// The states of a server. Up: clients are sent there (to a backup, when no
// other is left). Down: the balancer found it failing. Draining: sessions it
// has may go on, new ones go elsewhere. Maintenance: an operator took it out.
const (
	ServerUp          ServerState = "up"
	ServerDown        ServerState = "down"
	ServerDraining    ServerState = "draining"
	ServerMaintenance ServerState = "maintenance"
	ServerUnknown     ServerState = "unknown"
)

// An Episode is one ejection. nginx repeats its line on every failed trial, so
// the lines of one ejection are many, and their number means traffic.
type Episode struct {
	First, Last time.Time // its first and last line, to the second
	Lines       int
}

// Failures are the failed tries at a server that nginx counts against its
// max_fails, whoever asked. Its log has a line for each, at the level error, and
// hence also where ejections are left out; those of an invalid header are left
// out here, for their lines quote the server. A log names a server by its
// address alone: of one that two upstreams share, the failures are of both.
type Failures struct {
	// Since is from when on every one is known: the log may have been cut, or be
	// longer than what is read of it. Zero: it tells of none, or its times are not
	// to be believed.
	Since time.Time
	// Seconds are the newest seconds that had failures, oldest first.
	Seconds []SecondCount

	// Run counts those since the last pause longer than fail_timeout. Where the
	// upstream has a zone, or there is one worker, it is what nginx has counted,
	// provided that a request succeeded in the pause: if none did, it forgot
	// nothing and has counted more.
	Run int
	// RunOfWorker is the longest run of a single worker, which is what holds in
	// an upstream without a zone.
	RunOfWorker int
	// Workers is how many of them had failures in the run.
	Workers int
}

// A SecondCount is how often something happened within a second of the clock.
type SecondCount struct {
	At    time.Time
	Count int
}
