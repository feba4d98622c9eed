package daemon

import (
	"slices"
	"sync"
	"time"

	"stickwatch/alerting"
)

// A steadyClock is the wall clock without its jumps: times at which rows expire and
// notifications are due must not come early, or hours late, because somebody set the clock of
// this machine. It follows the monotonic clock, and adopts a wall clock that differs for a day.
type steadyClock struct {
	mu      sync.Mutex
	base    time.Time // when the wall clock was right, with its monotonic part
	differs time.Time // since when the wall clock differs; zero: it does not

	offset time.Duration // to the clock that this one follows
}

const (
	clockTolerance = 2 * time.Second // for small corrections
	clockAdopted   = 24 * time.Hour  // after which the wall clock is right
)

func newSteadyClock() *steadyClock { return &steadyClock{base: time.Now()} }

// now returns the current time.
func (c *steadyClock) now() time.Time { return c.at(time.Now(), time.Now().Round(0)) }

// at returns the time at a moment of the monotonic clock, when the wall clock shows wall.
func (c *steadyClock) at(moment, wall time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	steady := c.base.Add(moment.Sub(c.base))
	if c.offset != 0 {
		return steady.Add(c.offset)
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
	if offset := shown.Sub(steady.Round(0)); (offset - c.offset).Abs() > tolerance {
		c.offset = offset
	}
}

// An anchor gives times that were read from the history a monotonic part, so that a clock
// that is set later does not end a silence or a deployment early, or extend it.
type anchor struct {
	known map[int64]time.Time // times of the last list, by Unix time in nanoseconds
	next  map[int64]time.Time // times of the current list
}

// begin begins a list. Times that were in the last one keep their monotonic part.
func (a *anchor) begin() { a.known, a.next = a.next, make(map[int64]time.Time) }

// of returns t with a monotonic part.
func (a *anchor) of(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	anchored, ok := a.known[t.UnixNano()]
	if !ok {
		now := time.Now()
		anchored = now.Add(t.Round(0).Sub(now.Round(0)))
	}
	a.next[t.UnixNano()] = anchored
	return anchored
}

func (a *anchor) ofSilences(list []alerting.Silence) []alerting.Silence {
	a.begin()
	list = slices.Clone(list)
	for i := range list {
		list[i].From, list[i].To = a.of(list[i].From), a.of(list[i].To)
	}
	return list
}

func (a *anchor) ofDeployments(list []alerting.Deployment) []alerting.Deployment {
	a.begin()
	list = slices.Clone(list)
	for i := range list {
		list[i].From, list[i].To, list[i].Summed = a.of(list[i].From), a.of(list[i].To), a.of(list[i].Summed)
	}
	return list
}
