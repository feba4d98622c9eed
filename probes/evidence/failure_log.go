package evidence

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"stickwatch/probes"
)

const (
	maxRecords  = 256 // servers in memory
	maxEpisodes = 16  // of each server, the newest
)

// A failureLog collects the events in an error log. Lines may be slightly out of order,
// because every worker writes its own.
type failureLog struct {
	options    NginxOptions
	servers    map[string]*record
	pools      map[string]*record
	belowError bool      // a line below error was seen, so the log includes ejections
	since      time.Time // time of the first line after the last gap; zero: nothing was read
}

// A record is the events of one server.
type record struct {
	upstream         probes.ServerEvidence // its names
	seen             time.Time             // time of its last line
	message          string
	fails            int
	upstreamFailures upstreamFailures
	episodes         []probes.Episode
}

func newFailureLog(o NginxOptions) *failureLog {
	return &failureLog{options: o, servers: make(map[string]*record), pools: make(map[string]*record)}
}

// markGap records that lines before the next one may have been lost.
func (g *failureLog) markGap() { g.since = time.Time{} }

// markRead records that everything up to now was read.
func (g *failureLog) markRead(now time.Time) {
	if g.since.IsZero() {
		g.since = now
	}
}

// add adds a line that is read at now. It ignores a line from the future.
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

// lookUp returns the record of l's server. If there are too many, a new record replaces
// the one with the oldest last line.
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

// extend adds a line to the last episode, or starts a new one.
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

// evidence returns the state of the servers at now.
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
		case g.belowError: // the log would include an ejection
			s.State = probes.ServerUp
		default:
			s.State = probes.ServerUnknown
		}
		list = append(list, s)
	}
	return list
}

const (
	maxSeconds = 120 // seconds with failures, of each server, the newest
	maxWorkers = 64  // workers with a run of their own, of each server
)

// upstreamFailures are the failed requests to one server. nginx compares their number
// with max_fails. It resets the number when a request succeeds that was sent more than
// fail_timeout after the last failure. The log has no successes, but if no pause
// between failures was that long, nothing was reset.
type upstreamFailures struct {
	seconds []probes.SecondCount
	all     run            // count of an upstream with a zone, or of a single worker
	workers map[string]run // counts of each worker without a zone, in the current run
}

// A run is a series of failures without a pause.
type run struct {
	last  time.Time
	count int
}

// next returns the run after one more failure. nginx counts in whole seconds, as its
// log does.
func (r run) next(at time.Time, failTimeout time.Duration) run {
	if at.Sub(r.last) > failTimeout {
		return run{at, 1}
	}
	if at.Before(r.last) { // the clock of another worker is slightly behind
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

// countFailure adds a failure to its second. Lines are nearly in order, so the second
// is one of the last.
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

// failures returns the failures, all of which are known after since.
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
