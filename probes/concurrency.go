package probes

import "time"

// A concurrencyLimit is how many requests may be in flight together, learnt from
// how long answers take. It starts with one. Requests that take as long in
// company as they do alone raise it; one that takes longer had to queue, and
// lowers it to one.
type concurrencyLimit struct {
	now, most int
	alone     map[string]time.Duration // how long requests of a kind take when no other is in flight
	retryAt   time.Time                // when another request may be added again, after queueing was seen
	queues    bool                     // queueing was seen, and nothing else since
}

const (
	// queueingHold is for how long a limit stays at one after queueing was seen.
	queueingHold = 30 * time.Second
	// queueingSlack is the delay that is not taken for queueing: scheduling on a
	// busy machine.
	queueingSlack = 5 * time.Millisecond
	// unansweredAfter is after how long an unanswered request no longer holds up others,
	// unless requests of its kind are known to take longer.
	unansweredAfter = time.Second
	// maxKinds bounds the memory of a limit. Kinds are paths of a configuration.
	maxKinds = 64
)

func newConcurrencyLimit(most int) *concurrencyLimit {
	return &concurrencyLimit{now: 1, most: max(1, most), alone: make(map[string]time.Duration)}
}

// holdsFor is for how long a request in flight counts against the limit. One
// that takes longer than a queue of all of them could is not delayed by the
// others: its node is in trouble, and requests that waited for it would only find
// that out one by one.
func (c *concurrencyLimit) holdsFor(kind string) time.Duration {
	return max(unansweredAfter, time.Duration(c.now+1)*c.alone[kind])
}

// answeredAlone learns from an answer to a request that was the only one in
// flight. One slow answer says little, so it raises the usual time by a quarter
// of the difference.
func (c *concurrencyLimit) answeredAlone(kind string, took time.Duration, now time.Time) {
	usual, known := c.alone[kind]
	switch {
	case known && took > usual:
		c.alone[kind] = usual + (took-usual)/4
	case known || len(c.alone) < maxKinds:
		c.alone[kind] = took
	}
	if c.now == 1 && !now.Before(c.retryAt) {
		c.raise()
		c.queues = false
	}
}

// queued reports whether an answer took clearly longer than usual. Without a
// usual time there is nothing to compare it with.
func (c *concurrencyLimit) queued(kind string, took time.Duration) bool {
	usual, known := c.alone[kind]
	return known && took > usual+usual/2+queueingSlack
}

// raise allows one request more.
func (c *concurrencyLimit) raise() { c.now = min(c.now+1, c.most) }

// lower lets one request at a time go for a while.
func (c *concurrencyLimit) lower(now time.Time) {
	c.now, c.retryAt = 1, now.Add(queueingHold)
}

// A scope is the requests in flight that may delay each other: those at one
// node, or those with one session.
type scope struct {
	inFlight []*permit
	limit    *concurrencyLimit
	prompt   int       // answers in a row that others in flight did not delay
	answered time.Time // when the last answer came
}

// A contention is the other requests in a scope while one is in flight.
type contention struct {
	ahead   bool          // some were there before it
	overlap time.Duration // the longest time for which one of them was in flight with it
}

// A sessionScope is the requests of one session. Its zero value is ready to use.
type sessionScope struct{ scope }

// answeredAlone learns from an answer to a request that was the only one in
// flight.
func (s *scope) answeredAlone(kind string, took time.Duration, now time.Time) {
	s.prompt = 0
	s.limit.answeredAlone(kind, took, now)
}

// answeredConcurrently learns from an answer to a request that was in flight
// together with others. A prompt one proves little: it may have been the first in
// a queue, or have met the others only at its end. Those count that were sent
// behind others and met them for half of their time, and as many in a row as
// there are side by side allow one more.
func (s *scope) answeredConcurrently(c contention, kind string, took time.Duration, now time.Time) {
	_, known := s.limit.alone[kind]
	switch {
	case s.limit.queued(kind, took):
		s.prompt, s.limit.queues = 0, true
		s.limit.lower(now)
	case known && c.ahead && c.overlap >= took/2:
		s.prompt++
	}
	if s.prompt >= max(2, s.limit.now) && !now.Before(s.limit.retryAt) {
		s.prompt = 0
		s.limit.raise()
	}
}
