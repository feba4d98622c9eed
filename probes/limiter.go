package probes

import (
	"context"
	"slices"
	"sync"
	"time"

	"stickwatch/internal/panics"
)

// A Limiter keeps the requests of stickwatch to the nodes of one cluster within a
// Budget, and within the capacity of the nodes:
//
//   - A token bucket for each node bounds the rate.
//   - The number of requests in flight at one node adapts to its answers, from one up
//     to Budget.Concurrent. A node that queues requests gets one at a time, followed by
//     a pause as long as its answer took.
//   - The number of requests in flight with one session adapts in the same way,
//     because many applications lock a session while a request uses it.
//   - After a refusal (refusesPace) that the pace of stickwatch may have caused, no request starts until
//     Retry-After has passed, or for a second; at most for longestPause in each minute.
//   - If the repeat is refused as well, the limit may count the requests of a longer time:
//     the balancer gets none for that time, and then few (see pace).
//
// A request through the balancer counts at every node until its answer shows which node
// gave it, unless the oracle computes the node. After another node answers such a
// request, requests for that node count at every node, too.
//
// A nil *Limiter admits every request at once.
type Limiter struct {
	budget Budget

	mu       sync.Mutex
	nodes    []*limitedNode
	sessions *concurrencyLimit // of each session: locking sessions is a property of the application
	waiting  []*permit         // in order of arrival
	admitted uint64            // number of admitted permits so far
	started  time.Time         // when the last permit was admitted
	pace     pace
	paused   time.Time   // start of the last longestPause in which requests may wait because of a refusal
	timer    *time.Timer // runs advance when a waiting request may start because of time alone
}

type limitedNode struct {
	scope
	id        string
	label     string // the name that the node reported in the last direct request
	tokens    tokenBucket
	notBefore time.Time // no request starts earlier
	refused   time.Time // when a request that was repeated because of a refusal was last refused again
	missed    bool      // another node answered the last request that was expected here
}

// An admissionRequest is a request to a Limiter to admit HTTP requests.
type admissionRequest struct {
	node     string        // id of the node that is expected to answer; "": any
	direct   bool          // the node itself is dialled
	session  *sessionScope // nil: the request has no session, or opens one
	kind     string        // requests of one kind take about the same time
	requests int           // number of requests that are sent one after the other; 0: 1
	alone    bool          // no other request of stickwatch may be in flight
	apart    bool          // none may have started within the second before: it repeats one that was refused

	afterWindow bool // it repeats one that was refused although no other had started, after limitWindow
}

// A permit is an admissionRequest that waits or was admitted.
type permit struct {
	admissionRequest
	limiter  *Limiter
	nodes    []*limitedNode // nodes at which the request may arrive
	admitted chan struct{}  // closed when it is admitted

	sequence   uint64 // number of this permit, in order of admission
	startedAt  time.Time
	contention map[*scope]*concurrentRequests // nil: no other request is in flight
	delayed    time.Time                      // when a request with a lower number was last answered
	crowded    bool                           // another one started within the second before it
	refused    bool                           // it was refused for the pace
	slowed     bool                           // its repeat waits for limitWindow
}

// NewLimiter returns a limiter for the nodes of one cluster.
func NewLimiter(b Budget, nodes []Node) *Limiter {
	l := &Limiter{budget: b, sessions: newConcurrencyLimit(b.Concurrent)}
	for _, n := range nodes {
		l.nodes = append(l.nodes, newLimitedNode(b, n))
	}
	return l
}

// SetNodes replaces the nodes. Those that stay keep what is known of them.
func (l *Limiter) SetNodes(nodes []Node) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	next := make([]*limitedNode, 0, len(nodes))
	for _, n := range nodes {
		known := l.node(n.ID)
		if known == nil {
			known = newLimitedNode(l.budget, n)
		}
		next = append(next, known)
	}
	l.nodes = next
}

func newLimitedNode(b Budget, n Node) *limitedNode {
	return &limitedNode{id: n.ID, scope: scope{limit: newConcurrencyLimit(b.Concurrent)}}
}

// learnLabel records the name that a node reports. Answers through the balancer are
// attributed by it.
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

// nodeOf returns the id of the only node with that label; "": unknown.
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

// knowsLabels reports whether some node has reported its name.
func (l *Limiter) knowsLabels() bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.nodes, func(n *limitedNode) bool { return n.label != "" })
}

func (l *Limiter) node(id string) *limitedNode {
	at := slices.IndexFunc(l.nodes, func(n *limitedNode) bool { return n.id == id })
	if at < 0 {
		return nil
	}
	return l.nodes[at]
}

// lastLabel returns the name that a node reported last; "": none.
func (l *Limiter) lastLabel(node string) string {
	if l == nil {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := l.node(node); n != nil {
		return n.label
	}
	return ""
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

// admit waits until a request may be sent, or ctx ends. The permit must be finished.
func (l *Limiter) admit(ctx context.Context, a admissionRequest) (*permit, error) {
	a.requests = max(1, a.requests)
	p := &permit{admissionRequest: a, limiter: l, admitted: make(chan struct{})}
	if l == nil {
		p.startedAt = time.Now()
		return p, ctx.Err()
	}
	l.mu.Lock()
	p.nodes = l.candidates(a)
	if a.session != nil {
		a.session.limit = l.sessions
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

// Hanging reports whether a request in flight takes longer than one lost packet
// explains, and three times as long as requests of its kind usually take.
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

// Repeats reports whether a request to a node itself timed out because of other requests of stickwatch, as it seems,
// and is or will be sent again alone.
func (l *Limiter) Repeats(node string) bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	repeats := func(p *permit) bool { return p.node == node && p.direct && p.alone && !p.apart }
	n := l.node(node)
	return slices.ContainsFunc(l.waiting, repeats) || n != nil && slices.ContainsFunc(n.inFlight, repeats)
}

// retransmitTime is a time within which TCP has sent a packet again that was lost once.
const retransmitTime = 1500 * time.Millisecond

// usual returns how long a request of this kind takes alone, at the slowest node at
// which it may arrive; 0: unknown.
func (p *permit) usual() (longest time.Duration) {
	for _, n := range p.nodes {
		longest = max(longest, n.limit.alone[p.kind])
	}
	return longest
}

// candidates returns the nodes at which a request may arrive.
func (l *Limiter) candidates(a admissionRequest) []*limitedNode {
	for i, n := range l.nodes {
		if n.id == a.node && (a.direct || !n.missed) {
			return l.nodes[i : i+1]
		}
	}
	return l.nodes
}

// cancel removes a permit whose caller no longer waits for it.
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

// advance admits as many permits as it can, in order of arrival. If a request waits for
// a token only, later requests to its nodes wait behind it. Otherwise requests for one
// node could starve those that need a token of every node. While it waits for the pause of
// a slow node, requests to the others go on. All others wait for a request
// that keeps apart and could start otherwise, as nodes may share a limit.
func (l *Limiter) advance() {
	now := time.Now()
	var next time.Time
	claimed := make(map[*limitedNode]bool)
	isClaimed := func(n *limitedNode) bool { return claimed[n] }
	l.waiting = slices.DeleteFunc(l.waiting, func(p *permit) bool {
		if len(claimed) > 0 && len(claimed) >= len(l.nodes) && !slices.ContainsFunc(l.nodes, func(n *limitedNode) bool { return !claimed[n] }) {
			return false // the rest waits behind these; a permit may claim nodes that are no longer listed
		}
		behind := slices.ContainsFunc(p.nodes, isClaimed)
		room, when := p.hasCapacity(now)
		if room {
			when = p.rateAllowsAt(now)
		}
		nodes := p.nodes
		if room && !when.After(now) && p.apart && !p.refusedAgain(now) {
			nodes, when = l.nodes, l.started.Add(time.Second)
		}
		starts := room && !behind && !when.After(now)
		if starts {
			p.start(now)
			if !p.apart {
				return true
			}
			when = now.Add(unansweredAfter) // no other one starts with it
		}
		if when.After(now) && (next.IsZero() || when.Before(next)) {
			next = when
		}
		if room || p.alone {
			for _, n := range p.waitsFor(nodes, now) {
				claimed[n] = true
			}
		}
		return starts
	})
	l.wake(next)
}

// wake runs advance again at a time; zero: it runs when a request ends.
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

// A Budget bounds the requests of stickwatch to one node, directly and through the
// balancer together.
type Budget struct {
	RequestsPerSecond int // on average; see Burst
	Concurrent        int // maximum of requests in flight
}

// DefaultBudget applies where a configuration has no budget.
var DefaultBudget = Budget{RequestsPerSecond: 20, Concurrent: 4}

// Burst is the number of requests that an idle node may get at once: those of half a
// second. A round of a healthy cluster sends 15 to 25 requests to each node and would
// take twice as long without it.
func (b Budget) Burst() int { return max(1, b.RequestsPerSecond/2) }

// interval returns the time between two requests at the full rate.
func (b Budget) interval() time.Duration {
	return time.Second / time.Duration(max(1, b.RequestsPerSecond))
}

// A tokenBucket limits the rate of requests to one node. Its zero value is full.
type tokenBucket struct {
	full     time.Time // when every token that was taken is replaced
	reserved int       // tokens for requests in flight that may arrive at another node
}

// available returns the time from which a token can be taken. While too many are
// reserved it is always after now.
func (t *tokenBucket) available(b Budget, now time.Time) time.Time {
	spare := time.Duration(b.Burst()-1-t.reserved) * b.interval()
	if spare < 0 && t.full.Before(now) {
		return now.Add(-spare)
	}
	return t.full.Add(-spare)
}

// take takes n tokens for requests that were sent at a time. If there are fewer, the
// next request waits until they are replaced.
func (t *tokenBucket) take(b Budget, n int, at time.Time) {
	if t.full.Before(at) {
		t.full = at
	}
	t.full = t.full.Add(time.Duration(n) * b.interval())
}
