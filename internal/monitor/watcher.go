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
	cluster  *probes.Cluster
	prober   *Prober
	witness  *evidence.Reader
	observer Observer
	pace     Pace

	retired  atomic.Bool   // tells nobody anything any more
	turn     chan struct{} // holds one: one round or visit at a time; guards what follows
	began    time.Time     // of the round or visit under way
	flock    flock
	ledger   *checks.Ledger
	history  *checks.History
	last     checks.Round  // as it was judged last
	verdict  checks.Report // of it
	since    time.Time     // of its verdict
	whole    time.Time     // when the last whole round ended; zero: there was none
	paired   time.Time     // when new clients came in pairs last
	newest   int           // how many of them there were
	unshared time.Time     // when the last whole round began that found no session held by two clients
	patience time.Duration // after it, before what looks odd takes another; doubles with each taken in vain

	suspended bool // the picture says that stickwatch itself cannot probe
	unsettled int  // whole rounds in a row that changed nothing and left a finding waiting to be believed

	picture atomic.Pointer[Picture]
}

// A Picture is what is known of a cluster now. It is never changed.
type Picture struct {
	Cluster  *probes.Cluster
	Report   checks.Report     // zero Started: there was no round yet
	Standing []checks.Standing // in the order of Report.Findings, what it does not have at the end
	Since    time.Time         // of the verdict
}

// An Observer is told what a watcher sees, in order, and must return quickly:
// probing waits for it.
type Observer interface {
	Probed(Probe)
	Requested(checks.Request) // each request of a client once, when its outcome is known
	Judged(Judgement)
}

// A Probe is one question to one target, and its answer.
type Probe struct {
	checks.Target
	Question string // what it was asked for: status, page, canary, ping
	probes.Exchange
}

// A Judgement is a round and what it changed.
type Judgement struct {
	Picture
	Round    checks.Round
	Whole    bool // everything was asked, and Report.Session.Moves is what happened since the last time
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
func NewWatcher(c *probes.Cluster, p *Prober, o Observer, pace Pace, standing ...checks.Standing) *Watcher {
	if pace.Newcomers <= 0 {
		pace.Newcomers = 2 * time.Minute
	}
	pace.Damping.Last = 2 * pace.Canary * 9 / 10 // a little is forgiven for the schedule's jitter
	if pace.CanaryAge <= 0 {
		pace.CanaryAge = 10 * time.Minute
	}
	w := &Watcher{
		cluster: c, prober: p, observer: o, pace: pace,
		history: new(checks.History), // nothing is known yet, and there will be later rounds
		witness: evidence.NewReader(c), ledger: checks.NewLedger(pace.Damping, standing...), turn: make(chan struct{}, 1),
	}
	w.picture.Store(&Picture{Cluster: c, Standing: standing})
	return w
}

// Cluster is what is watched.
func (w *Watcher) Cluster() *probes.Cluster { return w.cluster }

// Picture is what is known now.
func (w *Watcher) Picture() Picture { return *w.picture.Load() }

// Inherit shows the picture of a watch before this one until there is one of its
// own. It is called before anything else is.
func (w *Watcher) Inherit(p Picture) {
	p.Cluster = w.cluster
	w.since, w.verdict.Verdict = p.Since, p.Report.Verdict
	w.picture.Store(&p)
}

// Retire ends the watch without waiting for what is under way: that tells nobody
// anything any more, and what is asked for afterwards is not done.
func (w *Watcher) Retire() { w.retired.Store(true) }

// Close ends the watch when what is under way has ended.
func (w *Watcher) Close() error {
	w.Retire()
	w.turn <- struct{}{}
	defer func() { <-w.turn }()
	w.prober.Self.forget(w)
	return w.witness.Close()
}

// ErrRetired says that a watch is over.
var ErrRetired = errors.New("the watch is over")

// Probe takes a whole round now. Its error is that ctx ended before, or that the
// watch did.
func (w *Watcher) Probe(ctx context.Context) error {
	ran := w.alone(ctx, func() { w.takeWhole(ctx, nil) })
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !ran || w.retired.Load():
		return ErrRetired
	}
	return nil
}

// Visit lets every canary come back. What looks odd takes a whole round.
func (w *Watcher) Visit(ctx context.Context) {
	w.alone(ctx, func() {
		if w.whole.IsZero() {
			return // nobody is known yet
		}
		v := w.flock.visit(ctx, w.pairs())
		if w.hangs(v.task) && w.mayInvestigateHang() && !w.doubtful() {
			w.flock.hear(v.take(), w.verdict, w.observer)
			w.investigate(ctx, v)
			return
		}
		v.wait()
		answers := v.take()
		w.prober.Self.heed(w, w.began, slices.Collect(maps.Values(answers)))
		if w.over(ctx) {
			return
		}
		odd, harmed := w.flock.hear(answers, w.verdict, w.observer)
		if harmed {
			r := w.prober.again(w.last)
			r.Walks = append(w.newcomers(), v.newcomers()...)
			w.glimpse(r)
		}
		odd = w.flock.missing(answers, w.verdict, w.misses) || w.leaked(v) || odd
		switch {
		case harmed && !w.troubled(), !w.ledger.Settled() && w.unsettled <= max(w.pace.Damping.Appear, w.pace.Damping.Vanish):
			w.takeWhole(ctx, v)
		case (odd || !w.ledger.Settled()) && w.mayInvestigate():
			w.investigate(ctx, v)
		}
	})
}

// mayInvestigate reports whether a sign of trouble may take a whole round: those
// before it changed something, or the newest is old enough. Without that bound a
// target whose answers differ every time would be asked as often as canaries return.
func (w *Watcher) mayInvestigate() bool { return time.Since(w.whole) >= w.patience }

// mayInvestigateHang reports whether requests that hang may take a whole round. What
// always takes long becomes usual, so that only known trouble bounds how often.
func (w *Watcher) mayInvestigateHang() bool { return !w.troubled() || w.mayInvestigate() }

// investigate takes a whole round because of a sign of trouble. before is the visit
// that saw it, whose requests may go on; nil: it was none.
func (w *Watcher) investigate(ctx context.Context, before *visit) {
	w.patience = min(max(2*w.patience, time.Second), w.pace.Status)
	w.takeWhole(ctx, before)
}

// Refresh asks a part of the cluster again. What has changed, or a whole round
// that is due, takes one.
func (w *Watcher) Refresh(ctx context.Context, part Part) {
	w.alone(ctx, func() {
		if w.whole.IsZero() || (part == Status && time.Since(w.whole) >= w.due()) {
			if !w.troubled() {
				w.patience = 0 // nothing odd has taken one for long
			}
			w.takeWhole(ctx, nil)
			return
		}
		r, ended := w.refresh(ctx, part)
		if !ended {
			w.investigate(ctx, nil)
			return
		}
		w.prober.Self.heed(w, w.began, w.met(r))
		r.Past, r.Every = w.history, w.pace.Canary
		r.Walks = slices.Concat(w.newcomers(), w.flock.walks())
		report := checks.Judge(r)
		changed := !alike(report, w.verdict)
		switch {
		case w.over(ctx):
		case changed && w.mayInvestigate():
			w.investigate(ctx, nil)
		case !changed && w.ledger.Settled() && len(report.Doubts) == 0:
			w.tell(r, part)
			w.conclude(r, report, false)
		default:
			// What waits to be believed was not looked at again, so this is no round
			// that has seen it.
			w.tell(r, part)
			w.last = r
		}
	})
}

// refresh asks a part of the cluster again. It gives up, and is not ok, where that
// takes longer than it usually does and a whole round may be taken at once.
func (w *Watcher) refresh(ctx context.Context, part Part) (r checks.Round, ok bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	asking := begin(func() { r = w.prober.refresh(ctx, w.last, part, w.witness) })
	ok = !w.hangs(asking) || !w.mayInvestigateHang()
	if !ok {
		cancel()
	}
	asking.wait()
	return r, ok
}

// alone runs what must be alone, and reports whether it did before ctx or the
// watch ended.
func (w *Watcher) alone(ctx context.Context, run func()) bool {
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
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

// over reports whether what was just seen may not be told: it was cut short, or
// nobody wants to know, or stickwatch itself could not probe. Nothing is under way
// when it is asked.
func (w *Watcher) over(ctx context.Context) bool { return w.ended(ctx) || w.impaired() }

func (w *Watcher) ended(ctx context.Context) bool { return ctx.Err() != nil || w.retired.Load() }

// takeWhole takes a round in which everything is asked, and judges it: once a second
// what it has seen so far, for what that proves, and in the end. The visit before it
// tells of new clients, and its requests may go on; nil: there was none.
func (w *Watcher) takeWhole(ctx context.Context, before *visit) {
	blank := w.prober.blank(w.cluster) // it begins before any canary comes back
	var r checks.Round
	var fresh []*probes.Canary
	var seen soFar
	round := begin(func() {
		asked := make(chan struct{})
		var both panics.Group
		both.Go(func() {
			w.flock.comeBack(ctx, before)
			for w.pace.Canary > 0 && !endsWithin(asked, w.pace.Canary) {
				w.flock.comeBackAgain(ctx) // a round that lasts keeps nobody from noticing what goes on
			}
		})
		both.Go(func() {
			defer close(asked)
			r, fresh = w.prober.round(ctx, blank, w.witness, &seen)
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
			if r, ok := seen.round(blank); ok {
				w.glimpse(r)
			}
		})
	}
	round.wait()
	seen.asking.Wait()
	r.Nodes = seen.newestNodes()
	w.prober.Self.heed(w, w.began, w.met(r))
	if w.over(ctx) {
		return
	}
	if before != nil {
		w.flock.hear(before.take(), w.verdict, w.observer)
		r.Walks = append(r.Walks, before.newcomers()...)
	}
	r.OwnerChecks = append(r.OwnerChecks, checkOwners(ctx, w.cluster, checks.Identify(w.cluster, r.Nodes), w.flock.canaries())...)
	if w.over(ctx) {
		return
	}
	w.whole, w.paired = time.Now(), time.Now()
	r.Past, r.Every = w.history, w.pace.Canary
	r.Walks = append(r.Walks, w.flock.walks()...)
	r.Duration = time.Since(r.Started)
	report := checks.Judge(r)
	w.tell(r, Status, Pages, Dependencies)
	w.flock.tell(r, w.observer)
	for _, request := range report.Requests {
		w.observer.Requested(request)
	}
	w.flock.settle(checks.Identify(w.cluster, r.Nodes), fresh, w.pace.CanaryAge)
	if slices.ContainsFunc(report.Findings, func(f checks.Finding) bool { return f.Code == checks.SessionLeaked }) {
		w.flock.dropIdle(w.unshared) // their sessions may be other clients', too
	} else {
		w.unshared = r.Started
		w.fillIdle(ctx, checks.Identify(w.cluster, r.Nodes))
	}
	changes := w.conclude(r, report, true)
	if len(changes) > 0 {
		w.patience = 0
	}
	if w.unsettled++; len(changes) > 0 || w.ledger.Settled() {
		w.unsettled = 0
	}
}

// glimpse judges what a round that goes on has seen so far, or the last one with what
// canaries met since. Clients whose requests have failed for long enough need not
// wait for a whole round to end.
func (w *Watcher) glimpse(r checks.Round) {
	if w.whole.IsZero() || w.retired.Load() {
		return
	}
	w.prober.Self.heed(w, w.began, w.met(r))
	if w.doubtful() {
		return
	}
	r.Past, r.Every = w.history, w.pace.Canary
	r.Walks = append(r.Walks, w.flock.walks()...)
	changes := w.ledger.Glimpse(checks.Judge(r))
	if len(changes) == 0 {
		return
	}
	p := Picture{Cluster: w.cluster, Report: w.verdict, Standing: inOrder(w.ledger.Standing(), w.verdict.Findings), Since: w.since}
	w.picture.Store(&p)
	w.observer.Judged(Judgement{Picture: p, Round: w.last, Changes: changes, Canaries: w.flock.told()})
}

// conclude makes a judged round the newest, and tells what it changed.
func (w *Watcher) conclude(r checks.Round, report checks.Report, whole bool) []checks.Change {
	if report.Verdict != w.verdict.Verdict || w.since.IsZero() {
		w.since = r.Started
	}
	changes := w.ledger.Update(report)
	w.last, w.verdict, w.history, w.suspended = r, report, report.History, false
	p := Picture{Cluster: w.cluster, Report: report, Standing: inOrder(w.ledger.Standing(), report.Findings), Since: w.since}
	w.picture.Store(&p)
	w.observer.Judged(Judgement{Picture: p, Round: r, Whole: whole, Changes: changes, Canaries: w.flock.told()})
	return changes
}

// newcomers are the walks of the last whole round that are not carried.
func (w *Watcher) newcomers() []probes.Walk {
	return slices.DeleteFunc(slices.Clone(w.last.Walks), func(walk probes.Walk) bool { return walk.Carried })
}

// alike reports whether two reports find the same.
func alike(a, b checks.Report) bool {
	return a.Verdict == b.Verdict && slices.EqualFunc(a.Findings, b.Findings, func(f, g checks.Finding) bool {
		return f.Key() == g.Key() && f.Severity == g.Severity
	})
}

// inOrder puts what stands into the order of a report's findings.
func inOrder(standing []checks.Standing, findings []checks.Finding) []checks.Standing {
	place := func(s checks.Standing) int {
		at := slices.IndexFunc(findings, func(f checks.Finding) bool { return f.Key() == s.Key() })
		if at < 0 {
			return len(findings)
		}
		return at
	}
	slices.SortStableFunc(standing, func(a, b checks.Standing) int { return place(a) - place(b) })
	return standing
}
