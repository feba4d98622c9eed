package probes

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Canary is a client of stickwatch's own with a session behind the balancer.
// It must be opened first, and does one thing at a time, as a user would; only
// Follow may be called side by side. It may live on over many rounds, with
// Settle between two of them.
type Canary struct {
	client  *Client
	cluster *Cluster

	mu      sync.Mutex
	jar     *Jar
	session Fingerprint // its id
	holder  string      // the label of the answer that last showed the session
	trace   Trace
	counter int // the last value sent
	written int // the last value known to be stored; 0: none
	scope   sessionScope
	opened  time.Time
}

// NewCanary returns a canary that enters through e presenting key, and whose
// counter starts after base, so that no two canaries hold the same value.
// expected is the node that the oracle names; "" where it cannot.
func NewCanary(c *Cluster, e Frontend, key, expected string, base int) *Canary {
	return &Canary{
		client:  NewClient(e.Target(c, key)),
		cluster: c,
		jar:     NewJar(),
		trace:   Trace{URL: e.URL.Redacted(), Balancer: e.Address, Client: key, Expected: expected, Base: base},
		counter: base,
	}
}

// Trace is a copy of what the canary has been through.
func (c *Canary) Trace() Trace {
	c.mu.Lock()
	defer c.mu.Unlock()
	trace := c.trace
	trace.Steps = slices.Clone(trace.Steps)
	return trace
}

// Open begins the session.
func (c *Canary) Open(ctx context.Context) Exchange {
	ex := c.get(ctx, c.cluster.ClientPath(), c.cookies())
	c.mu.Lock()
	c.session, c.holder, c.opened = ex.Session, ex.Label, ex.At
	c.trace.OpenedBy, c.trace.Opened = ex.Label, ex.At
	c.mu.Unlock()
	c.record(StepFirst, 0, ex)
	return ex
}

// Opened is when its session was asked for.
func (c *Canary) Opened() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opened
}

// StartNextRound ends a round for a canary that lives on: its walk begins anew with the
// last answer that had the session, wherever that came from, and knows nothing
// of what was before. It reports whether there is a session to go on with: none
// is left where the last answers had lost it, or there never was one.
func (c *Canary) StartNextRound() bool {
	trace := c.Trace()
	at := -1
	for i := range trace.Steps {
		if s := trace.Steps[i]; s.OK() && s.Status < 300 && s.Kind != StepFollow {
			at = i
		}
	}
	if at < 0 || trace.SessionOutcome(at) == SessionLost || trace.SessionOutcome(at) == SessionStale {
		return false
	}
	last := trace.Steps[at]
	c.mu.Lock()
	defer c.mu.Unlock()
	last.Kind, last.Counter = StepFirst, c.counter
	c.trace.Steps, c.trace.Continued = []Step{last}, true
	return true
}

// Disregard forgets the requests since a moment that failed, and reports whether there
// were any: they never left this machine, or say nothing of who was to answer them.
func (c *Canary) Disregard(since time.Time) (some bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.trace.Steps)
	c.trace.Steps = slices.DeleteFunc(c.trace.Steps, func(s Step) bool { return !s.OK() && !s.At.Before(since) })
	return len(c.trace.Steps) < n
}

// Write stores the next counter in the session. Where the application takes
// none, it asks nothing. An answer that began another session is not believed:
// the canary goes on with the cookies that it had.
func (c *Canary) Write(ctx context.Context) Exchange {
	if c.cluster.Session == nil || c.cluster.Session.Write == "" {
		return Exchange{}
	}
	c.mu.Lock()
	c.counter++
	counter := c.counter
	c.mu.Unlock()
	path := strings.ReplaceAll(c.cluster.Session.Write, "{value}", url.QueryEscape(strconv.Itoa(counter)))
	jar := c.cookies().Clone()
	ex := c.get(ctx, path, jar)
	c.record(StepWrite, counter, ex)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !ex.OK() || (contents{id: c.trace.First().Session}).outcome(ex) == SessionLost {
		return ex
	}
	c.jar, c.session, c.holder = jar, ex.Session, ex.Label
	if ex.Failure == "" && ex.Status >= 200 && ex.Status < 300 {
		c.written = counter
	}
	return ex
}

// Follow comes back with a copy of the session's cookies: what one follow-up is
// given does not spoil the next. An answer that has renamed the session and
// kept it, as Tomcat does when it moves, is believed from then on.
func (c *Canary) Follow(ctx context.Context) Exchange { return c.AwaitFollow(ctx)() }

// AwaitFollow waits until the cluster's budget admits a follow-up, and returns
// the function that sends it. That must be called. Whoever calls AwaitFollow for
// several canaries in turn decides on the order in which their requests leave.
func (c *Canary) AwaitFollow(ctx context.Context) (follow func() Exchange) {
	jar := c.cookies().Clone()
	send := c.startRequest(ctx, StepFollow, jar)
	return func() Exchange {
		ex, outcome := send()
		if outcome == SessionKept && ex.NewID {
			c.adopt(jar, ex)
		}
		return ex
	}
}

// Return comes back as a user would, with the cookies of the last answer that
// had the session.
func (c *Canary) Return(ctx context.Context) Exchange {
	jar := c.cookies().Clone()
	ex, outcome := c.startRequest(ctx, StepReturn, jar)()
	if outcome != SessionLost && ex.OK() && ex.Status < 300 {
		c.adopt(jar, ex)
	}
	return ex
}

// startRequest waits until the budget admits a request with the session, and returns the
// function that sends it.
func (c *Canary) startRequest(ctx context.Context, kind StepKind, jar *Jar) func() (Exchange, SessionOutcome) {
	counter := c.stored() // now: a write may come to its end before the answer does
	send := c.client.reserve(ctx, c.pageRequest(c.cluster.ClientPath(), jar))
	return func() (Exchange, SessionOutcome) {
		ex, _ := send()
		c.record(kind, counter, ex)
		c.mu.Lock()
		defer c.mu.Unlock()
		h := contents{id: c.trace.First().Session, counter: counter, base: c.trace.Base, lastSent: c.counter}
		return ex, h.outcome(ex)
	}
}

func (c *Canary) adopt(jar *Jar, ex Exchange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jar, c.holder = jar, ex.Label
}

// Holder is the label of the answer that last showed the session: where it is
// now, as far as anybody knows. It is "" when the answers do not tell.
func (c *Canary) Holder() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.holder
}

func (c *Canary) get(ctx context.Context, path string, jar *Jar) Exchange {
	ex, _ := c.client.ask(ctx, c.pageRequest(path, jar))
	return ex
}

func (c *Canary) pageRequest(path string, jar *Jar) pageRequest {
	return pageRequest{
		path: path, jar: jar, follow: true, session: c.cluster.Session,
		expected: c.expected(), inSession: &c.scope,
	}
}

// expected is the id of the node that will answer: that which has given all
// answers so far, where sessions are to stay on one, and before the first answer
// the one that was computed. "" is any node.
func (c *Canary) expected() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	label := ""
	for _, s := range c.trace.Steps {
		switch {
		case s.Label == "":
		case label != "" && s.Label != label:
			return ""
		default:
			label = s.Label
		}
	}
	if s := c.cluster.Session; label != "" && s != nil && s.Policy != PolicyShared {
		return c.cluster.Limiter.nodeOf(label)
	}
	return c.trace.Expected
}

func (c *Canary) cookies() *Jar {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.jar
}

func (c *Canary) record(kind StepKind, counter int, ex Exchange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trace.Steps = append(c.trace.Steps, Step{Kind: kind, Counter: counter, Exchange: ex})
}

// stored is the counter that the session should hold; 0 when none is known to
// have been written, or no answer shows it.
func (c *Canary) stored() int {
	if c.cluster.Session == nil || c.cluster.Session.Read == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.written
}
