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
func (f *failureLog) markGap() { f.since = time.Time{} }

// markRead records that everything up to now was read.
func (f *failureLog) markRead(now time.Time) {
	if f.since.IsZero() {
		f.since = now
	}
}

// add adds a line that is read at now. It ignores a line from the future.
func (f *failureLog) add(l line, now time.Time) {
	if l.at.After(now.Add(clockSlack)) {
		return
	}
	f.belowError = f.belowError || l.belowError
	if f.since.IsZero() {
		f.since = l.at
	}
	switch l.event {
	case eventFailed:
		r := lookUp(f.servers, l)
		r.fails++
		r.upstreamFailures.add(l, f.options.failTimeout())
	case eventEjected:
		lookUp(f.servers, l).extend(l.at, f.options.maxLineGap())
	case eventExhausted:
		lookUp(f.pools, l).extend(l.at, f.options.maxLineGap())
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
func (f *failureLog) evidence(records map[string]*record, now time.Time) []probes.ServerEvidence {
	var list []probes.ServerEvidence
	for _, name := range slices.Sorted(maps.Keys(records)) {
		r := records[name]
		s := r.upstream
		s.Fails, s.Detail, s.Episodes = r.fails, r.message, slices.Clone(r.episodes)
		s.Failures = r.upstreamFailures.failures(f.since)
		n := len(r.episodes)
		switch {
		case n > 0 && now.Sub(r.episodes[n-1].Last) <= f.options.ejectionTime():
			s.State, s.Since = probes.ServerDown, r.episodes[n-1].First
		case f.belowError: // the log would include an ejection
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

func (u *upstreamFailures) add(l line, failTimeout time.Duration) {
	u.countFailure(l.at)
	if u.all = u.all.next(l.at, failTimeout); u.all.count == 1 {
		u.workers = make(map[string]run)
	}
	if _, known := u.workers[l.worker]; !known && len(u.workers) >= maxWorkers {
		delete(u.workers, slices.MinFunc(slices.Collect(maps.Keys(u.workers)), func(x, y string) int {
			return cmp.Or(u.workers[x].last.Compare(u.workers[y].last), cmp.Compare(x, y))
		}))
	}
	u.workers[l.worker] = u.workers[l.worker].next(l.at, failTimeout)
}

// countFailure adds a failure to its second. Lines are nearly in order, so the second
// is one of the last.
func (u *upstreamFailures) countFailure(at time.Time) {
	i, found := slices.BinarySearchFunc(u.seconds, at, func(t probes.SecondCount, at time.Time) int { return t.At.Compare(at) })
	if !found {
		u.seconds = slices.Insert(u.seconds, i, probes.SecondCount{At: at})
	}
	u.seconds[i].Count++
	if len(u.seconds) > maxSeconds {
		u.seconds = slices.Delete(u.seconds, 0, len(u.seconds)-maxSeconds)
	}
}

// failures returns the failures, all of which are known after since.
func (u *upstreamFailures) failures(since time.Time) probes.Failures {
	if u.all.count == 0 {
		return probes.Failures{}
	}
	longest := 0
	for _, r := range u.workers {
		longest = max(longest, r.count)
	}
	return probes.Failures{
		Since: since, Seconds: slices.Clone(u.seconds),
		Run: u.all.count, RunOfWorker: longest, Workers: len(u.workers),
	}
}
