package probes

import (
	"maps"
	"slices"
	"time"
)

// hasCapacity reports whether few enough requests are in flight to send p. If not, it
// returns when that may change because of time alone; zero: never.
func (p *permit) hasCapacity(now time.Time) (ok bool, when time.Time) {
	for _, s := range p.scopes() {
		free, at := s.hasCapacity(p, now)
		if !free {
			return false, at
		}
	}
	return true, time.Time{}
}

// hasCapacity is the check of one scope. If a request has waited for long and nothing
// was answered since it was sent, only the bound of the budget counts, because the
// others would wait for no reason. A silent request to a node itself does not count
// against a permit that may arrive at another node.
func (s *scope) hasCapacity(p *permit, now time.Time) (ok bool, when time.Time) {
	if p.alone {
		return s.idle(now)
	}
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
	return (silent || !exclusive && counted < s.limit.current) && bounded < s.limit.maximum, when
}

// idle reports whether no request is in flight. If not, it returns when one that is becomes one that takes long
// (see waitsFor); zero: all do already.
func (s *scope) idle(now time.Time) (ok bool, when time.Time) {
	for _, q := range s.inFlight {
		if long := q.startedAt.Add(unansweredAfter); long.After(now) && (when.IsZero() || long.Before(when)) {
			when = long
		}
	}
	return len(s.inFlight) == 0, when
}

// rateAllowsAt returns the time from which the rates of all nodes of p allow it.
func (p *permit) rateAllowsAt(now time.Time) time.Time {
	var latest time.Time
	for _, n := range p.nodes {
		for _, at := range []time.Time{n.notBefore, n.tokens.available(p.limiter.budget, now), p.limiter.pace.allowsAt(p, now)} {
			if at.After(latest) {
				latest = at
			}
		}
	}
	return latest
}

// waitsFor returns those of the nodes that are slow, if p waits for their pauses, or, to be alone, for requests that
// take long; else all of them.
func (p *permit) waitsFor(nodes []*limitedNode, now time.Time) []*limitedNode {
	if p.apart {
		return nodes
	}
	var slow []*limitedNode
	for _, n := range nodes {
		if n.notBefore.After(now) {
			slow = append(slow, n)
		}
		for _, q := range n.inFlight {
			if took := now.Sub(q.startedAt); p.alone && took >= unansweredAfter {
				slow = append(slow, asSlow(q.nodes, took)...)
			}
		}
	}
	if len(slow) == 0 {
		return nodes
	}
	return slow
}

// scopes returns the groups of requests that p may delay, and that may delay p.
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
	p.crowded = now.Sub(p.limiter.started) < time.Second
	p.limiter.admitted++
	p.limiter.started = now
	p.limiter.pace.start(p, now)
	p.sequence, p.startedAt, p.contention = p.limiter.admitted, now, make(map[*scope]*concurrentRequests)
	for _, s := range p.scopes() {
		for _, q := range s.inFlight {
			p.contention[s] = &concurrentRequests{ahead: true}
			if q.contention[s] == nil {
				q.contention[s] = new(concurrentRequests)
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

// finish removes p from the requests in flight.
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

// A response is the result of an admitted request.
type response struct {
	label    string // the name that the answering node reports; "": unknown
	answered bool   // completely
	timedOut bool
	limited  time.Duration // after a refusal for the pace: how long no other request should be sent; 0: it was none
	extra    int           // requests that were sent in addition, for redirects
}

// finishWith finishes a permit, and adapts the limits to the response. It reports
// whether the request failed because of stickwatch. It timed out, and for half of its time
// or more an earlier request was in flight that was then answered; or it was one of too many
// requests.
func (p *permit) finishWith(r response) (ownFault bool) {
	limiter := p.limiter
	if limiter == nil {
		return false
	}
	limiter.mu.Lock()
	defer limiter.mu.Unlock()
	now := time.Now()
	took := now.Sub(p.startedAt)
	p.finish()
	at := p.attribute(r)
	if r.answered {
		p.releaseFollowing(at, now)
	}
	for _, n := range asSlow(at, took) {
		n.learnFrom(p, r, took, now)
	}
	if p.session != nil && r.answered {
		p.session.answered = now
	}
	p.learnSession(r, took, now)
	ownFault = r.timedOut && !p.alone && p.delayed.Sub(p.startedAt) >= took/2
	switch p.refused = r.limited > 0; {
	case p.refused && limiter.pace.slowDown(p, now):
		p.slowed, ownFault = true, true
		for _, n := range p.limitedWith() {
			n.wait(now.Add(limitWindow))
		}
	case p.refused:
		ownFault = p.learnRefusal(r.limited, now)
	case r.answered:
		limiter.pace.served(p, now)
	}
	limiter.advance()
	return ownFault
}

// longestPause bounds the time in each minute for which requests to a cluster wait because of
// refusals. A target must not stop its own monitoring.
const longestPause = 10 * time.Second

// learnRefusal adapts to a refusal, and reports whether the pace of stickwatch may
// have caused it: it was in a crowd, and none that kept apart was refused within the last minute.
func (p *permit) learnRefusal(wait time.Duration, now time.Time) (ownFault bool) {
	limiter := p.limiter
	ownFault = p.inCrowd() && !p.alone && !p.refusedAgain(now)
	if ownFault && now.Sub(limiter.paused) >= time.Minute {
		limiter.paused = now
	}
	until := now.Add(min(wait, longestPause-now.Sub(limiter.paused)))
	for _, n := range p.limitedWith() {
		if p.apart {
			n.refused = now
		}
		if ownFault {
			n.limit.lower(now)
			n.wait(until)
		}
	}
	return ownFault
}

// inCrowd reports whether another request started within the second before p or while it was in flight.
func (p *permit) inCrowd() bool {
	return p.crowded || p.limiter.admitted > p.sequence // a later one may overtake it
}

// limitedWith returns the nodes for which p's refusal is evidence. The balancer may have
// answered it for all of them.
func (p *permit) limitedWith() []*limitedNode {
	if p.direct {
		return p.nodes
	}
	return p.limiter.nodes
}

// refusedAgain reports whether a request that kept apart was refused within the last minute:
// then it is not the pace of stickwatch for which p is refused.
func (p *permit) refusedAgain(now time.Time) bool {
	return !slices.ContainsFunc(p.limitedWith(), func(n *limitedNode) bool { return now.Sub(n.refused) >= time.Minute })
}

// attribute takes tokens of the node that answered, or of every node at which the
// request may have arrived. It returns the nodes about which the answer is evidence.
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

// asSlow returns the nodes that may have taken so long, of those at which a request may have arrived. A node
// that is known to be slow explains it, and then it is no evidence about quick ones.
func asSlow(nodes []*limitedNode, took time.Duration) []*limitedNode {
	if took < unansweredAfter || len(nodes) == 1 {
		return nodes
	}
	var slow []*limitedNode
	for _, n := range nodes {
		if slices.Max(append(slices.Collect(maps.Values(n.limit.alone)), 0)) >= took/2 {
			slow = append(slow, n)
		}
	}
	if len(slow) == 0 {
		return nodes
	}
	return slow
}

// releaseFollowing records for the requests sent after p that p no longer delays them.
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

// learnFrom adapts a node's limit. If requests of one session delay each other, the
// cause may be the session's lock, and the node's limit stays.
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
		n.wait(now.Add(took))
	}
}

// wait lets no request start before a time.
func (n *limitedNode) wait(until time.Time) {
	if until.After(n.notBefore) {
		n.notBefore = until
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

// run sends the request of an admitted permit, and finishes it.
func (p *permit) run(send func() response) (ownFault bool) {
	var r response
	defer func() { ownFault = p.finishWith(r) }()
	r = send()
	return false
}

// A concurrencyLimit is the number of requests that may be in flight together. It
// adapts to how long answers take. It starts with one. It rises if concurrent requests
// take as long as requests alone, and falls to one if a request takes longer, because
// that one was queued.
type concurrencyLimit struct {
	current, maximum int
	alone            map[string]time.Duration // how long requests of a kind take when no other is in flight
	retryAt          time.Time                // when the limit may rise again, after queueing was seen
	queues           bool                     // queueing was seen, and nothing else since
}

const (
	// queueingHold is the time for which a limit stays at one after queueing was seen.
	queueingHold = 30 * time.Second
	// queueingSlack is the delay that is attributed to scheduling on a busy machine and
	// not to queueing.
	queueingSlack = 5 * time.Millisecond
	// unansweredAfter is the time after which an unanswered request no longer delays
	// others, unless requests of its kind usually take longer.
	unansweredAfter = time.Second
	// maxKinds bounds the memory of a limit. Kinds are paths of a configuration.
	maxKinds = 64
)

func newConcurrencyLimit(most int) *concurrencyLimit {
	return &concurrencyLimit{current: 1, maximum: max(1, most), alone: make(map[string]time.Duration)}
}

// countsFor returns the time for which a request in flight counts against the limit. A
// request that takes longer than a queue of all of them would take is not delayed by
// the others. Its node has a problem, and later requests should not wait for it.
func (c *concurrencyLimit) countsFor(kind string) time.Duration {
	return max(unansweredAfter, time.Duration(c.current+1)*c.alone[kind])
}

// answeredAlone adapts to an answer to the only request in flight. One slow answer is
// weak evidence, so it raises the usual time by a quarter of the difference.
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

// queued reports whether an answer took clearly longer than usual. It is false if the
// usual time is unknown.
func (c *concurrencyLimit) queued(kind string, took time.Duration) bool {
	usual, known := c.alone[kind]
	return known && took > usual+usual/2+queueingSlack
}

// waitedFor reports whether a request was served only after another one, with which it was
// in flight for overlap: then it took longer than usual by about that time.
func waitedFor(overlap, delay time.Duration) bool {
	return delay >= queueingSlack && delay >= overlap*3/4
}

// raise allows one more request.
func (c *concurrencyLimit) raise() { c.current = min(c.current+1, c.maximum) }

// lower allows one request at a time for queueingHold.
func (c *concurrencyLimit) lower(now time.Time) {
	c.current, c.retryAt = 1, now.Add(queueingHold)
}

// A scope is the requests in flight that may delay each other: those at one node, or
// those with one session.
type scope struct {
	inFlight  []*permit
	limit     *concurrencyLimit
	undelayed int       // answers in a row that other requests in flight did not delay
	answered  time.Time // when the last answer arrived
}

// concurrentRequests describes the other requests in a scope while one is in flight.
type concurrentRequests struct {
	ahead   bool          // some were in flight before it
	overlap time.Duration // the longest time for which one of them was in flight with it
}

// A sessionScope is the requests of one session. Its zero value is ready to use.
type sessionScope struct{ scope }

func (s *scope) answeredAlone(kind string, took time.Duration, now time.Time) {
	s.undelayed = 0
	s.limit.answeredAlone(kind, took, now)
}

// answeredConcurrently adapts to an answer to a request that was in flight with others.
// One undelayed answer is weak evidence: the request may have been the first in a
// queue, or may have overlapped with the others only at its end. Only requests that
// started after others and overlapped with them for half of their time count. As many
// of them in a row as the limit allows raise it by one.
func (s *scope) answeredConcurrently(c concurrentRequests, kind string, took time.Duration, now time.Time) {
	usual, known := s.limit.alone[kind]
	switch {
	case s.limit.queued(kind, took), known && c.ahead && c.overlap >= usual/2 && waitedFor(c.overlap, took-usual):
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
