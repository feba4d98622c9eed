package evidence

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"stickwatch/probes"
)

const (
	maxRecords  = 256 // servers that are remembered
	maxEpisodes = 16  // of each server, the newest
)

// A failureLog gathers what the lines of an error log tell. Lines may come out of
// order by a moment: every worker writes its own.
type failureLog struct {
	options    NginxOptions
	servers    map[string]*record
	pools      map[string]*record
	belowError bool      // a line below error was seen, so ejections would be, too
	since      time.Time // of the first line since which none was missed; zero: not begun
}

// A record is what is known of one server.
type record struct {
	upstream         probes.ServerEvidence // its names
	seen             time.Time             // its last line
	message          string
	fails            int
	upstreamFailures upstreamFailures
	episodes         []probes.Episode
}

func newFailureLog(o NginxOptions) *failureLog {
	return &failureLog{options: o, servers: make(map[string]*record), pools: make(map[string]*record)}
}

// markGap notes that lines may have been lost before what comes next.
func (g *failureLog) markGap() { g.since = time.Time{} }

// markRead notes that everything up to now was read.
func (g *failureLog) markRead(now time.Time) {
	if g.since.IsZero() {
		g.since = now
	}
}

// add takes a line that is read at now. One from the future is not believed.
func (g *failureLog) add(l line, now time.Time) {
	if l.at.After(now.Add(clockSlack)) {
		return
	}
	g.belowError = g.belowError || l.belowError
	if g.since.IsZero() {
		g.since = l.at
	}
	switch l.event {
	case eventFailed:
		r := lookUp(g.servers, l)
		r.fails++
		r.upstreamFailures.add(l, g.options.failTimeout())
	case eventEjected:
		lookUp(g.servers, l).extend(l.at, g.options.maxLineGap())
	case eventExhausted:
		lookUp(g.pools, l).extend(l.at, g.options.maxLineGap())
	}
}

// lookUp finds or makes the record of l's server, at the cost of the one that
// was seen the longest ago when there are too many.
func lookUp(records map[string]*record, l line) *record {
	r, ok := records[l.server]
	if !ok {
		if len(records) >= maxRecords {
			delete(records, slices.MinFunc(slices.Collect(maps.Keys(records)), func(a, b string) int {
				return cmp.Or(records[a].seen.Compare(records[b].seen), cmp.Compare(a, b))
			}))
		}
		r = &record{upstream: l.upstream()}
		records[l.server] = r
	}
	r.seen, r.message = l.at, l.message
	return r
}

// extend adds a line to the last episode, or begins one.
func (r *record) extend(at time.Time, join time.Duration) {
	if n := len(r.episodes); n > 0 && at.Sub(r.episodes[n-1].Last) <= join {
		e := &r.episodes[n-1]
		e.Lines++
		if at.After(e.Last) {
			e.Last = at
		}
		return
	}
	if len(r.episodes) == maxEpisodes {
		r.episodes = slices.Delete(r.episodes, 0, 1)
	}
	r.episodes = append(r.episodes, probes.Episode{First: at, Last: at, Lines: 1})
}

// evidence is what the records mean at now.
func (g *failureLog) evidence(records map[string]*record, now time.Time) []probes.ServerEvidence {
	var list []probes.ServerEvidence
	for _, name := range slices.Sorted(maps.Keys(records)) {
		r := records[name]
		s := r.upstream
		s.Fails, s.Detail, s.Episodes = r.fails, r.message, slices.Clone(r.episodes)
		s.Failures = r.upstreamFailures.failures(g.since)
		n := len(r.episodes)
		switch {
		case n > 0 && now.Sub(r.episodes[n-1].Last) <= g.options.ejectionTime():
			s.State, s.Since = probes.ServerDown, r.episodes[n-1].First
		case g.belowError: // it would have been said
			s.State = probes.ServerUp
		default:
			s.State = probes.ServerUnknown
		}
		list = append(list, s)
	}
	return list
}

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

// failures is what is known of them by a log that lacks nothing since.
func (a *upstreamFailures) failures(since time.Time) probes.Failures {
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
