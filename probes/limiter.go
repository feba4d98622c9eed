package probes

import (
	"context"
	"slices"
	"sync"
	"time"

	"stickwatch/internal/panics"
)

// A Limiter keeps the requests that stickwatch sends to the nodes of one cluster
// within a Budget, and below what the nodes themselves can take:
//
//   - A token bucket for each node bounds the rate.
//   - The number of requests in flight at one node adapts to its answers, from one
//     up to Budget.Concurrent. A node that is seen to queue requests gets one at a
//     time, and is then left alone for as long as its answer took.
//   - The number of requests in flight with one session adapts in the same way,
//     because many applications lock a session while a request uses it.
//
// A request through the balancer whose node is not known counts at every node
// until its answer tells which node gave it. So does one whose node was computed,
// from the moment at which another node answered such a request.
//
// A nil *Limiter admits every request at once.
type Limiter struct {
	budget Budget

	mu       sync.Mutex
	nodes    []*limitedNode
	sessions *concurrencyLimit // of every single session: locking is the application's habit
	waiting  []*permit         // in the order in which they came
	admitted uint64            // how many were, so far
	timer    *time.Timer       // advances the queue when time alone lets a request go
}

// A limitedNode is a node as its Limiter knows it.
type limitedNode struct {
	scope
	id        string
	label     string // how it called itself when it was last asked directly
	tokens    tokenBucket
	notBefore time.Time // it gets no request before
	missed    bool      // another node answered the last request that was expected here
}

// An admissionRequest is what a Limiter is asked for.
type admissionRequest struct {
	node     string        // id of the node that is expected to answer; "": any may
	direct   bool          // the node itself is dialled
	session  *sessionScope // nil: the request has no session, or opens one
	kind     string        // requests of one kind take about the same time
	requests int           // how many are sent one after the other; 0: 1
	alone    bool          // no other request of ours may be in flight
}

// A permit is a demand that waits or was admitted.
type permit struct {
	admissionRequest
	limiter  *Limiter
	nodes    []*limitedNode // where it may arrive
	admitted chan struct{}  // closed when it is

	sequence   uint64 // counts admitted permits
	startedAt  time.Time
	contention map[*scope]*contention // nil: it is the only one
	delayed    time.Time              // when the last answer came to a request with a lower number
}

// NewLimiter returns a limiter for the nodes of one cluster.
func NewLimiter(b Budget, nodes []Node) *Limiter {
	l := &Limiter{budget: b, sessions: newConcurrencyLimit(b.Concurrent)}
	for _, n := range nodes {
		l.nodes = append(l.nodes, &limitedNode{id: n.ID, scope: scope{limit: newConcurrencyLimit(b.Concurrent)}})
	}
	return l
}

// learnLabel notes how a node calls itself, by which answers through the balancer are
// attributed to it.
func (l *Limiter) learnLabel(node, label string) {
	if l == nil || label == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := l.node(node); n != nil {
		n.label = label
	}
}

// nodeOf is the id of the one node that calls itself label; "": unknown.
func (l *Limiter) nodeOf(label string) string {
	if l == nil {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := l.labelled(label); n != nil {
		return n.id
	}
	return ""
}

func (l *Limiter) node(id string) *limitedNode {
	at := slices.IndexFunc(l.nodes, func(n *limitedNode) bool { return n.id == id })
	if at < 0 {
		return nil
	}
	return l.nodes[at]
}

func (l *Limiter) labelled(label string) *limitedNode {
	var found *limitedNode
	for _, n := range l.nodes {
		switch {
		case label == "" || n.label != label:
		case found != nil:
			return nil // two nodes share it
		default:
			found = n
		}
	}
	return found
}

// admit waits until d may be sent, or ctx is done. The permit must be ended.
func (l *Limiter) admit(ctx context.Context, d admissionRequest) (*permit, error) {
	d.requests = max(1, d.requests)
	p := &permit{admissionRequest: d, limiter: l, admitted: make(chan struct{})}
	if l == nil {
		p.startedAt = time.Now()
		return p, ctx.Err()
	}
	l.mu.Lock()
	p.nodes = l.candidates(d)
	if d.session != nil {
		d.session.limit = l.sessions
	}
	l.waiting = append(l.waiting, p)
	l.advance()
	l.mu.Unlock()
	select {
	case <-p.admitted:
		return p, nil
	case <-ctx.Done():
		l.cancel(p)
		return nil, ctx.Err()
	}
}

// Hanging reports whether a request in flight goes on for longer than one lost packet
// would explain, and for three times as long as one of its kind usually takes.
func (l *Limiter) Hanging() bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, n := range l.nodes {
		for _, p := range n.inFlight {
			if now.Sub(p.startedAt) >= max(retransmitTime, 3*p.usual()) {
				return true
			}
		}
	}
	return false
}

// retransmitTime is within which time TCP has sent a packet again that was lost once.
const retransmitTime = 1500 * time.Millisecond

// usual is how long a request of its kind takes alone, at the slowest node at which
// it may arrive; 0: that is not known.
func (p *permit) usual() (longest time.Duration) {
	for _, n := range p.nodes {
		longest = max(longest, n.limit.alone[p.kind])
	}
	return longest
}

// candidates are the nodes at which a request may arrive.
func (l *Limiter) candidates(d admissionRequest) []*limitedNode {
	for i, n := range l.nodes {
		if n.id == d.node && (d.direct || !n.missed) {
			return l.nodes[i : i+1]
		}
	}
	return l.nodes
}

// cancel ends a permit that nobody waits for any more.
func (l *Limiter) cancel(p *permit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at := slices.Index(l.waiting, p); at >= 0 {
		l.waiting = slices.Delete(l.waiting, at, at+1)
	} else {
		p.finish()
	}
	l.advance()
}

// advance admits whom it can, in the order in which they came. A request that
// only waits for a token is not overtaken at its nodes, lest those that need a
// token of one node starve those that need one of each.
func (l *Limiter) advance() {
	now := time.Now()
	var next time.Time
	claimed := make(map[*limitedNode]bool)
	l.waiting = slices.DeleteFunc(l.waiting, func(p *permit) bool {
		if len(claimed) == len(l.nodes) && len(claimed) > 0 {
			return false
		}
		behind := slices.ContainsFunc(p.nodes, func(n *limitedNode) bool { return claimed[n] })
		room, when := p.hasCapacity(now)
		if room {
			when = p.rateAllowsAt(now)
		}
		if room && !behind && !when.After(now) {
			p.start(now)
			return true
		}
		if when.After(now) && (next.IsZero() || when.Before(next)) {
			next = when
		}
		if room || p.alone {
			for _, n := range p.nodes {
				claimed[n] = true
			}
		}
		return false
	})
	l.wake(next)
}

// wake advances the queue again at a moment; zero: when a request ends.
func (l *Limiter) wake(at time.Time) {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if at.IsZero() {
		return
	}
	l.timer = panics.AfterFunc(time.Until(at), panics.Probe, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.advance()
	})
}

// A Budget bounds the requests that stickwatch sends to one node, directly and
// through the balancer together.
type Budget struct {
	RequestsPerSecond int // in the long run; see Burst
	Concurrent        int // requests in flight at the same time, at most
}

// DefaultBudget applies where a configuration is silent.
var DefaultBudget = Budget{RequestsPerSecond: 20, Concurrent: 4}

// Burst is how many requests a node that was left alone may get at once: those
// of half a second. A picture of a healthy cluster asks each node 15 to 25 times
// and would take twice as long without it.
func (b Budget) Burst() int { return max(1, b.RequestsPerSecond/2) }

// interval is the time between two requests at the full rate.
func (b Budget) interval() time.Duration {
	return time.Second / time.Duration(max(1, b.RequestsPerSecond))
}

// A tokenBucket spaces the requests to one node. Its zero value is full.
type tokenBucket struct {
	full     time.Time // when every token that was taken has been replaced
	reserved int       // for requests in flight that may arrive at another node
}

// available is the time from which a token can be taken. While too many are
// reserved it is after now whatever now is.
func (t *tokenBucket) available(b Budget, now time.Time) time.Time {
	spare := time.Duration(b.Burst()-1-t.reserved) * b.interval()
	if spare < 0 && t.full.Before(now) {
		return now.Add(-spare)
	}
	return t.full.Add(-spare)
}

// take takes n tokens for requests that were sent at a moment. There may be fewer:
// then the next request waits until the debt is paid.
func (t *tokenBucket) take(b Budget, n int, at time.Time) {
	if t.full.Before(at) {
		t.full = at
	}
	t.full = t.full.Add(time.Duration(n) * b.interval())
}
