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

// TakeRound takes a full round now. It fails if ctx ends, or with ErrRetired.
func (w *Watcher) TakeRound(ctx context.Context) error {
	ran := w.runExclusive(ctx, func() { w.takeFullRound(ctx, nil, false) })
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !ran || w.retired.Load():
		return ErrRetired
	}
	return nil
}

// FollowUp sends one request of every canary. An unexpected response starts a full round, and so does
// the first follow-up that harms no client after one that did.
func (w *Watcher) FollowUp(ctx context.Context) {
	w.runExclusive(ctx, func() {
		if w.fullRoundEnded.IsZero() {
			return // there are no canaries yet
		}
		if w.last.Cluster != w.cluster {
			w.takeFullRound(ctx, nil, false)
			return
		}
		followUp := w.canaryPool.sendFollowUps(ctx, w.pairs(), w.successors(), !w.hasProblems())
		if w.hangs(followUp.task) && w.mayInvestigateHang() && !w.selfCheckFailed() {
			_, w.clientsHarmed = w.canaryPool.evaluate(followUp.take(), w.lastReport, w.observer)
			w.investigate(ctx, followUp)
			return
		}
		followUp.wait()
		answers := followUp.take()
		w.prober.Self.observe(w, w.began, maps.Values(answers))
		if w.discardIfStopped(ctx) {
			return
		}
		if w.hasLostAddress(ctx, answers) {
			w.takeFullRound(ctx, nil, true)
			return
		}
		suspicious, harmed := w.canaryPool.evaluate(answers, w.lastReport, w.observer)
		if harmed {
			r := w.prober.nextRound(w.last)
			r.Traces = append(w.newClientTraces(), followUp.newClients()...)
			w.judgePartial(r)
		}
		missing := w.canaryPool.countMisses(answers, w.lastReport, w.maxMisses) // at every follow-up: it counts
		recovered := w.clientsHarmed && !harmed && len(answers) > 0             // its end is confirmed at once
		w.clientsHarmed = w.clientsHarmed || harmed
		suspicious = suspicious || missing || recovered || w.leaked(followUp)
		newTrouble := harmed && !w.hasProblems()
		confirming := w.ledger.HasPending() && w.unsettledRounds <= max(w.intervals.Damping.Appear, w.intervals.Damping.Vanish)
		switch {
		case newTrouble, confirming:
			w.clientsHarmed = harmed
			w.takeFullRound(ctx, followUp, true)
		case (suspicious || w.ledger.HasPending() || w.handshakesMayBreak()) && w.mayInvestigate():
			w.clientsHarmed = harmed
			w.investigate(ctx, followUp)
		default:
			w.canaryPool.admit(followUp.successors)
		}
	})
}

// handshakesMayBreak reports whether a node is back for so short a time that the balancer may not return the requests
// of a handshake to one node, which only a full round shows.
func (w *Watcher) handshakesMayBreak() bool {
	return w.cluster.Handshake != nil && w.timelines != nil && slices.ContainsFunc(w.cluster.Nodes, func(n probes.Node) bool {
		return time.Since(w.timelines.Nodes[n.ID].RecoveredAt) < checks.Aftermath(w.cluster.Balancer)
	})
}

// mayInvestigate reports whether a sign of trouble may start a full round. The backoff grows
// while such rounds change nothing. Without this bound, a target with ever changing responses
// would get a full round at every follow-up.
func (w *Watcher) mayInvestigate() bool { return time.Since(w.fullRoundEnded) >= w.backoff }

// mayInvestigateHang reports whether hanging requests may start a full round. The limiter
// learns the usual latency of a slow target, so only known trouble needs the backoff.
func (w *Watcher) mayInvestigateHang() bool { return !w.hasProblems() || w.mayInvestigate() }

// investigate starts a full round because of a sign of trouble. before is the follow-up that
// detected it, whose requests may still be in flight; nil: none.
func (w *Watcher) investigate(ctx context.Context, before *followUpBatch) {
	w.backoff = min(max(2*w.backoff, time.Second), w.intervals.Status)
	w.takeFullRound(ctx, before, true)
}

// Refresh repeats one part of the probes. It starts a full round if something changed or if
// one is due.
func (w *Watcher) Refresh(ctx context.Context, jobKind JobKind) {
	w.runExclusive(ctx, func() {
		if w.fullRoundEnded.IsZero() || w.last.Cluster != w.cluster || (jobKind == Status && time.Since(w.fullRoundEnded) >= w.maxRoundAge()) {
			if !w.hasProblems() {
				w.backoff = 0 // no sign of trouble has started a round for long
			}
			w.takeFullRound(ctx, nil, w.hasProblems())
			return
		}
		if jobKind == Status {
			w.lookUp(ctx)
			if w.canaryPool.addresses.HasUnprobed() {
				w.takeFullRound(ctx, nil, w.hasProblems())
				return
			}
		}
		round, returns, ended := w.refresh(ctx, jobKind)
		if !ended {
			w.investigate(ctx, returns)
			return
		}
		w.prober.Self.observe(w, w.began, w.exchanges(round))
		round.Past, round.Every = w.timelines, w.intervals.Canary
		round.Traces = slices.Concat(w.newClientTraces(), w.canaryPool.traces())
		report := checks.Judge(round)
		changed := !sameFindings(report, w.lastReport)
		switch {
		case w.discardIfStopped(ctx):
		case changed && w.mayInvestigate():
			w.investigate(ctx, nil)
		case !changed && !w.ledger.HasPending() && len(report.Doubts) == 0:
			w.reportProbes(round, jobKind)
			w.publish(round, report, false)
		default:
			// An unconfirmed finding was not checked again, so this round neither confirms nor
			// clears it.
			w.reportProbes(round, jobKind)
			w.setLast(round)
		}
	})
}

// refresh repeats one part of the probes. If that takes long, canaries return meanwhile. It gives up and returns
// false if a full round may start at once because a request hangs or a client is harmed.
func (w *Watcher) refresh(ctx context.Context, jobKind JobKind) (r checks.Round, returns *followUpBatch, ok bool) {
	asks, cancel := context.WithCancel(ctx)
	defer cancel()
	asking := begin(func() { r = w.prober.refresh(asks, w.last, jobKind, w.evidenceReader) })
	returns = w.canaryPool.returnWhile(ctx, asking.done, w.intervals.Canary)
	for ok = true; ok && !endsWithin(asking.done, hangInterval); {
		_, harmed := w.canaryPool.evaluate(returns.take(), w.lastReport, w.observer)
		w.clientsHarmed = w.clientsHarmed || harmed
		newTrouble := harmed && !w.hasProblems()
		ok = !newTrouble && !(harmed && w.mayInvestigate()) && !(w.cluster.Limiter.Hanging() && w.mayInvestigateHang())
	}
	cancel()
	asking.wait()
	if ok {
		returns.wait()
		w.canaryPool.evaluate(returns.take(), w.lastReport, w.observer)
	}
	return r, returns, ok
}

// runExclusive runs a function unless ctx or the watch ends before its turn. Only one runs at
// a time. It reports whether the function ran.
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
	w.adopt(w.wanted.Load())
	defer w.publishCanaries()
	run()
	return true
}

// discardIfStopped reports whether the latest observations must be dropped: ctx or the watch ended, or
// stickwatch itself could not probe. Then it discards the failed requests of canaries, so call
// it while no request is in flight.
func (w *Watcher) discardIfStopped(ctx context.Context) bool {
	return w.ended(ctx) || w.discardIfImpaired()
}

func (w *Watcher) ended(ctx context.Context) bool { return ctx.Err() != nil || w.retired.Load() }

// probeAll makes all requests of a full round, and judges the partial round once a second.
// before is the preceding follow-up, whose requests may still be in flight; nil: none. returnReserve
// is set if something is or seems wrong. fresh are the new clients that the round has opened.
func (w *Watcher) probeAll(ctx context.Context, before *followUpBatch, returnReserve bool) (r checks.Round, fresh []*probes.Canary) {
	emptyRound := w.prober.emptyRound(w.cluster) // starts before the first canary request
	emptyRound.Past, emptyRound.Every = w.timelines, w.intervals.Canary
	w.canaryPool.removeWithoutAddress()
	seen := partialRound{last: w.last.Nodes}
	until := w.roundEnd(emptyRound.Started)
	round := begin(func() {
		asked := make(chan struct{})
		var both panics.Group
		both.Go(func() { w.canaryPool.runRound(ctx, before, returnReserve, asked, w.intervals.Canary) })
		both.Go(func() {
			defer close(asked)
			r, fresh = w.prober.round(ctx, emptyRound, w.evidenceReader, &seen, w.canaryPool.needsLogin(w.cluster, w.intervals.CanaryAge), until)
			if pause := w.intervals.Canary; pause > 0 && time.Since(emptyRound.Started) > pause {
				seen.update(func(known []probes.NodeObservation) []probes.NodeObservation {
					return w.prober.askUpNodes(ctx, w.cluster, known)
				})
			}
		})
		both.Wait()
		if before != nil {
			before.wait()
		}
	})
	for !endsWithin(round.done, time.Second) {
		if w.cluster.Limiter.Hanging() {
			seen.askAgain(func() []probes.NodeObservation { return w.prober.askNodes(ctx, w.cluster, nil) })
		}
		_ = panics.Catch(panics.Job, func() { // after a panic the round continues
			if r, ok := seen.round(emptyRound); ok {
				w.judgePartial(r)
			}
		})
	}
	round.wait()
	if until.IsZero() || time.Now().Before(until) {
		w.wholeRound = emptyRound.Started
	}
	seen.asking.Wait()
	r.Nodes, r.NodesFirst = seen.observedNodes()
	return r, fresh
}

// wholeRoundEvery is how often a round takes the time that it needs. What it concludes of sessions holds for twice
// as long (checks, stickyFor).
const wholeRoundEvery = 5 * time.Minute

// roundEnd returns when a full round that began at a time ends its follow-ups: when the next one is due; zero: it
// takes the time that it needs.
func (w *Watcher) roundEnd(began time.Time) time.Time {
	if w.intervals.Status <= 0 || began.Sub(w.wholeRound) > wholeRoundEvery {
		return time.Time{}
	}
	return began.Add(w.intervals.Status)
}

// takeFullRound takes and judges a full round. before is the preceding follow-up, which
// contributes its new clients; nil: none. returnReserve is set if something is or seems wrong. If the
// list of nodes changed during the round, it takes another one.
func (w *Watcher) takeFullRound(ctx context.Context, before *followUpBatch, returnReserve bool) {
	if nodesChanged := w.tryFullRound(ctx, before, returnReserve, true); nodesChanged {
		w.tryFullRound(ctx, nil, returnReserve, false)
	}
}

// tryFullRound is takeFullRound for one round. It judges nothing and returns true if
// askForNodes is set and the source of the nodes lists others.
func (w *Watcher) tryFullRound(ctx context.Context, before *followUpBatch, returnReserve, askForNodes bool) (nodesChanged bool) {
	round, fresh := w.probeAll(ctx, before, returnReserve)
	w.prober.Self.observe(w, w.began, w.exchanges(round))
	if w.discardIfStopped(ctx) {
		logOut(ctx, fresh)
		return false
	}
	if before != nil {
		w.canaryPool.evaluate(before.take(), w.lastReport, w.observer)
		round.Traces = append(round.Traces, before.newClients()...)
	}
	identity := checks.Identify(w.cluster, round.Nodes)
	w.whileReturning(ctx, func() {
		round.OwnerChecks = append(round.OwnerChecks, checkOwners(ctx, round, identity, w.canaryPool.clients())...)
		round.OwnerChecks = append(round.OwnerChecks, checkKept(ctx, w.cluster, identity, round.OwnerChecks, w.canaryPool.canaries)...)
	})
	if w.discardIfStopped(ctx) {
		logOut(ctx, fresh)
		return false
	}
	w.fullRoundEnded, w.lastPairs = time.Now(), time.Now()
	w.canaryPool.toLeaveOut = 0
	for _, c := range round.AddressChecks {
		w.canaryPool.toLeaveOut += c.Sent
	}
	w.lookUp(ctx) // an address may have left during the round
	w.canaryPool.removeWithoutAddress()
	round.Traces = append(round.Traces, w.canaryPool.traces()...)
	round.Duration = time.Since(round.Started)
	report := checks.Judge(round)
	if askForNodes && w.nodesChanged(ctx, report) {
		logOut(ctx, fresh)
		return true
	}
	w.reportProbes(round, Status, Pages, Dependencies)
	w.canaryPool.reportTraces(round, w.observer)
	for _, request := range report.Requests {
		w.observer.Requested(request)
	}
	held := append(w.canaryPool.clients(), fresh...)
	w.canaryPool.renew(w.cluster, identity, fresh, unlistedNodes(report), w.intervals.CanaryAge)
	changes := w.publish(round, report, true)
	w.openIdle(ctx, round, identity)
	w.leaving = append(w.leaving, without(held, w.canaryPool.clients())...)
	w.logOutLeaving(ctx)
	if len(changes) > 0 {
		w.backoff = 0
	}
	w.unsettledRounds++
	if len(changes) > 0 || !w.ledger.HasPending() {
		w.unsettledRounds = 0
	}
	return false
}

// openIdle ends a full round for the idle canaries: it opens those that are missing. If clients share sessions, it
// drops those that may share them.
func (w *Watcher) openIdle(ctx context.Context, round checks.Round, identity checks.Identity) {
	if slices.ContainsFunc(w.lastReport.Findings, func(f checks.Finding) bool { return f.Code == checks.SessionLeaked }) {
		w.canaryPool.dropIdle(w.lastLeakFree)
		w.canaryPool.reserve = nil
		return
	}
	w.lastLeakFree = round.Started
	returns := w.whileReturning(ctx, func() { w.addIdleCanaries(ctx, identity) })
	_, harmed := w.canaryPool.evaluate(returns.take(), w.lastReport, w.observer)
	w.clientsHarmed = w.clientsHarmed || harmed
}

// unlistedNodes returns the names of nodes that hold sessions of clients and are not listed.
func unlistedNodes(r checks.Report) (names []string) {
	for _, f := range r.Findings {
		if f.Code == checks.UnknownNode && r.Session.Policy != probes.PolicyShared {
			names = append(names, f.Target)
		}
	}
	return names
}

// whileReturning runs a function that sends requests. If that takes long, canaries return meanwhile.
func (w *Watcher) whileReturning(ctx context.Context, send func()) (returns *followUpBatch) {
	sending := begin(send)
	returns = w.canaryPool.returnWhile(ctx, sending.done, w.intervals.Canary)
	sending.wait()
	returns.wait()
	return returns
}

// judgePartial judges a round that is still running, or the last round with the canary
// requests since. A client whose requests have failed for long enough is reported before the
// full round ends.
func (w *Watcher) judgePartial(r checks.Round) {
	if w.fullRoundEnded.IsZero() || w.retired.Load() {
		return
	}
	w.prober.Self.observe(w, w.began, w.exchanges(r))
	if w.selfCheckFailed() {
		return
	}
	r.Past, r.Every = w.timelines, w.intervals.Canary
	r.Traces = append(r.Traces, w.canaryPool.traces()...)
	r.Duration = time.Since(r.Started)
	changes := w.ledger.UpdatePartial(checks.Judge(r))
	if len(changes) == 0 {
		return
	}
	w.suspended = false
	p := Snapshot{Cluster: w.cluster, Report: w.lastReport, ActiveFindings: sortByFinding(w.ledger.Active(), w.lastReport.Findings), Since: w.since}
	w.snapshot.Store(&p)
	w.observer.Judged(RoundResult{Snapshot: p, Observed: w.last, Changes: changes, Canaries: w.canaryPool.exportedCanaries()})
}

// publish makes a judged round the newest one and reports its changes, unless the watch ended
// meanwhile.
func (w *Watcher) publish(r checks.Round, report checks.Report, full bool) []checks.Change {
	if w.retired.Load() {
		return nil
	}
	if report.Verdict != w.lastReport.Verdict || w.since.IsZero() {
		w.since = r.Started
	}
	changes := w.ledger.Update(report)
	report.Requests = nil // they are reported already
	w.setLast(r)
	if full {
		for i, trace := range w.last.Traces {
			w.last.Traces[i].Steps = slices.Clone(trace.Steps) // without room for more, because they are kept for long
		}
	}
	w.lastReport, w.timelines, w.suspended = report, report.Timelines, false
	p := Snapshot{Cluster: w.cluster, Report: report, ActiveFindings: sortByFinding(w.ledger.Active(), report.Findings), Since: w.since}
	w.snapshot.Store(&p)
	if w.cluster.Source != nil && outdated(report) {
		w.cluster.Source.Refresh()
	}
	w.observer.Judged(RoundResult{Snapshot: p, Observed: r, Full: full, Changes: changes, Canaries: w.canaryPool.exportedCanaries()})
	return changes
}

// setLast makes a round the newest one, without what others have: the pool has the traces of canaries,
// and the timelines continue the one before.
func (w *Watcher) setLast(r checks.Round) {
	w.last = r
	w.last.Traces, w.last.Past = w.newClientTraces(), nil
}

// newClientTraces returns the traces of the last full round, without those of canaries.
func (w *Watcher) newClientTraces() []probes.Trace {
	traces := slices.DeleteFunc(slices.Clone(w.last.Traces), func(trace probes.Trace) bool { return trace.Continued })
	return slices.Clone(traces) // without room for the others
}

// sameFindings reports whether two reports have the same verdict and findings.
func sameFindings(a, b checks.Report) bool {
	return a.Verdict == b.Verdict && slices.EqualFunc(a.Findings, b.Findings, func(f, g checks.Finding) bool {
		return f.Key() == g.Key() && f.Severity == g.Severity
	})
}

// sortByFinding sorts active findings into the order of a report's findings.
func sortByFinding(activeFindings []checks.ActiveFinding, findings []checks.Finding) []checks.ActiveFinding {
	position := func(found checks.ActiveFinding) int {
		at := slices.IndexFunc(findings, func(f checks.Finding) bool { return f.Key() == found.Key() })
		if at < 0 {
			return len(findings)
		}
		return at
	}
	slices.SortStableFunc(activeFindings, func(a, b checks.ActiveFinding) int { return position(a) - position(b) })
	return activeFindings
}
