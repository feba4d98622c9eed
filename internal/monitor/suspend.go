package monitor

import (
	"slices"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

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
		if d.LocalError {
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
