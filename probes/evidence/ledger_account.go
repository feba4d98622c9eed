package evidence

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"stickwatch/probes"
)

const (
	maxSeconds = 120 // with failures, of each server, the newest
	maxWorkers = 64  // with a run of their own, of each server
)

// An account is of the failed tries at one server. nginx holds their number against
// max_fails, and forgets it when a request that it sent more than fail_timeout
// after the last failure succeeds. Of successes the log has nothing, but where
// failures came no further apart than that, nothing was forgotten.
type upstreamFailures struct {
	seconds []probes.SecondCount
	all     run            // as an upstream with a zone has it, or a single worker
	workers map[string]run // as each worker has it without; those of the current run
}

// A run is a row of failures with no pause between them.
type run struct {
	last  time.Time
	count int
}

// next is the run after one more failure. nginx counts in whole seconds, as its
// log does.
func (r run) next(at time.Time, failTimeout time.Duration) run {
	if at.Sub(r.last) > failTimeout {
		return run{at, 1}
	}
	if at.Before(r.last) { // another worker's clock is a moment behind
		at = r.last
	}
	return run{at, r.count + 1}
}

func (a *upstreamFailures) add(l line, failTimeout time.Duration) {
	a.countFailure(l.at)
	if a.all = a.all.next(l.at, failTimeout); a.all.count == 1 {
		a.workers = make(map[string]run)
	}
	if _, known := a.workers[l.worker]; !known && len(a.workers) >= maxWorkers {
		delete(a.workers, slices.MinFunc(slices.Collect(maps.Keys(a.workers)), func(x, y string) int {
			return cmp.Or(a.workers[x].last.Compare(a.workers[y].last), cmp.Compare(x, y))
		}))
	}
	a.workers[l.worker] = a.workers[l.worker].next(l.at, failTimeout)
}

// countFailure counts a failure in its second. Lines come nearly in order, so that its
// place is at the end or shortly before it.
func (a *upstreamFailures) countFailure(at time.Time) {
	i, found := slices.BinarySearchFunc(a.seconds, at, func(t probes.SecondCount, at time.Time) int { return t.At.Compare(at) })
	if !found {
		a.seconds = slices.Insert(a.seconds, i, probes.SecondCount{At: at})
	}
	a.seconds[i].Count++
	if len(a.seconds) > maxSeconds {
		a.seconds = slices.Delete(a.seconds, 0, len(a.seconds)-maxSeconds)
	}
}

// told is what is known of them by a log that lacks nothing since.
func (a *upstreamFailures) told(since time.Time) probes.Failures {
	if a.all.count == 0 {
		return probes.Failures{}
	}
	longest := 0
	for _, r := range a.workers {
		longest = max(longest, r.count)
	}
	return probes.Failures{
		Since: since, Seconds: slices.Clone(a.seconds),
		Run: a.all.count, RunOfWorker: longest, Workers: len(a.workers),
	}
}
