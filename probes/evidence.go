package probes

import (
	"net/url"
	"time"
)

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
