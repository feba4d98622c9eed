package monitor

import (
	"context"
	"maps"
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/panics"
	"stickwatch/probes"
)

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
	changes := w.ledger.Glimpse(checks.Judge(r))
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

// met is what the probes of the round or visit under way came to.
func (w *Watcher) met(r checks.Round) (list []probes.Exchange) {
	add := func(exchanges ...probes.Exchange) {
		for _, ex := range exchanges {
			if !ex.At.Before(w.began) { // else an earlier round asked
				list = append(list, ex)
			}
		}
	}
	for _, o := range r.Nodes {
		add(o.Primary)
		add(o.Pages...)
	}
	for _, b := range r.Balancers {
		add(b.Primary)
		add(b.Pages...)
	}
	for _, trace := range slices.Concat(r.Traces, w.canaryPool.traces()) {
		for _, step := range trace.Steps {
			add(step.Exchange)
		}
	}
	for _, d := range r.Dependencies {
		if d.LocalAddress {
			add(probes.Exchange{At: w.began, Failure: probes.FailureProber, Error: d.Error})
		}
	}
	return list
}

// doubtful reports whether there is evidence that stickwatch itself could not probe
// since the round or visit under way began.
func (w *Watcher) doubtful() bool {
	_, _, ok := w.prober.Self.since(w.began)
	return ok
}

// impaired reports whether stickwatch itself could not probe at some time since the
// round or visit under way began. Then its cluster cannot be judged: what stands
// stands, nothing is added to it, and nothing is recorded.
func (w *Watcher) impaired() bool {
	why, lasted, ok := w.prober.Self.since(w.began)
	if !ok {
		return false
	}
	w.canaryPool.disregard(w.began, lasted, sessionTimeout(w.cluster))
	if w.suspended {
		return true
	}
	w.suspended = true
	p := *w.snapshot.Load()
	p.Report.Verdict, p.Report.Doubts, p.Report.Requests, p.Since = checks.Inconclusive, []checks.Message{why}, nil, time.Now()
	w.snapshot.Store(&p)
	w.observer.Judged(RoundResult{Snapshot: p, Round: w.last, Canaries: w.canaryPool.exportedCanaries()})
	return true
}

// sessionTimeout is for how long the application keeps an unused session.
func sessionTimeout(c *probes.Cluster) time.Duration {
	if c.Session == nil || c.Session.Timeout <= 0 {
		return assumedTimeout
	}
	return c.Session.Timeout
}

// disregard makes nothing of what canaries met since a moment and failed. Sessions
// that were not used for long because of that may have timed out: nobody has lost
// them, and their canaries are let go.
func (f *canaryPool) disregard(since time.Time, lasted, timeout time.Duration) {
	if lasted >= timeout/2 {
		f.canaries, f.idle = nil, nil
		return
	}
	for _, b := range f.canaries {
		b.Disregard(since)
	}
	f.idle = slices.DeleteFunc(f.idle, func(c *idleCanary) bool { return c.Disregard(since) })
}
