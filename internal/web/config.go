package web

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/probes"
)

// A Config is what a Server serves, and how. Pictures, Past and Live must be
// there; where another source is nil, what needs it is not offered.
type Config struct {
	Snapshots Snapshots
	History   History
	Live      *Live // told of changes by whoever makes them; Serve closes it

	// Unwritten tells which incidents are open while Past cannot be told of them, as
	// copies; ok is false as long as it can. Nil: it always can.
	Unwritten func() (open []alerting.Incident, ok bool)

	Prober   Prober
	Exporter Exporter
	Reloader Reloader
	Metrics  http.Handler // the daemon's own

	// Ready tells why the daemon is not ready to be asked; nil, or an error of
	// nil: it is.
	Ready func() error

	// WebConfigFile is a file in the format of Prometheus's exporter-toolkit: TLS,
	// users, headers, a rate limit. "": plain HTTP without users.
	WebConfigFile string

	// Listen is the host:port at which the daemon answers, for links to it.
	Listen string

	// MaxConnections bounds connections at a time, at each listener but the admin
	// socket; more wait. 0: no bound.
	MaxConnections int

	// ExternalURL is where people find the page when they do not ask for this
	// machine: its host is answered to at loopback. Nil: nowhere else;
	// Server.SetExternalURL changes it.
	ExternalURL *url.URL

	Language string         // of who does not ask for one: en or zh; "": en; Server.Speak changes it
	Location *time.Location // in which the page tells times; nil: the local one; Server.Speak changes it
	Version  string         // of stickwatch, for the foot of the page
	CacheFor time.Duration  // for how long the page shows the same past; 0: 10 s

	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default()
}

// withDefaults fills in what zero values mean.
func (c Config) withDefaults() Config {
	c.CacheFor = cmp.Or(c.CacheFor, 10*time.Second)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Unwritten == nil {
		c.Unwritten = func() ([]alerting.Incident, bool) { return nil, false }
	}
	if c.Ready == nil {
		c.Ready = func() error { return nil }
	}
	return c
}

// This file is what the package needs to be told, and by whom it may be told.

// ErrNotFound is, or is wrapped in, what a source answers when there is no such
// cluster, incident, silence or deployment.
var ErrNotFound = errors.New("not found")

// A Snapshot is what is known of a cluster now.
type Snapshot struct {
	Cluster        *probes.Cluster        // as configured
	Report         checks.Report          // the newest judged round; zero Started: none has been taken yet
	ActiveFindings []checks.ActiveFinding // what holds over rounds, in the order of Report.Findings
	Since          time.Time              // since when the verdict has been what it is; zero: not known
}

// Snapshots tells what is known now, a picture a cluster, in the order of the
// configuration. Nobody changes what it returned.
type Snapshots interface {
	Snapshots() []Snapshot
}

// A Prober takes a round now and remembers it, so that Pictures knows it when
// Probe returns. It is not asked twice at a time for a cluster.
type Prober interface {
	Probe(ctx context.Context, cluster string) error
}

// An Exporter does what a Prober does, in its place, and returns what answers with
// the metrics of the round, to any number of requests.
type Exporter interface {
	Export(ctx context.Context, cluster string) (http.Handler, error)
}

// A Reloader reads the configuration again. Its error is shown to who asked.
type Reloader interface {
	Reload(ctx context.Context) error
}

// A History tells what was.
type History interface {
	Points
	Uptimes
	Moves
	Incidents
	Deployments
	Silences
	DeadLetters
	HistoryStatusReporter
}

// Points tells how a target did: a point for each step of the span in which it
// was probed, oldest first.
type Points interface {
	Points(ctx context.Context, of checks.Target, span checks.Span, step time.Duration) ([]checks.Point, error)
}

// Uptimes tells how much of the time targets were up: all of a cluster over a
// span, or one for each of n days (UTC) up to the one that to is in, oldest first.
type Uptimes interface {
	Uptimes(ctx context.Context, cluster string, span checks.Span) ([]checks.Uptime, error)
	Days(ctx context.Context, of checks.Target, to time.Time, n int) ([]checks.Uptime, error)
}

// Moves tells which sessions of a cluster changed their node, newest first.
type Moves interface {
	Moves(ctx context.Context, cluster string, span checks.Span, limit int) ([]checks.Move, error)
}

// Incidents tells which incidents there were, newest first.
type Incidents interface {
	Incidents(ctx context.Context, q IncidentQuery) ([]alerting.Incident, error)
}

// An IncidentQuery says which incidents are asked for. What is zero does not
// matter.
type IncidentQuery struct {
	ID      string // this one alone
	Cluster string
	State   alerting.State
	Span    checks.Span // in which it was open
	Limit   int
}

// Deployments keeps what somebody announced: stretches of time in which a
// cluster is being changed. Deployments returns those of a cluster, "" for all,
// that went on in a span, oldest first; EndDeployment is given what a client that
// watched it counted, nil if none did, and its error is ErrNotFound for one that is
// over or never was.
type Deployments interface {
	Deployments(ctx context.Context, cluster string, span checks.Span) ([]checks.Deployment, error)
	BeginDeployment(ctx context.Context, d checks.Deployment) (id string, err error)
	EndDeployment(ctx context.Context, id string, at time.Time, watched *alerting.WatchedCounts) error
}

// Silences keeps who is not to be told of what. Silences returns those that are
// active at a time or will be; AddSilence's takes effect when it returns, and so
// does ExpireSilence's end.
type Silences interface {
	Silences(ctx context.Context, at time.Time) ([]alerting.Silence, error)
	AddSilence(ctx context.Context, s alerting.Silence) error
	ExpireSilence(ctx context.Context, id string, at time.Time) error
}

// DeadLetters tells which notices were given up, the newest first.
type DeadLetters interface {
	DeadLetters(ctx context.Context, limit int) ([]DeadLetter, error)
}

// A DeadLetter is a notice that its receiver will never get, and why.
type DeadLetter struct {
	alerting.Notification
	Reason string
}

// A HistoryStatusReporter tells how the past is being kept.
type HistoryStatusReporter interface {
	HistoryStatus() HistoryStatus
}

// HistoryStatus is how the writing of the history goes.
type HistoryStatus struct {
	Dropped   int64     // rows that were never written, since the start
	LastError string    // why the newest write failed; "": it did not
	LastWrite time.Time // when something was last written; zero: nothing was yet
	Damage    string    // what is wrong with the file, and the ways out; "": nothing that is known
}
