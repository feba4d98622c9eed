package probes

import (
	"slices"
	"time"
)

// hasCapacity reports whether as few requests are in flight as p needs. If not, it
// returns when time alone will change that; zero: never.
func (p *permit) hasCapacity(now time.Time) (ok bool, when time.Time) {
	for _, s := range p.scopes() {
		free, at := s.hasCapacity(p, now)
		if !free {
			return false, at
		}
	}
	return true, time.Time{}
}

// hasCapacity is how a scope answers for a permit. Where a request has waited for long,
// and nothing was answered since it was sent, only the bound of the budget counts:
// the others would wait for nothing. Even that does not count silent requests to a
// node itself against one that may well arrive at another node.
func (s *scope) hasCapacity(p *permit, now time.Time) (ok bool, when time.Time) {
	counted, bounded, exclusive, silent := 0, 0, false, false
	for _, q := range s.inFlight {
		if until := q.startedAt.Add(s.limit.countsFor(q.kind)); now.Before(until) {
			counted++
			exclusive = exclusive || q.alone
			if when.IsZero() || until.Before(when) {
				when = until
			}
		} else {
			silent = silent || !s.answered.After(q.startedAt)
			if q.direct && !p.direct {
				continue
			}
		}
		bounded++
	}
	if p.alone {
		return len(s.inFlight) == 0, time.Time{}
	}
	return (silent || !exclusive && counted < s.limit.current) && bounded < s.limit.maximum, when
}

// rateAllowsAt is from when the rates of all its nodes let a permit go.
func (p *permit) rateAllowsAt(now time.Time) time.Time {
	var latest time.Time
	for _, n := range p.nodes {
		for _, at := range []time.Time{n.notBefore, n.tokens.available(p.limiter.budget, now)} {
			if at.After(latest) {
				latest = at
			}
		}
	}
	return latest
}

// scopes are the requests that p may delay, and be delayed by.
func (p *permit) scopes() []*scope {
	list := make([]*scope, 0, len(p.nodes)+1)
	if p.session != nil {
		list = append(list, &p.session.scope)
	}
	for _, n := range p.nodes {
		list = append(list, &n.scope)
	}
	return list
}

// start admits p.
func (p *permit) start(now time.Time) {
	p.limiter.admitted++
	p.sequence, p.startedAt, p.contention = p.limiter.admitted, now, make(map[*scope]*contention)
	for _, s := range p.scopes() {
		for _, q := range s.inFlight {
			p.contention[s] = &contention{ahead: true}
			if q.contention[s] == nil {
				q.contention[s] = new(contention)
			}
		}
		s.inFlight = append(s.inFlight, p)
	}
	for _, n := range p.nodes {
		if len(p.nodes) == 1 {
			n.tokens.take(p.limiter.budget, p.requests, now)
		} else {
			n.tokens.reserved += p.requests
		}
	}
	close(p.admitted)
}

// finish takes p out of what is in flight.
func (p *permit) finish() {
	now := time.Now()
	for _, s := range p.scopes() {
		s.inFlight = slices.DeleteFunc(s.inFlight, func(q *permit) bool { return q == p })
		for _, q := range s.inFlight {
			both := min(now.Sub(p.startedAt), now.Sub(q.startedAt))
			p.contention[s].overlap = max(p.contention[s].overlap, both)
			q.contention[s].overlap = max(q.contention[s].overlap, both)
		}
	}
	if len(p.nodes) > 1 {
		for _, n := range p.nodes {
			n.tokens.reserved -= p.requests
		}
	}
}

// A response is what became of an admitted request.
type response struct {
	label    string // how the node that answered calls itself; "": not told
	answered bool   // in whole
	timedOut bool
	extra    int // requests that were sent beside those of the demand, for redirects
}

// finishWith gives a permit back, and learns from what became of the request. It
// reports whether the request timed out because of our own: for half of its time
// or more, one that was sent before it was in flight and was then answered.
func (p *permit) finishWith(r response) (ownFault bool) {
	l := p.limiter
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	took := now.Sub(p.startedAt)
	p.finish()
	at := p.attribute(r)
	if r.answered {
		p.releaseFollowing(at, now)
	}
	for _, n := range at {
		n.learnFrom(p, r, took, now)
	}
	if p.session != nil && r.answered {
		p.session.answered = now
	}
	p.learnSession(r, took, now)
	l.advance()
	return r.timedOut && !p.alone && p.delayed.Sub(p.startedAt) >= took/2
}

// attribute charges the requests to the node that answered, and where that is not
// known, to every node at which they may have arrived. It returns the nodes about
// which the answer tells something.
func (p *permit) attribute(r response) []*limitedNode {
	at := p.nodes
	if n := p.limiter.labelled(r.label); n != nil && r.answered && !p.direct {
		at = []*limitedNode{n}
		if expected := p.limiter.node(p.node); expected != nil {
			expected.missed = expected != n
		}
	}
	for _, n := range at {
		requests := r.extra
		if len(p.nodes) > 1 || n != p.nodes[0] {
			requests += p.requests
		}
		n.tokens.take(p.limiter.budget, requests, p.startedAt)
	}
	return at
}

// releaseFollowing notes for the requests that were sent after p, and may have
// queued behind it, that it no longer delays them.
func (p *permit) releaseFollowing(at []*limitedNode, now time.Time) {
	following := func(s *scope) {
		for _, q := range s.inFlight {
			if q.sequence > p.sequence {
				q.delayed = now
			}
		}
	}
	for _, n := range at {
		following(&n.scope)
	}
	if p.session != nil {
		following(&p.session.scope)
	}
}

// learnFrom adapts a node's limit. Requests of one session that delay each other
// may do so by its lock, which is no fault of the node.
func (n *limitedNode) learnFrom(p *permit, r response, took time.Duration, now time.Time) {
	shared := p.session != nil && p.contention[&p.session.scope] != nil
	switch {
	case r.timedOut && !shared:
		n.limit.lower(now)
	case !r.answered || !slices.Contains(p.nodes, n):
	case shared && n.limit.queued(p.kind, took):
	case p.contention[&n.scope] != nil:
		n.answeredConcurrently(*p.contention[&n.scope], p.kind, took, now)
	default:
		n.answeredAlone(p.kind, took, now)
	}
	if r.answered {
		n.answered = now
	}
	if n.limit.queues {
		n.notBefore = now.Add(took)
	}
}

// learnSession adapts the limit of all sessions.
func (p *permit) learnSession(r response, took time.Duration, now time.Time) {
	switch {
	case p.session == nil || !r.answered:
	case p.contention[&p.session.scope] != nil:
		p.session.answeredConcurrently(*p.contention[&p.session.scope], p.kind, took, now)
	case len(p.contention) == 0:
		p.session.answeredAlone(p.kind, took, now)
	}
}

// run sends the request of an admitted permit, and ends it.
func (p *permit) run(send func() response) (ownFault bool) {
	var r response
	defer func() { ownFault = p.finishWith(r) }()
	r = send()
	return false
}

// A concurrencyLimit is how many requests may be in flight together, learnt from
// how long answers take. It starts with one. Requests that take as long in
// company as they do alone raise it; one that takes longer had to queue, and
// lowers it to one.
type concurrencyLimit struct {
	current, maximum int
	alone            map[string]time.Duration // how long requests of a kind take when no other is in flight
	retryAt          time.Time                // when another request may be added again, after queueing was seen
	queues           bool                     // queueing was seen, and nothing else since
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
	return &concurrencyLimit{current: 1, maximum: max(1, most), alone: make(map[string]time.Duration)}
}

// countsFor is for how long a request in flight counts against the limit. One
// that takes longer than a queue of all of them could is not delayed by the
// others: its node is in trouble, and requests that waited for it would only find
// that out one by one.
func (c *concurrencyLimit) countsFor(kind string) time.Duration {
	return max(unansweredAfter, time.Duration(c.current+1)*c.alone[kind])
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
	if c.current == 1 && !now.Before(c.retryAt) {
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
func (c *concurrencyLimit) raise() { c.current = min(c.current+1, c.maximum) }

// lower lets one request at a time go for a while.
func (c *concurrencyLimit) lower(now time.Time) {
	c.current, c.retryAt = 1, now.Add(queueingHold)
}

// A scope is the requests in flight that may delay each other: those at one
// node, or those with one session.
type scope struct {
	inFlight  []*permit
	limit     *concurrencyLimit
	undelayed int       // answers in a row that others in flight did not delay
	answered  time.Time // when the last answer came
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
	s.undelayed = 0
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
		s.undelayed, s.limit.queues = 0, true
		s.limit.lower(now)
	case known && c.ahead && c.overlap >= took/2:
		s.undelayed++
	}
	if s.undelayed >= max(2, s.limit.current) && !now.Before(s.limit.retryAt) {
		s.undelayed = 0
		s.limit.raise()
	}
}
