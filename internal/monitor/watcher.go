package monitor

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
	"stickwatch/probes/evidence"
)

// A Watcher watches one cluster, round after round. It remembers what outlives
// a round: canaries, what stands, what was known of the nodes.
//
// Only a whole round is believed when something is wrong. While all is well it
// leaves sessions behind for nothing, so then canaries come back, nodes are
// asked, and what newcomers met is taken from the last whole round; the first
// sign of a change takes a new one.
type Watcher struct {
	cluster        *probes.Cluster
	prober         *Prober
	evidenceReader *evidence.Reader
	observer       Observer
	intervals      Intervals

	retired        atomic.Bool   // tells nobody anything any more
	sem            chan struct{} // holds one: one round or visit at a time; guards what follows
	began          time.Time     // of the round or visit under way
	canaryPool     canaryPool
	ledger         *checks.Ledger
	history        *checks.History
	last           checks.Round  // as it was judged last
	lastReport     checks.Report // of it
	since          time.Time     // of its verdict
	fullRoundEnded time.Time     // when the last whole round ended; zero: there was none
	paired         time.Time     // when new clients came in pairs last
	newest         int           // how many of them there were
	unshared       time.Time     // when the last whole round began that found no session held by two clients
	backoff        time.Duration // after it, before what looks odd takes another; doubles with each taken in vain

	suspended       bool // the picture says that stickwatch itself cannot probe
	unsettledRounds int  // whole rounds in a row that changed nothing and left a finding waiting to be believed

	snapshot atomic.Pointer[Snapshot]
}

// A Snapshot is what is known of a cluster now. It is never changed.
type Snapshot struct {
	Cluster        *probes.Cluster
	Report         checks.Report          // zero Started: there was no round yet
	ActiveFindings []checks.ActiveFinding // in the order of Report.Findings, what it does not have at the end
	Since          time.Time              // of the verdict
}

// An Observer is told what a watcher sees, in order, and must return quickly:
// probing waits for it.
type Observer interface {
	Probed(Probe)
	Requested(checks.Request) // each request of a client once, when its outcome is known
	Judged(RoundResult)
}

// A Probe is one question to one target, and its answer.
type Probe struct {
	checks.Target
	Purpose string // what it was asked for: status, page, canary, ping
	probes.Exchange
}

// A RoundResult is a round and what it changed.
type RoundResult struct {
	Snapshot
	Round    checks.Round
	Full     bool // everything was asked, and Report.Session.Moves is what happened since the last time
	Changes  []checks.Change
	Canaries []Canary
}

// A Canary is what may be told of a session of ours.
type Canary struct {
	Node     string // that holds it
	Balancer string // URL it goes through
	Client   string // client address or key presented; "": our own
	Session  probes.Fingerprint
	Opened   time.Time
}

// NewWatcher returns a watcher of c for which the given findings stand, as they
// did when they were last written down.
func NewWatcher(c *probes.Cluster, p *Prober, o Observer, intervals Intervals, activeFindings ...checks.ActiveFinding) *Watcher {
	if intervals.NewClients <= 0 {
		intervals.NewClients = 2 * time.Minute
	}
	intervals.Damping.Last = 2 * intervals.Canary * 9 / 10 // a little is forgiven for the schedule's jitter
	if intervals.CanaryAge <= 0 {
		intervals.CanaryAge = 10 * time.Minute
	}
	w := &Watcher{
		cluster: c, prober: p, observer: o, intervals: intervals,
		history:        new(checks.History), // nothing is known yet, and there will be later rounds
		evidenceReader: evidence.NewReader(c), ledger: checks.NewLedger(intervals.Damping, activeFindings...), sem: make(chan struct{}, 1),
	}
	w.snapshot.Store(&Snapshot{Cluster: c, ActiveFindings: activeFindings})
	return w
}

// Cluster is what is watched.
func (w *Watcher) Cluster() *probes.Cluster { return w.cluster }

// Snapshot is what is known now.
func (w *Watcher) Snapshot() Snapshot { return *w.snapshot.Load() }

// Inherit shows the picture of a watch before this one until there is one of its
// own. It is called before anything else is.
func (w *Watcher) Inherit(p Snapshot) {
	p.Cluster = w.cluster
	w.since, w.lastReport.Verdict = p.Since, p.Report.Verdict
	w.snapshot.Store(&p)
}

// Retire ends the watch without waiting for what is under way: that tells nobody
// anything any more, and what is asked for afterwards is not done.
func (w *Watcher) Retire() { w.retired.Store(true) }

// Close ends the watch when what is under way has ended.
func (w *Watcher) Close() error {
	w.Retire()
	w.sem <- struct{}{}
	defer func() { <-w.sem }()
	w.prober.Self.forget(w)
	return w.evidenceReader.Close()
}

// ErrRetired says that a watch is over.
var ErrRetired = errors.New("the watch is over")

// Intervals says how often what is asked for anew.
type Intervals struct {
	Canary     time.Duration // how often Visit is called; 0: never
	Status     time.Duration // in trouble, at least so often a whole round is taken
	NewClients time.Duration // while all is well; 0: two minutes
	CanaryAge  time.Duration // after which a canary makes room for a new one; 0: ten minutes
	Damping    checks.Damping
}

// maxRoundAge is how old the last whole round may be. A little is forgiven, lest the
// schedule's jitter skip every second one.
func (w *Watcher) maxRoundAge() time.Duration {
	if w.hasProblems() || w.cluster.Session == nil {
		return w.intervals.Status * 3 / 4
	}
	return max(w.intervals.NewClients, w.intervals.Status) * 9 / 10
}

// hasProblems reports whether something is wrong that a whole round is needed to
// see the end of, or may be: an ejection that is information yet may last.
func (w *Watcher) hasProblems() bool {
	return !w.ledger.Settled() || len(w.lastReport.Doubts) > 0 ||
		slices.ContainsFunc(w.lastReport.Findings, func(f checks.Finding) bool {
			return (f.Severity.AtLeast(checks.Warning) || f.Code == checks.NodeEjected) && !slices.Contains(statusOnlyCodes, f.Code)
		})
}

// statusOnlyCodes are findings that the status tells, their end included. They may last
// for weeks, and no session need be opened for them.
var statusOnlyCodes = []checks.Code{checks.CertificateExpiring, checks.ClockSkew, checks.SettingsSkew, checks.StartOrder}

// maxMisses is how many visits in a row may meet a node not at all before that is
// odd. Chance would have it so about once an hour; but where a balancer of
// nginx's kind has a node out for a short while, they must fit into that, at the
// price of rounds taken in vain. A healthy cluster of 2, 3, 5 nodes behind random,
// visited each 3 s and its status asked each 15 s, takes 30 whole rounds an hour
// for newcomers each two minutes. With a fail_timeout of 20 s it takes 31, 33, 37,
// and with nginx's 10 s, 95, 146, 193.
func (w *Watcher) maxMisses(node string, canaries int) int {
	at := slices.IndexFunc(w.cluster.Nodes, func(n probes.Node) bool { return n.ID == node })
	share := checks.Share(w.cluster.Nodes[at], checks.Serving(w.cluster, nil))
	followUps := (checks.FreshClients(share, w.prober.confidence()) + canaries - 1) / max(1, canaries)
	if b := w.cluster.Balancer; b.FailTimeout > 0 && w.intervals.Canary > 0 && b.Method != probes.MethodCookie {
		followUps = min(followUps, int(b.FailTimeout/w.intervals.Canary)-1)
	}
	return max(2, followUps)
}
