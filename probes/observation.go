package probes

import (
	"net/netip"
	"net/url"
	"time"
)

// A NodeObservation is the answers of one node to direct requests.
type NodeObservation struct {
	Node    string        // id in the configuration
	Primary Exchange      // of Cluster.PrimaryPath: it decides whether the node is up
	Status  *StatusReport // of the status endpoint; nil: not requested, or unreadable
	Session *Exchange     // of the session page; nil: not requested
	Pages   []Exchange    // in the order of Cluster.Pages
	Label   string        // the name that the node reports; "": unknown
	// LastLabel is the name that a node without a Label reported last; "": none.
	LastLabel string
	Version   string
	Clock     ClockOffset

	// StatusError is the reason why a status answered with 200 could not be read. "":
	// it could, or it was not requested or not answered with 200.
	StatusError string
}

// A BalancerObservation is the answers of one address of the balancer to a client
// without a session.
type BalancerObservation struct {
	URL     string // as configured
	Address netip.AddrPort
	Primary Exchange
	Pages   []Exchange // in the order of Cluster.Pages
	Waiting int        // number of the URL's addresses that are probed at other times
	NoRoute int        // number of the URL's addresses to whose family this machine has no route
}

// A DependencyObservation is the result of a health check of a dependency by
// stickwatch.
type DependencyObservation struct {
	Name       string
	Up         bool
	Error      string
	LocalError bool // the check failed because of this machine, see IsLocalError
	Took       time.Duration
}

// A HandshakeObservation is one handshake, through an address of the balancer
// or directly with a node.
type HandshakeObservation struct {
	Ended      time.Time // zero: it was not sent
	Node       string    // the node requested directly; "": through the balancer
	URL        string
	Balancer   netip.AddrPort
	Client     string
	TargetNode string
	Opened     bool   // the server answered the polling open with a sid
	Known      bool   // the later polls recognised the sid
	Upgraded   bool   // the WebSocket upgrade succeeded and was answered
	Offered    bool   // the server offers the upgrade
	Stage      string // the stage that failed: open, poll, upgrade; "": none
	Status     int    // HTTP status in that stage
	TimedOut   bool   // it failed because of its timeout
	Error      string
}

// EvidenceSources are the places where a balancer reports the state of its servers.
// Zero fields are not read.
type EvidenceSources struct {
	NginxErrorLog         string   // path of a file on this machine
	HAProxyStats          *url.URL // the statistics page
	ApacheStatus          *url.URL // /server-status, with ProxyStatus On
	ApacheBalancerManager *url.URL
	CaddyAdmin            *url.URL
}

// An EvidenceObservation is the state of a balancer's servers according to its own log
// or status page. It has the balancer's names of servers, which are not matched to
// nodes yet.
type EvidenceObservation struct {
	Kind   EvidenceKind
	Source string // where it was read, without credentials and query
	At     time.Time
	Error  string // why it could not be read, in one clean line; "": it was read

	Servers []ServerEvidence
	// Pools are upstreams that had no live server left for a request. Only an nginx
	// error log reports them, and only Pool is set in them.
	Pools []ServerEvidence

	// NoAbsence is the reason why a server or an ejection that is missing here proves
	// nothing. "": if it is missing, it does not exist.
	NoAbsence string
}

// An EvidenceKind is a kind of log or page in which balancers report.
type EvidenceKind string

// The kinds, by their keys in a configuration.
const (
	EvidenceNginxErrorLog         EvidenceKind = "nginx_error_log"
	EvidenceHAProxyStats          EvidenceKind = "haproxy_stats"
	EvidenceApacheStatus          EvidenceKind = "apache_status"
	EvidenceApacheBalancerManager EvidenceKind = "apache_balancer_manager"
	EvidenceCaddyAdmin            EvidenceKind = "caddy_admin"
)

// ServerEvidence is what a balancer reports about one of its servers.
type ServerEvidence struct {
	Pool    string // the upstream, backend or balancer it belongs to; "": unknown
	Server  string // the balancer's name of it: host:port, route or server name
	Address string // its host:port or unix:PATH; "": unknown
	Scheme  string // the protocol of requests to it, such as "ajp"; "": unknown
	State   ServerState
	Since   time.Time // start of the state; zero: unknown
	Fails   int       // failures that the source counts; 0: none, or it does not count
	Downs   int       // how often the source found it down; 0: never, or it does not count
	Detail  string    // the source's own text, in one clean line
	// Unchecked is true if the source says that the balancer does not check its health: it stays up
	// whatever happens to it.
	Unchecked bool

	Episodes []Episode // the newest ejections, oldest first; nginx only
	Failures Failures  // nginx only
}

// A ServerState is whether a balancer sends clients to a server.
type ServerState string

// The states of a server. Up: it receives clients (a backup only when no other is
// left). Down: the balancer found it failing. Draining: it keeps its sessions and
// receives no new clients. Maintenance: an operator disabled it.
const (
	ServerUp          ServerState = "up"
	ServerDown        ServerState = "down"
	ServerDraining    ServerState = "draining"
	ServerMaintenance ServerState = "maintenance"
	ServerUnknown     ServerState = "unknown"
)

// An Episode is one ejection. nginx logs a line for every failed retry, so one ejection
// may have many lines; their number grows with traffic.
type Episode struct {
	First, Last time.Time // times of its first and last line, to the second
	Lines       int
}

// Failures are the failed requests to a server that nginx counts for max_fails, of any
// client. nginx logs each at the level error, so they are in logs that lack ejections.
// Failures by an invalid header are not included, because their lines quote the server.
// A log names a server by its address alone, so if two upstreams share a server, the
// failures of both are counted.
type Failures struct {
	// Since is the time from which every failure is known, because the log may have
	// been truncated or may be longer than the part that is read. Zero: there are none,
	// or the times of the log are wrong.
	Since time.Time
	// Seconds are the newest seconds with failures, oldest first.
	Seconds []SecondCount

	// Run is the number of failures since the last pause longer than fail_timeout. In
	// an upstream with a zone, or with one worker, it is nginx's own count, if a
	// request succeeded in the pause. If none did, nginx's count includes earlier
	// failures.
	Run int
	// RunOfWorker is the longest run of a single worker, which counts in an upstream
	// without a zone.
	RunOfWorker int
	// Workers is the number of workers with failures in the run.
	Workers int
}

// A SecondCount is the number of events within one second.
type SecondCount struct {
	At    time.Time
	Count int
}
