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

// A Canary is a client of stickwatch with a session behind the balancer. Call Open, or Visit,
// first. Requests follow one another as those of a user do; only Follow may be called
// concurrently. A canary may live for many rounds: call StartNextRound between two of
// them.
type Canary struct {
	client  *Client
	cluster *Cluster

	mu      sync.Mutex
	jar     *Jar
	session Fingerprint // fingerprint of the session id
	holder  string      // label of the last answer that had the session
	trace   Trace
	counter int    // the last value sent
	written int    // the last value known to be stored; 0: none
	keeper  string // label of the answer to that write, or of the first one that showed the value
	scope   sessionScope
	opened  time.Time
	spoiled bool // a check of ours may have ended the session

	revision int64 // see Revision
}

// NewCanary returns a canary that sends its requests to f and presents key to the
// balancer. Its counter starts after base, so that no two canaries store the same
// value. targetNode is the id of the node that the oracle computes; "": unknown.
func NewCanary(c *Cluster, f Frontend, key, targetNode string, base int) *Canary {
	return &Canary{
		client:  NewClient(f.Target(c, key)),
		cluster: c,
		jar:     NewJar(),
		trace: Trace{
			URL: f.URL.Redacted(), Balancer: f.Address, Client: key, TargetNode: targetNode, Base: base,
			Visitor: c.Session != nil && c.Session.Login != nil,
		},
		counter: base,
	}
}

// Adopt makes the canary a client of a cluster whose nodes have changed, with the node that
// the oracle computes now. No request may be in flight.
func (c *Canary) Adopt(cluster *Cluster, targetNode string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cluster, c.trace.TargetNode = cluster, targetNode
}

// MoveTo makes the canary a client of another address of the balancer, as a browser is that asks
// DNS again after a failure. It keeps its cookies. No request may be in flight.
func (c *Canary) MoveTo(f Frontend) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.client = NewClient(f.Target(c.cluster, c.trace.Client))
	c.trace.URL, c.trace.Balancer = f.URL.Redacted(), f.Address
}

// Trace returns the canary's requests so far. Its steps are shared and must not be changed.
func (c *Canary) Trace() Trace {
	c.mu.Lock()
	defer c.mu.Unlock()
	trace := c.trace
	trace.Steps = slices.Clip(trace.Steps)
	return trace
}

// First returns the first exchange of the canary's trace; see Trace.First.
func (c *Canary) First() Exchange {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trace.First()
}

// Visit sends the first request, as a visitor who has not logged in. Without a login it opens
// the session.
func (c *Canary) Visit(ctx context.Context) Exchange {
	ex := c.get(ctx, c.cluster.ClientPath(), c.cookies())
	c.mu.Lock()
	c.session, c.holder, c.opened, c.revision = ex.Session, ex.Label, ex.At, sessionIDs.Add(1)
	c.trace.OpenerLabel, c.trace.Opened = ex.Label, ex.At
	c.mu.Unlock()
	c.record(StepFirst, 0, ex)
	return ex
}

// Opened returns the time at which the request for the session started.
func (c *Canary) Opened() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opened
}

// StartNextRound prepares the canary for another round. Its trace then starts with the
// last answer that had the session, and all other requests are removed. It reports
// whether the canary still has a session: false if the last answers lost it, or if
// there never was one.
func (c *Canary) StartNextRound() bool {
	trace := c.Trace()
	c.mu.Lock()
	spoiled := c.spoiled
	c.mu.Unlock()
	if spoiled {
		return false
	}
	at := -1
	for i := range trace.Steps {
		if c.hasSession(trace.Steps[i]) {
			at = i
		}
	}
	if at < 0 || trace.Steps[at].CookieEnded() || trace.SessionOutcome(at) == SessionLost || trace.SessionOutcome(at) == SessionStale {
		return false
	}
	last := trace.Steps[at]
	c.mu.Lock()
	defer c.mu.Unlock()
	last.Kind, last.Counter = StepFirst, c.counter
	c.trace.Steps, c.trace.Continued = []Step{last}, true
	return true
}

// hasSession reports whether the answer to a step shows the state of the session.
func (c *Canary) hasSession(s Step) bool {
	return s.OK() && (s.Status < 300 || s.LoggedIn == LoggedOut) && s.Kind != StepFollow && !c.isOtherPage(s.Exchange)
}

// Disregard removes the failed requests that started at or after since, and reports
// whether there were any. It is for failures that this machine caused, which are no
// evidence about the cluster.
func (c *Canary) Disregard(since time.Time) (some bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.trace.Steps)
	steps := slices.Clone(c.trace.Steps) // because Trace shares them
	c.trace.Steps = slices.DeleteFunc(steps, func(s Step) bool { return !s.OK() && !s.At.Before(since) })
	return len(c.trace.Steps) < n
}

// Write stores the next counter in the session. It sends nothing if the application
// cannot store values. If the answer starts another session, or leads to the login page or
// to another page, nothing is known to be stored, and the canary keeps the cookies that it had.
func (c *Canary) Write(ctx context.Context) Exchange {
	if c.cluster.Session == nil || c.cluster.Session.Write == "" || c.visitor() {
		return Exchange{}
	}
	c.mu.Lock()
	c.counter++
	counter := c.counter
	c.mu.Unlock()
	path := strings.ReplaceAll(c.cluster.Session.Write, "{value}", url.QueryEscape(strconv.Itoa(counter)))
	jar := c.cookies().clone()
	ex := c.get(ctx, path, jar)
	otherPage := c.cluster.Session.writesToPage() && c.isOtherPage(ex)
	sentToLogin := ex.LoggedIn == LoggedOut && ex.FinalPath != ""
	if ex.LoggedIn == LoggedOut {
		ex.LoggedIn = "" // this page need not show whether the client is logged in
	}
	c.record(StepWrite, counter, ex)
	if !ex.OK() || ex.CookieEnded() || sentToLogin || otherPage || c.newSession(ctx, ex, jar) {
		return ex
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(jar, ex)
	c.session = ex.Session
	if ex.Failure == "" && ex.Status >= 200 && ex.Status < 300 {
		c.written, c.keeper = counter, ex.Label
	}
	return ex
}

// newSession reports whether the answer to a write, with the cookies in jar, has started another
// session. Where it has another id, one more request shows whether the application renews the id
// with each answer, and keeps the value nevertheless.
func (c *Canary) newSession(ctx context.Context, ex Exchange, jar *Jar) bool {
	trace := c.Trace()
	at := len(trace.Steps) - 1
	if trace.SessionOutcome(at) != SessionLost {
		return false
	}
	if !ex.NewID || c.cluster.Session.Read == nil {
		return true
	}
	again := c.get(ctx, c.cluster.ClientPath(), jar)
	renewed := again.OK() && again.NewID && again.Session != ex.Session && again.Value == strconv.Itoa(trace.Steps[at].Counter)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trace.Renews = c.trace.Renews || renewed
	return !renewed
}

// takeRenewed takes over the id that the answer to a check has given the session, whose old one
// may have ended with that.
func (c *Canary) takeRenewed(jar *Jar, check FailoverCheck) {
	if !check.renamed() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jar, c.revision = c.jar.withSession(jar, c.cluster.Session), sessionIDs.Add(1)
}

// continueAfter makes the cookies after checks at nodes those of the session. spoiled is set if a
// check may have ended it.
func (c *Canary) continueAfter(jar *Jar, spoiled bool, checks ...FailoverCheck) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jar, c.spoiled = jar, c.spoiled || spoiled
	if slices.ContainsFunc(checks, FailoverCheck.renamed) {
		c.revision = sessionIDs.Add(1)
	}
}

// isOtherPage reports whether an answer is not the page of the session, such as an error
// page with 200: it shows nothing, although the page shows its node.
func (c *Canary) isOtherPage(ex Exchange) bool {
	if ex.Failure != "" || ex.Truncated || !ex.ShowsNothing() {
		return false
	}
	c.mu.Lock() // State is called while Adopt may be
	defer c.mu.Unlock()
	return c.cluster.Limiter.knowsLabels() || slices.ContainsFunc(c.trace.Steps, func(s Step) bool { return s.Label != "" })
}

// Follow sends a request with a copy of the session's cookies, so that one follow-up
// cannot change the cookies of the next. If an answer renames the session and keeps its
// values, as Tomcat does when a session moves, later requests use the new name.
func (c *Canary) Follow(ctx context.Context) Exchange { return c.AwaitFollow(ctx)() }

// AwaitFollow waits until the cluster's limiter admits a follow-up, and returns the
// function that sends it, which must be called. A caller that calls AwaitFollow for
// several canaries in turn determines the order in which their requests are sent.
func (c *Canary) AwaitFollow(ctx context.Context) (follow func() Exchange) {
	jar := c.cookies().clone()
	send := c.startRequest(ctx, StepFollow, jar)
	return func() Exchange {
		ex, outcome := send()
		if outcome == SessionKept && ex.NewID {
			c.adopt(jar, ex)
		}
		return ex
	}
}

// Return sends a request as a user would, with the cookies of the last answer that had
// the session.
func (c *Canary) Return(ctx context.Context) Exchange {
	jar := c.cookies().clone()
	ex, outcome := c.startRequest(ctx, StepReturn, jar)()
	if outcome != SessionLost && ex.OK() && !ex.CookieEnded() && ex.Status < 300 && !c.isOtherPage(ex) {
		c.adopt(jar, ex)
	}
	return ex
}

// startRequest waits until the limiter admits a request with the session, and returns
// the function that sends it.
func (c *Canary) startRequest(ctx context.Context, kind StepKind, jar *Jar) func() (Exchange, SessionOutcome) {
	counter := c.stored() // read now, because a write may complete before the answer arrives
	send := c.client.reserve(ctx, c.pageRequest(c.cluster.ClientPath(), jar))
	return func() (Exchange, SessionOutcome) {
		ex, _ := send()
		c.record(kind, counter, ex)
		c.mu.Lock()
		defer c.mu.Unlock()
		outcome := contents{id: c.trace.First().Session, counter: counter, base: c.trace.Base, lastSent: c.counter}.outcome(ex)
		if c.keeper == "" && outcome == SessionKept && counter == c.written {
			c.keeper = ex.Label // the answer to the write had no label
		}
		return ex, outcome
	}
}

func (c *Canary) adopt(jar *Jar, ex Exchange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(jar, ex)
}

// keep makes the cookies after an answer those of the session. c.mu is held.
func (c *Canary) keep(jar *Jar, ex Exchange) {
	c.jar, c.holder = jar, ex.Label
	if ex.NewID {
		c.revision = sessionIDs.Add(1)
	}
}

// Holder returns the label of the last answer that had the session; "" if answers have
// no label. As far as is known, that node holds the session now.
func (c *Canary) Holder() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.holder
}

func (c *Canary) get(ctx context.Context, path string, jar *Jar) Exchange {
	ex, _ := c.client.ask(ctx, c.pageRequest(path, jar))
	return ex
}

// pageRequest returns a request with the session. The session's page shows whether the client
// is logged in.
func (c *Canary) pageRequest(path string, jar *Jar) pageRequest {
	return pageRequest{
		path: path, jar: jar, follow: true, session: c.cluster.Session,
		expected: c.expected(), inSession: &c.scope, hide: c.login().secrets(), loggedIn: c.loggedIn(),
	}
}

// loggedIn returns what finds out whether the client is still logged in; nil: it never was.
func (c *Canary) loggedIn() Extractor {
	if c.login() == nil || c.visitor() {
		return nil
	}
	return c.login().LoggedIn
}

// visitor reports whether the client has not logged in, although the application wants it.
func (c *Canary) visitor() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trace.Visitor
}

// expected returns the id of the node that will answer; "" if any node may. For a
// sticky session it is the node that has given all answers so far, and before the first
// answer the node that the oracle computes.
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
	return c.trace.TargetNode
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

// stored returns the counter that the session should contain. It is 0 if no write is
// known to have succeeded, or if answers do not show the counter.
func (c *Canary) stored() int {
	if c.cluster.Session == nil || c.cluster.Session.Read == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.written
}

// storedAtOwner is stored for the node that opened the session: 0 unless that node is known to
// have the value.
func (c *Canary) storedAtOwner() int {
	c.mu.Lock()
	elsewhere := c.keeper != c.trace.OpenerLabel
	c.mu.Unlock()
	if elsewhere {
		return 0
	}
	return c.stored()
}
