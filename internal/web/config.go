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

// A Config configures a Server. Snapshots, History and Live are required. If another source is
// nil, its functions are not available.
type Config struct {
	Snapshots Snapshots
	History   History
	Live      *Live // receives changes from the daemon; Serve closes it

	// OpenIncidents returns copies of the open incidents, and whether History lacks changes of
	// them because it cannot be written. Nil: only History knows them, and has all changes.
	OpenIncidents func() (open []alerting.Incident, unwritten bool)
	// Handles reports whether OpenIncidents would return an incident while it is open. Nil: it would
	// return every one; there are no other instances whose incidents only History has.
	Handles func(alerting.Incident) bool

	Operator Operator

	Prober   Prober
	Exporter Exporter
	Reloader Reloader
	Metrics  http.Handler // metrics of the daemon

	// Ready returns why the daemon is not ready. It is ready if Ready is nil or returns nil.
	Ready func() error

	// WebConfigFile is a file in the format of Prometheus's exporter-toolkit: TLS, users,
	// headers, rate limit. "": plain HTTP without users.
	WebConfigFile string

	// Listen is the host:port of the daemon, for links.
	Listen string

	// MaxConnections bounds the connections of each listener except the admin socket; further
	// connections wait. 0: unbounded.
	MaxConnections int

	// ExternalURL is the address of the page for people on other machines. Its host is
	// accepted at loopback. Nil: none. Server.SetExternalURL changes it.
	ExternalURL *url.URL

	Links []LinkTemplate // on the pages of clusters and incidents; Server.SetLinks changes it

	// Announcement returns a text above every page, in a language; "": none. Nil: there never is one.
	Announcement func(language string) string

	Language string         // default language: en or zh; "": en; Server.SetLocale changes it
	Location *time.Location // time zone of the page; nil: local; Server.SetLocale changes it
	Version  string         // of stickwatch, for the page footer
	CacheFor time.Duration  // how long pages share the same history; 0: 10 s

	Now    func() time.Time // of the history; nil: time.Now
	Logger *slog.Logger     // nil: slog.Default()

	clock func() time.Time // of caches and tokens, which must not follow a clock that is set; nil: time.Now
}

// withDefaults replaces zero values by their defaults.
func (c Config) withDefaults() Config {
	c.CacheFor = cmp.Or(c.CacheFor, 10*time.Second)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.clock == nil {
		c.clock = time.Now
	}
	if c.Announcement == nil {
		c.Announcement = func(string) string { return "" }
	}
	if c.Ready == nil {
		c.Ready = func() error { return nil }
	}
	return c
}

// The interfaces of the data sources.

// ErrNotFound is returned by a source, possibly wrapped, if there is no such cluster,
// incident, silence or deployment.
var ErrNotFound = errors.New("not found")

// An ElsewhereError is the error of a Prober, an Exporter or an Operator that may do nothing about a
// cluster, because another instance of the fleet watches it.
type ElsewhereError struct {
	Instance string // the one that watches the cluster; "": none does now
}

func (e *ElsewhereError) Error() string { return e.problem().Detail }

func (e *ElsewhereError) problem() *problem {
	if e.Instance == "" {
		return newProblem(http.StatusServiceUnavailable, "no instance of the fleet watches this cluster now")
	}
	return newProblem(http.StatusConflict, "the instance %q of the fleet watches this cluster: ask that one", e.Instance)
}

// A Snapshot is the current state of a cluster.
type Snapshot struct {
	Cluster        *probes.Cluster        // the configuration
	Report         checks.Report          // the newest judged round; Started is zero before the first one
	ActiveFindings []checks.ActiveFinding // in the order of Report.Findings
	Since          time.Time              // start of the current verdict; zero: unknown
}

// Snapshots returns the snapshots of all clusters in the order of the configuration. They are
// read-only.
type Snapshots interface {
	Snapshots() []Snapshot
}

// A Prober takes a round. When Probe returns, Snapshots includes it. Probe is not called
// concurrently for the same cluster.
type Prober interface {
	Probe(ctx context.Context, cluster string) error
}

// An Exporter replaces a Prober. It returns a handler that serves the metrics of the round any
// number of times.
type Exporter interface {
	Export(ctx context.Context, cluster string) (http.Handler, error)
}

// An Operator records what operators say about an incident, and returns the incident with
// it. It returns ErrNotFound if there is no such incident, or if Acknowledge finds it
// resolved, and an alerting.AcknowledgedError unless takeOver replaces another operator.
type Operator interface {
	Acknowledge(ctx context.Context, id string, a alerting.Acknowledgement, takeOver bool) (alerting.Incident, error)
	AddNote(ctx context.Context, id, by, text string) (alerting.Incident, error)
}

// A Reloader reloads the configuration. The client sees its error.
type Reloader interface {
	Reload(ctx context.Context) error
}

// History is the stored data of the daemon.
type History interface {
	// Points returns the probes of targets, one point for each step with probes, oldest first.
	Points(ctx context.Context, of []checks.Target, span checks.Span, step time.Duration) (map[checks.Target][]checks.Point, error)
	// Uptimes returns the uptimes of the targets of a cluster in a span, of all kinds or of some.
	Uptimes(ctx context.Context, cluster string, span checks.Span, kinds ...checks.TargetKind) ([]checks.Uptime, error)
	// Days returns the uptimes of targets for each of n days (UTC), oldest first; the last day contains to.
	Days(ctx context.Context, of []checks.Target, to time.Time, n int) (map[checks.Target][]checks.Uptime, error)
	// Latencies returns percentiles of the latencies of the targets of a cluster in a span, of all kinds or of some.
	Latencies(ctx context.Context, cluster string, span checks.Span, kinds ...checks.TargetKind) ([]checks.Latency, error)
	// ClusterLatencies returns those of all targets of a kind together, by cluster.
	ClusterLatencies(ctx context.Context, clusters []string, span checks.Span, kind checks.TargetKind) (map[string]checks.Latency, error)
	// Moves returns the session moves of a cluster, newest first.
	Moves(ctx context.Context, cluster string, span checks.Span, limit int) ([]checks.Move, error)
	// CountMoves returns how many sessions moved in a span, and how many of them were lost.
	CountMoves(ctx context.Context, cluster string, span checks.Span) (moved, lost int, err error)
	// CountsOf returns what the clients of a cluster met in a span.
	CountsOf(ctx context.Context, cluster string, span checks.Span) (alerting.Counts, error)
	// Placements returns where the canaries of a cluster were served, newest first.
	Placements(ctx context.Context, cluster string, span checks.Span, limit int) ([]checks.Placement, error)
	// FindingChanges returns what happened to the findings of a cluster, newest first.
	FindingChanges(ctx context.Context, cluster string, span checks.Span, limit int) ([]checks.Change, error)
	// Incidents returns incidents, newest first.
	Incidents(ctx context.Context, q alerting.IncidentQuery) ([]alerting.Incident, error)
	// Deployments returns the deployments of a cluster, or of all clusters for "", that overlap a span, oldest first.
	Deployments(ctx context.Context, cluster string, span checks.Span) ([]checks.Deployment, error)
	BeginDeployment(ctx context.Context, d checks.Deployment) (id string, err error)
	// EndDeployment receives the counts of a client that watched the deployment, or nil. It returns
	// ErrNotFound if no such deployment is ongoing.
	EndDeployment(ctx context.Context, id string, at time.Time, watched *alerting.WatchedCounts) error
	// Silences returns the active and future silences.
	Silences(ctx context.Context, at time.Time) ([]alerting.Silence, error)
	// AddSilence and ExpireSilence take effect before they return.
	AddSilence(ctx context.Context, s alerting.Silence) error
	ExpireSilence(ctx context.Context, id string, at time.Time) error
	// DeadLetters returns the notifications that could not be delivered, newest first.
	DeadLetters(ctx context.Context, limit int) ([]DeadLetter, error)
	HistoryStatus() HistoryStatus
}

// A DeadLetter is a notification that could not be delivered, with the reason.
type DeadLetter struct {
	alerting.Notification
	Reason string
}

// A HistoryStatus is the status of writing the history.
type HistoryStatus struct {
	Dropped   int64     // rows that were dropped since the start
	LastError string    // error of the newest write; "": it succeeded
	LastWrite time.Time // time of the last successful write; zero: none
	Damage    string    // damage of the file and how to recover; "": none known
	// ClocksOff has the instances of the fleet whose clock is ahead of that of the database, and by how much;
	// negative: it is behind.
	ClocksOff map[string]time.Duration
}
