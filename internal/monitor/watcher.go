package monitor

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
	"stickwatch/probes/evidence"
)

// A Watcher watches one cluster. Its state persists over rounds: canaries, active findings,
// and the timelines of the nodes.
//
// Only a full round can confirm a problem. While there is none, full rounds are rare because
// they leave sessions behind: canaries send follow-ups, nodes are probed, and the results of
// new clients come from the last full round. The first sign of a change starts a full round.
type Watcher struct {
	cluster        *probes.Cluster                // of the current round or follow-up; guarded by sem
	adopted        *probes.Cluster                // that cluster is made from; nil: it is itself as it was given
	wanted         atomic.Pointer[probes.Cluster] // for the next one
	prober         *Prober
	evidenceReader *evidence.Reader
	observer       Observer
	intervals      Intervals

	retired        atomic.Bool // reports nothing anymore
	handedOver     atomic.Bool // another process continues those that it can
	held           atomic.Pointer[[]heldCanary]
	sem            chan struct{} // semaphore of one round or follow-up at a time; guards the fields below
	began          time.Time     // start of the current round or follow-up
	canaryPool     canaryPool
	leaving        []*probes.Canary // not in the pool, and still logged in
	ledger         *checks.Ledger
	timelines      *checks.Timelines
	last           checks.Round  // the newest round
	lastReport     checks.Report // the newest judged report
	since          time.Time     // start of the current verdict
	fullRoundEnded time.Time     // end of the last full round; zero: none
	wholeRound     time.Time     // beginning of the last full round that slow nodes did not cut short
	lastPairs      time.Time     // time of the last pairs of new clients
	openedClients  int           // number of new clients in follow-ups so far
	lastLeakFree   time.Time     // start of the last full round without a session shared by two clients
	backoff        time.Duration // minimum time after a full round before a sign of trouble starts another; doubles with each in vain

	suspended       bool // the snapshot shows that stickwatch itself cannot probe
	clientsHarmed   bool // the follow-up before the last full round, or one since, harmed clients
	unsettledRounds int  // consecutive full rounds without changes that left a finding unconfirmed

	snapshot atomic.Pointer[Snapshot]
}

// A Snapshot is the current state of a cluster. It is immutable.
type Snapshot struct {
	Cluster        *probes.Cluster
	Report         checks.Report          // Started is zero before the first round
	ActiveFindings []checks.ActiveFinding // in the order of Report.Findings, followed by those that are not in it
	Since          time.Time              // start of the verdict
}

// An Observer receives the observations of a watcher in order. Its methods must return quickly
// because probing waits for them.
type Observer interface {
	Probed(Probe)
	Requested(checks.Request) // each client request once, when its outcome is known
	Judged(RoundResult)
}

// A Probe is one request to a target and its result.
type Probe struct {
	checks.Target
	Purpose Purpose
	probes.Exchange
}

// A Purpose is what a probe asks a target for.
type Purpose int

// The purposes.
const (
	ForStatus Purpose = iota // the path that shows whether a node serves
	ForPage                  // another page
	ForCanary                // the session of a canary
	ForPing                  // whether a dependency serves
)

// A RoundResult is a judged round and its changes.
type RoundResult struct {
	Snapshot
	Observed checks.Round // what was judged
	Full     bool         // full round; Report.Session.Moves covers the time since the last full round
	Changes  []checks.Change
	Canaries []CanarySession
}

// A CanarySession is the public data of a canary's session.
type CanarySession struct {
	Node    string // node that holds the session
	Session probes.Fingerprint
	Opened  time.Time
}

// NewWatcher returns a watcher of a cluster. activeFindings are the findings that were active
// when the state was saved.
func NewWatcher(cluster *probes.Cluster, p *Prober, o Observer, intervals Intervals, activeFindings ...checks.ActiveFinding) *Watcher {
	if intervals.NewClients <= 0 {
		intervals.NewClients = 2 * time.Minute
	}
	intervals.Damping.MinHarm = 2 * intervals.Canary * 9 / 10 // with a tolerance for the jitter of the schedule
	if intervals.CanaryAge <= 0 {
		intervals.CanaryAge = 10 * time.Minute
	}
	intervals.CanaryAge = maxCanaryAge(cluster, intervals.CanaryAge)
	w := &Watcher{
		cluster: cluster, prober: p, observer: o, intervals: intervals,
		timelines:      checks.Restored(cluster, activeFindings),
		canaryPool:     canaryPool{reserved: reserveOf(cluster)},
		evidenceReader: evidence.NewReader(cluster), ledger: checks.NewLedger(intervals.Damping, activeFindings...), sem: make(chan struct{}, 1),
	}
	w.wanted.Store(cluster)
	w.snapshot.Store(&Snapshot{Cluster: cluster, ActiveFindings: activeFindings})
	return w
}

// Cluster returns the watched cluster.
func (w *Watcher) Cluster() *probes.Cluster { return w.wanted.Load() }

// SetCluster replaces the nodes of the cluster from the next round or follow-up on. Canaries,
// active findings and timelines stay.
func (w *Watcher) SetCluster(c *probes.Cluster) { w.wanted.Store(c) }

// Snapshot returns the current state.
func (w *Watcher) Snapshot() Snapshot { return *w.snapshot.Load() }

// Inherit sets the snapshot of a previous watcher until the first round ends. Call it before
// any other method.
func (w *Watcher) Inherit(p Snapshot) {
	p.Cluster = w.cluster
	w.since, w.lastReport.Verdict = p.Since, p.Report.Verdict
	w.snapshot.Store(&p)
}

// Retire ends the watch without waiting for the current round. Its results are dropped, and
// later calls do nothing.
func (w *Watcher) Retire() { w.retired.Store(true) }

// Close retires the watcher and waits for the current round.
func (w *Watcher) Close() error {
	w.Retire()
	w.sem <- struct{}{}
	defer func() { <-w.sem }()
	w.prober.Self.forget(w)
	logOut(context.Background(), slices.DeleteFunc(append(w.canaryPool.clients(), w.leaving...), w.isHandedOver))
	return w.evidenceReader.Close()
}

// ErrRetired is the error of a round whose watcher is retired.
var ErrRetired = errors.New("the watch has ended")

// Intervals configures how often each kind of probe runs.
type Intervals struct {
	Canary     time.Duration // interval of FollowUp; 0: never
	Status     time.Duration // maximum age of a full round while there are problems
	NewClients time.Duration // maximum age of a full round otherwise; 0: two minutes
	CanaryAge  time.Duration // age at which a canary is replaced; 0: ten minutes
	Damping    checks.Damping
}

// maxRoundAge returns the maximum age of the last full round, with a tolerance for the jitter
// of the schedule.
func (w *Watcher) maxRoundAge() time.Duration {
	if w.hasProblems() || w.cluster.Session == nil {
		return w.intervals.Status * 3 / 4
	}
	return max(w.intervals.NewClients, w.intervals.Status) * 9 / 10
}

// hasProblems reports whether there is a problem whose end only a full round can detect. An
// ejected node counts even if its severity is info, because it may last.
func (w *Watcher) hasProblems() bool {
	return w.ledger.HasPending() || len(w.lastReport.Doubts) > 0 ||
		slices.ContainsFunc(w.lastReport.Findings, func(f checks.Finding) bool {
			return (f.Severity.AtLeast(checks.Warning) || f.Code == checks.NodeEjected) && !slices.Contains(statusOnlyCodes, f.Code)
		})
}

// statusOnlyCodes are the findings that status probes detect and clear. They may last for
// weeks and need no new sessions.
var statusOnlyCodes = []checks.Code{checks.CertificateExpiring, checks.ClockSkew, checks.SettingsSkew, checks.StartOrder}

// maxMisses returns how many consecutive follow-ups a node may leave unanswered. Chance
// exceeds the limit about once an hour. If the balancer ejects nodes for a short fail_timeout,
// as nginx does, the limit must fit into that time, at the price of unnecessary full rounds.
// Measured full rounds an hour for healthy clusters of 2, 3 and 5 nodes behind the random
// method (follow-ups every 3 s, status every 15 s): 30 for new clients alone; 31, 33 and 37
// with a fail_timeout of 20 s; 95, 146 and 193 with the 10 s of nginx.
func (w *Watcher) maxMisses(node string, canaries int) int {
	at := slices.IndexFunc(w.cluster.Nodes, func(n probes.Node) bool { return n.ID == node })
	share := checks.Share(w.cluster.Nodes[at], checks.Eligible(w.cluster, nil))
	followUps := (checks.NewClients(share, w.prober.confidence()) + canaries - 1) / max(1, canaries)
	if b := w.cluster.Balancer; b.FailTimeout > 0 && w.intervals.Canary > 0 && b.Method != probes.MethodCookie {
		followUps = min(followUps, int(b.FailTimeout/w.intervals.Canary)-1)
	}
	return max(2, followUps)
}
