package monitor

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/panics"
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

// TakeRound takes a whole round now. Its error is that ctx ended before, or that the
// watch did.
func (w *Watcher) TakeRound(ctx context.Context) error {
	ran := w.runExclusive(ctx, func() { w.takeFullRound(ctx, nil) })
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !ran || w.retired.Load():
		return ErrRetired
	}
	return nil
}

// FollowUp lets every canary come back. What looks odd takes a whole round.
func (w *Watcher) FollowUp(ctx context.Context) {
	w.runExclusive(ctx, func() {
		if w.fullRoundEnded.IsZero() {
			return // nobody is known yet
		}
		v := w.canaryPool.followUp(ctx, w.pairs())
		if w.hangs(v.task) && w.mayInvestigateHang() && !w.doubtful() {
			w.canaryPool.evaluate(v.take(), w.lastReport, w.observer)
			w.investigate(ctx, v)
			return
		}
		v.wait()
		answers := v.take()
		w.prober.Self.heed(w, w.began, slices.Collect(maps.Values(answers)))
		if w.stopped(ctx) {
			return
		}
		suspicious, harmed := w.canaryPool.evaluate(answers, w.lastReport, w.observer)
		if harmed {
			r := w.prober.again(w.last)
			r.Traces = append(w.newClientTraces(), v.newClients()...)
			w.glimpse(r)
		}
		suspicious = w.canaryPool.nodeMissing(answers, w.lastReport, w.maxMisses) || w.leaked(v) || suspicious
		switch {
		case harmed && !w.hasProblems(), !w.ledger.Settled() && w.unsettledRounds <= max(w.intervals.Damping.Appear, w.intervals.Damping.Vanish):
			w.takeFullRound(ctx, v)
		case (suspicious || !w.ledger.Settled()) && w.mayInvestigate():
			w.investigate(ctx, v)
		}
	})
}

// mayInvestigate reports whether a sign of trouble may take a whole round: those
// before it changed something, or the newest is old enough. Without that bound a
// target whose answers differ every time would be asked as often as canaries return.
func (w *Watcher) mayInvestigate() bool { return time.Since(w.fullRoundEnded) >= w.backoff }

// mayInvestigateHang reports whether requests that hang may take a whole round. What
// always takes long becomes usual, so that only known trouble bounds how often.
func (w *Watcher) mayInvestigateHang() bool { return !w.hasProblems() || w.mayInvestigate() }

// investigate takes a whole round because of a sign of trouble. before is the visit
// that saw it, whose requests may go on; nil: it was none.
func (w *Watcher) investigate(ctx context.Context, before *visit) {
	w.backoff = min(max(2*w.backoff, time.Second), w.intervals.Status)
	w.takeFullRound(ctx, before)
}

// Refresh asks a part of the cluster again. What has changed, or a whole round
// that is due, takes one.
func (w *Watcher) Refresh(ctx context.Context, jobKind JobKind) {
	w.runExclusive(ctx, func() {
		if w.fullRoundEnded.IsZero() || (jobKind == Status && time.Since(w.fullRoundEnded) >= w.maxRoundAge()) {
			if !w.hasProblems() {
				w.backoff = 0 // nothing odd has taken one for long
			}
			w.takeFullRound(ctx, nil)
			return
		}
		r, ended := w.refresh(ctx, jobKind)
		if !ended {
			w.investigate(ctx, nil)
			return
		}
		w.prober.Self.heed(w, w.began, w.met(r))
		r.Past, r.Every = w.history, w.intervals.Canary
		r.Traces = slices.Concat(w.newClientTraces(), w.canaryPool.traces())
		report := checks.Judge(r)
		changed := !sameFindings(report, w.lastReport)
		switch {
		case w.stopped(ctx):
		case changed && w.mayInvestigate():
			w.investigate(ctx, nil)
		case !changed && w.ledger.Settled() && len(report.Doubts) == 0:
			w.reportProbes(r, jobKind)
			w.publish(r, report, false)
		default:
			// What waits to be believed was not looked at again, so this is no round
			// that has seen it.
			w.reportProbes(r, jobKind)
			w.last = r
		}
	})
}

// refresh asks a part of the cluster again. It gives up, and is not ok, where that
// takes longer than it usually does and a whole round may be taken at once.
func (w *Watcher) refresh(ctx context.Context, jobKind JobKind) (r checks.Round, ok bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	asking := begin(func() { r = w.prober.refresh(ctx, w.last, jobKind, w.evidenceReader) })
	ok = !w.hangs(asking) || !w.mayInvestigateHang()
	if !ok {
		cancel()
	}
	asking.wait()
	return r, ok
}

// alone runs what must be alone, and reports whether it did before ctx or the
// watch ended.
func (w *Watcher) runExclusive(ctx context.Context, run func()) bool {
	select {
	case w.sem <- struct{}{}:
		defer func() { <-w.sem }()
	case <-ctx.Done():
		return false
	}
	w.began = time.Now()
	if w.ended(ctx) {
		return false
	}
	run()
	return true
}

// stopped reports whether what was just seen may not be told: it was cut short, or
// nobody wants to know, or stickwatch itself could not probe. Nothing is under way
// when it is asked.
func (w *Watcher) stopped(ctx context.Context) bool { return w.ended(ctx) || w.impaired() }

func (w *Watcher) ended(ctx context.Context) bool { return ctx.Err() != nil || w.retired.Load() }

// takeFullRound takes a round in which everything is asked, and judges it: once a second
// what it has seen so far, for what that proves, and in the end. The visit before it
// tells of new clients, and its requests may go on; nil: there was none.
func (w *Watcher) takeFullRound(ctx context.Context, before *visit) {
	emptyRound := w.prober.emptyRound(w.cluster) // it begins before any canary comes back
	var r checks.Round
	var fresh []*probes.Canary
	var seen soFar
	round := begin(func() {
		asked := make(chan struct{})
		var both panics.Group
		both.Go(func() {
			w.canaryPool.runRound(ctx, before)
			for w.intervals.Canary > 0 && !endsWithin(asked, w.intervals.Canary) {
				w.canaryPool.comeBackAgain(ctx) // a round that lasts keeps nobody from noticing what goes on
			}
		})
		both.Go(func() {
			defer close(asked)
			r, fresh = w.prober.round(ctx, emptyRound, w.evidenceReader, &seen)
		})
		both.Wait()
		if before != nil {
			before.wait()
		}
	})
	for !endsWithin(round.done, time.Second) {
		if w.cluster.Limiter.Hanging() {
			seen.askAgain(func() []probes.NodeObservation { return w.prober.askNodes(ctx, w.cluster) })
		}
		_ = panics.Catch(panics.Job, func() { // the round goes on
			if r, ok := seen.round(emptyRound); ok {
				w.glimpse(r)
			}
		})
	}
	round.wait()
	seen.asking.Wait()
	r.Nodes = seen.newestNodes()
	w.prober.Self.heed(w, w.began, w.met(r))
	if w.stopped(ctx) {
		return
	}
	if before != nil {
		w.canaryPool.evaluate(before.take(), w.lastReport, w.observer)
		r.Traces = append(r.Traces, before.newClients()...)
	}
	r.OwnerChecks = append(r.OwnerChecks, checkOwners(ctx, w.cluster, checks.Identify(w.cluster, r.Nodes), w.canaryPool.clients())...)
	if w.stopped(ctx) {
		return
	}
	w.fullRoundEnded, w.paired = time.Now(), time.Now()
	r.Past, r.Every = w.history, w.intervals.Canary
	r.Traces = append(r.Traces, w.canaryPool.traces()...)
	r.Duration = time.Since(r.Started)
	report := checks.Judge(r)
	w.reportProbes(r, Status, Pages, Dependencies)
	w.canaryPool.reportTraces(r, w.observer)
	for _, request := range report.Requests {
		w.observer.Requested(request)
	}
	w.canaryPool.renew(checks.Identify(w.cluster, r.Nodes), fresh, w.intervals.CanaryAge)
	if slices.ContainsFunc(report.Findings, func(f checks.Finding) bool { return f.Code == checks.SessionLeaked }) {
		w.canaryPool.dropIdle(w.unshared) // their sessions may be other clients', too
	} else {
		w.unshared = r.Started
		w.addIdleCanaries(ctx, checks.Identify(w.cluster, r.Nodes))
	}
	changes := w.publish(r, report, true)
	if len(changes) > 0 {
		w.backoff = 0
	}
	if w.unsettledRounds++; len(changes) > 0 || w.ledger.Settled() {
		w.unsettledRounds = 0
	}
}

// glimpse judges what a round that goes on has seen so far, or the last one with what
// canaries met since. Clients whose requests have failed for long enough need not
// wait for a whole round to end.
func (w *Watcher) glimpse(r checks.Round) {
	if w.fullRoundEnded.IsZero() || w.retired.Load() {
		return
	}
	w.prober.Self.heed(w, w.began, w.met(r))
	if w.doubtful() {
		return
	}
	r.Past, r.Every = w.history, w.intervals.Canary
	r.Traces = append(r.Traces, w.canaryPool.traces()...)
	changes := w.ledger.UpdatePartial(checks.Judge(r))
	if len(changes) == 0 {
		return
	}
	p := Snapshot{Cluster: w.cluster, Report: w.lastReport, ActiveFindings: sortByFinding(w.ledger.Active(), w.lastReport.Findings), Since: w.since}
	w.snapshot.Store(&p)
	w.observer.Judged(RoundResult{Snapshot: p, Round: w.last, Changes: changes, Canaries: w.canaryPool.exportedCanaries()})
}

// publish makes a judged round the newest, and tells what it changed.
func (w *Watcher) publish(r checks.Round, report checks.Report, full bool) []checks.Change {
	if report.Verdict != w.lastReport.Verdict || w.since.IsZero() {
		w.since = r.Started
	}
	changes := w.ledger.Update(report)
	w.last, w.lastReport, w.history, w.suspended = r, report, report.History, false
	p := Snapshot{Cluster: w.cluster, Report: report, ActiveFindings: sortByFinding(w.ledger.Active(), report.Findings), Since: w.since}
	w.snapshot.Store(&p)
	w.observer.Judged(RoundResult{Snapshot: p, Round: r, Full: full, Changes: changes, Canaries: w.canaryPool.exportedCanaries()})
	return changes
}

// newcomers are the walks of the last whole round that are not carried.
func (w *Watcher) newClientTraces() []probes.Trace {
	return slices.DeleteFunc(slices.Clone(w.last.Traces), func(trace probes.Trace) bool { return trace.Continued })
}

// alike reports whether two reports find the same.
func sameFindings(a, b checks.Report) bool {
	return a.Verdict == b.Verdict && slices.EqualFunc(a.Findings, b.Findings, func(f, g checks.Finding) bool {
		return f.Key() == g.Key() && f.Severity == g.Severity
	})
}

// sortByFinding puts what stands into the order of a report's findings.
func sortByFinding(activeFindings []checks.ActiveFinding, findings []checks.Finding) []checks.ActiveFinding {
	position := func(s checks.ActiveFinding) int {
		at := slices.IndexFunc(findings, func(f checks.Finding) bool { return f.Key() == s.Key() })
		if at < 0 {
			return len(findings)
		}
		return at
	}
	slices.SortStableFunc(activeFindings, func(a, b checks.ActiveFinding) int { return position(a) - position(b) })
	return activeFindings
}
