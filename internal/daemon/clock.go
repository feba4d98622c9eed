package daemon

import (
	"slices"
	"sync"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/monitor"
)

// A steadyClock is the wall clock without its jumps: times at which rows expire and
// notifications are due must not come early, or hours late, because somebody set the clock of
// this machine. It follows the monotonic clock, and adopts a wall clock that differs for a day. In a
// fleet it follows the clock of the database, so that all instances agree.
type steadyClock struct {
	mu      sync.Mutex
	base    time.Time // when the wall clock was right, with its monotonic part
	differs time.Time // since when the wall clock differs; zero: it does not

	follows bool          // another clock
	offset  time.Duration // to that clock
}

const (
	clockTolerance = 2 * time.Second // for small corrections
	clockAdopted   = 24 * time.Hour  // after which the wall clock is right
)

func newSteadyClock() *steadyClock { return &steadyClock{base: time.Now()} }

// now returns the current time for what expires or falls due: that of the fleet or, without one, of the
// wall clock without its jumps.
func (c *steadyClock) now() time.Time { return c.at(time.Now(), time.Now().Round(0)) }

// at returns the time at a moment of the monotonic clock, when the wall clock shows wall.
func (c *steadyClock) at(moment, wall time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	steady := c.base.Add(moment.Sub(c.base))
	if c.follows {
		return steady.Round(0).Add(c.offset) // nobody sets it, so that it needs no monotonic part
	}
	switch {
	case wall.Sub(steady.Round(0)).Abs() < clockTolerance:
		c.differs = time.Time{}
	case c.differs.IsZero():
		c.differs = steady
	case steady.Sub(c.differs) >= clockAdopted:
		c.base, c.differs = moment, time.Time{}
		return moment
	}
	return steady
}

// follow sets the clock by another one, which showed a time at a moment of the monotonic clock.
func (c *steadyClock) follow(shown, moment time.Time) {
	const tolerance = 100 * time.Millisecond
	c.mu.Lock()
	defer c.mu.Unlock()
	steady := c.base.Add(moment.Sub(c.base))
	if offset := shown.Sub(steady.Round(0)); !c.follows || (offset-c.offset).Abs() > tolerance {
		c.follows, c.offset = true, offset
	}
}

// shared returns the time of the fleet for a time that this process has observed. Times with a
// monotonic part are such times; those of the history have none, and are returned as they are. Without
// a fleet, all are.
func (c *steadyClock) shared(t time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t == t.Round(0) || !c.follows { //nolint:staticcheck // Equal ignores the monotonic part
		return t
	}
	return c.base.Round(0).Add(t.Sub(c.base) + c.offset)
}

// toLocal is the reverse of shared: a time of the history as this process would have observed it.
func (c *steadyClock) toLocal(t time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t != t.Round(0) || t.IsZero() || !c.follows { //nolint:staticcheck // Equal ignores the monotonic part
		return t
	}
	return c.base.Add(t.Sub(c.base.Round(0).Add(c.offset)))
}

// sharedNow returns the current time, to compare it with times that shared has returned.
func (c *steadyClock) sharedNow() time.Time { return c.shared(time.Now()) }

// ahead returns by how much the wall clock is ahead of the clock of the fleet.
func (c *steadyClock) ahead() time.Duration { return time.Now().Round(0).Sub(c.sharedNow().Round(0)) }

// sharedFindings returns findings with the times of the fleet.
func (c *steadyClock) sharedFindings(all []checks.ActiveFinding) []checks.ActiveFinding {
	return c.convert(all, c.shared)
}

// localFindings returns findings of the history as this process would have found them.
func (c *steadyClock) localFindings(all []checks.ActiveFinding) []checks.ActiveFinding {
	return c.convert(all, c.toLocal)
}

func (c *steadyClock) convert(all []checks.ActiveFinding, to func(time.Time) time.Time) []checks.ActiveFinding {
	if !c.following() {
		return all
	}
	all = slices.Clone(all)
	for i := range all {
		all[i] = all[i].WithTimes(to)
	}
	return all
}

func (c *steadyClock) following() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.follows
}

// sharedSnapshot returns a snapshot with the times of the fleet. Those of single requests stay as they are.
func (c *steadyClock) sharedSnapshot(s monitor.Snapshot) monitor.Snapshot {
	if !c.following() {
		return s
	}
	s.Report.Started, s.Since, s.ActiveFindings = c.shared(s.Report.Started), c.shared(s.Since), c.sharedFindings(s.ActiveFindings)
	s.Report.Findings = slices.Clone(s.Report.Findings)
	for i, f := range s.Report.Findings {
		s.Report.Findings[i] = f.WithTimes(c.shared)
	}
	return s
}

// monotonicTimes give times that were read from the history a monotonic part, so that a clock
// that is set later does not end a silence or a deployment early, or extend it. In a fleet they are
// compared with a clock that nobody sets, and need none.
type monotonicTimes struct {
	clock *steadyClock
	known map[int64]time.Time // times of the last list, by Unix time in nanoseconds
	next  map[int64]time.Time // times of the current list
}

// begin begins a list. Times that were in the last one keep their monotonic part.
func (m *monotonicTimes) begin() { m.known, m.next = m.next, make(map[int64]time.Time) }

// of returns t with a monotonic part.
func (m *monotonicTimes) of(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	monotonic, ok := m.known[t.UnixNano()]
	if !ok {
		now := m.clock.sharedNow()
		monotonic = now.Add(t.Round(0).Sub(now.Round(0)))
	}
	m.next[t.UnixNano()] = monotonic
	return monotonic
}

func (m *monotonicTimes) ofSilences(list []alerting.Silence) []alerting.Silence {
	m.begin()
	list = slices.Clone(list)
	for i := range list {
		list[i].From, list[i].To = m.of(list[i].From), m.of(list[i].To)
	}
	return list
}

func (m *monotonicTimes) ofDeployments(list []alerting.Deployment) []alerting.Deployment {
	m.begin()
	list = slices.Clone(list)
	for i := range list {
		list[i].From, list[i].To, list[i].Summed, list[i].LastLost = m.of(list[i].From), m.of(list[i].To), m.of(list[i].Summed), m.of(list[i].LastLost)
	}
	return list
}
