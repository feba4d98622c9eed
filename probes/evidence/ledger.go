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
	options NginxOptions
	servers map[string]*record
	pools   map[string]*record
	low     bool      // a line below error was seen, so ejections would be, too
	since   time.Time // of the first line since which none was missed; zero: not begun
}

// A record is what is known of one server.
type record struct {
	upstream         probes.ServerEvidence // its names
	seen             time.Time             // its last line
	said             string
	fails            int
	upstreamFailures upstreamFailures
	episodes         []probes.Episode
}

func newFailureLog(o NginxOptions) *failureLog {
	return &failureLog{options: o, servers: make(map[string]*record), pools: make(map[string]*record)}
}

// missed notes that lines may have been lost before what comes next.
func (g *failureLog) missed() { g.since = time.Time{} }

// begun notes that everything up to now was read.
func (g *failureLog) begun(now time.Time) {
	if g.since.IsZero() {
		g.since = now
	}
}

// add takes a line that is read at now. One from the future is not believed.
func (g *failureLog) add(l line, now time.Time) {
	if l.at.After(now.Add(slack)) {
		return
	}
	g.low = g.low || l.low
	if g.since.IsZero() {
		g.since = l.at
	}
	switch l.event {
	case eventFailed:
		r := lookUp(g.servers, l)
		r.fails++
		r.upstreamFailures.add(l, g.options.failTimeout())
	case eventEjected:
		lookUp(g.servers, l).extend(l.at, g.options.join())
	case eventExhausted:
		lookUp(g.pools, l).extend(l.at, g.options.join())
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
	r.seen, r.said = l.at, l.said
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
		s.Fails, s.Detail, s.Episodes = r.fails, r.said, slices.Clone(r.episodes)
		s.Failures = r.upstreamFailures.told(g.since)
		n := len(r.episodes)
		switch {
		case n > 0 && now.Sub(r.episodes[n-1].Last) <= g.options.hold():
			s.State, s.Since = probes.ServerDown, r.episodes[n-1].First
		case g.low: // it would have been said
			s.State = probes.ServerUp
		default:
			s.State = probes.ServerUnknown
		}
		list = append(list, s)
	}
	return list
}
