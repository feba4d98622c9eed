package probes

import "time"

// A concurrencyLimit is how many requests may be in flight together, learnt from
// how long answers take. It starts with one. Requests that take as long in
// company as they do alone raise it; one that takes longer had to queue, and
// lowers it to one.
type concurrencyLimit struct {
	now, most int
	alone     map[string]time.Duration // how long requests of a kind take when no other is in flight
	trial     time.Time                // when another request may be added again, after queueing was seen
	queues    bool                     // queueing was seen, and nothing else since
}

const (
	// queueingHold is for how long a limit stays at one after queueing was seen.
	queueingHold = 30 * time.Second
	// queueingSlack is the delay that is not taken for queueing: scheduling on a
	// busy machine.
	queueingSlack = 5 * time.Millisecond
	// silence is after how long an unanswered request no longer holds up others,
	// unless requests of its kind are known to take longer.
	silence = time.Second
	// maxKinds bounds the memory of a limit. Kinds are paths of a configuration.
	maxKinds = 64
)

func newConcurrencyLimit(most int) *concurrencyLimit {
	return &concurrencyLimit{now: 1, most: max(1, most), alone: make(map[string]time.Duration)}
}

// holdsFor is for how long a request in flight counts against the limit. One
// that takes twice as long as usual is not delayed by the others: its node is in
// trouble, and the requests behind it would only find that out one by one.
func (c *concurrencyLimit) holdsFor(kind string) time.Duration {
	return max(silence, 2*c.alone[kind])
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
	if c.now == 1 && !now.Before(c.trial) {
		c.now, c.queues = min(2, c.most), false
	}
}

// answeredBehind learns from an answer to a request that was sent while ahead
// others were in flight.
func (c *concurrencyLimit) answeredBehind(ahead int, kind string, took time.Duration, now time.Time) {
	usual, known := c.alone[kind]
	switch {
	case !known:
	case took > usual+usual/2+queueingSlack:
		c.queues = true
		c.lower(now)
	case ahead+1 >= c.now:
		c.now = min(c.now+1, c.most)
	}
}

// lower lets one request at a time go for a while.
func (c *concurrencyLimit) lower(now time.Time) {
	c.now, c.trial = 1, now.Add(queueingHold)
}
