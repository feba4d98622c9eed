package probes

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// A FailoverCheck presents a walk's cookies directly to another node, to see
// whether that node would know the session after a failover, and then to the
// node it came from, to put the session back where it was.
type FailoverCheck struct {
	From    string // node id
	To      string
	Counter int         // what the session should hold
	Base    int         // of the walk
	Tried   int         // the last value sent, which the session may hold too
	Session Fingerprint // what its id should be
	There   Exchange    // at To
}

// An OwnerCheck presents a session to the node that opened it, directly, after
// the client had lost it or met another node. It tells a node that has restarted
// from a balancer that sent the client elsewhere. Its From and To are that node.
type OwnerCheck struct {
	FailoverCheck
	Opened time.Time // when the session was asked for
	Known  time.Time // when it was last known to be there
	Again  Exchange  // the answer to whatever session There began, presented once more
}

// Renewed reports whether the node keeps the sessions that it begins now.
func (c OwnerCheck) Renewed() bool {
	return c.There.Session != "" && c.Again.Session == c.There.Session
}

// SessionOutcome tells whether the node asked knew the session.
func (x FailoverCheck) SessionOutcome() SessionOutcome {
	return contents{id: x.Session, counter: x.Counter, base: x.Base, lastSent: x.Tried}.outcome(x.There)
}

// CheckFailover presents the session directly to other nodes, one after the other, and
// then to home, to put it back: Tomcat moves a session's route to the node that
// was asked. The jar travels along, because each may rename the session.
func (c *Canary) CheckFailover(ctx context.Context, owner Node, others []Node) []FailoverCheck {
	var list []FailoverCheck
	jar := c.cookies()
	for _, other := range others {
		var x FailoverCheck
		x, jar = c.checkFailover(ctx, owner, other, jar)
		list = append(list, x)
	}
	_, jar = c.checkFailover(ctx, owner, owner, jar)
	c.mu.Lock()
	c.jar = jar
	c.mu.Unlock()
	return list
}

// checkFailover presents the session to node, and returns the jar to go on with: only a
// node that knew the session may rename it.
func (c *Canary) checkFailover(ctx context.Context, owner, node Node, jar *Jar) (FailoverCheck, *Jar) {
	c.mu.Lock()
	x := FailoverCheck{From: owner.ID, To: node.ID, Base: c.trace.Base, Tried: c.counter, Session: c.session}
	c.mu.Unlock()
	x.Counter = c.stored()
	there := jar.Clone()
	x.There = c.present(ctx, node, there)
	if x.SessionOutcome() == SessionLost && pause(ctx, replicationDelay) {
		there = jar.Clone()
		x.There = c.present(ctx, node, there)
	}
	if outcome := x.SessionOutcome(); outcome == SessionKept || outcome == SessionStale {
		jar = there
	}
	return x, jar
}

// PresentForged presents a session id that nobody has issued to a node, directly, in the
// form of the canary's own. It reports whether the node went on with it, as PHP
// does without session.use_strict_mode: then that an id is known somewhere proves
// nothing. It is not ok where there is no session cookie to forge, or no answer.
func (c *Canary) PresentForged(ctx context.Context, n Node) (accepted, ok bool) {
	jar := c.cookies().Clone()
	page := *c.client.target.URL
	page.Path = joinPath(page.Path, c.cluster.ClientPath())
	var forged []*http.Cookie
	for _, cookie := range jar.Cookies(&page) {
		if isSessionCookie(cookie.Name, c.cluster.Session.Cookie) {
			forged = append(forged, &http.Cookie{Name: cookie.Name, Value: sameFormat(cookie.Value), Path: "/"})
		}
	}
	if len(forged) == 0 {
		return false, false
	}
	fresh := NewJar()
	fresh.Set(&page, forged)
	ex := c.present(ctx, n, fresh)
	answered := ex.Failure == "" && ex.Status >= 200 && ex.Status < 300
	return answered && ex.Session != "" && !ex.NewID, answered
}

// sameFormat is a value of the same form, in which no letter or digit of the id is
// what it was. What follows the first dot, a route, stays.
func sameFormat(value string) string {
	id, rest, _ := strings.Cut(value, ".")
	out := strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return '0' + (r-'0'+3)%10
		case r >= 'a' && r <= 'f':
			return 'a' + (r-'a'+2)%6
		case r >= 'A' && r <= 'F':
			return 'A' + (r-'A'+2)%6
		default:
			return r
		}
	}, id)
	return strings.TrimSuffix(out+"."+rest, ".")
}

// CheckOwner presents the session to the node that opened it, with the cookies of
// the last answer that had the session. It changes nothing that the canary knows.
func (c *Canary) CheckOwner(ctx context.Context, owner Node) OwnerCheck {
	known := c.Trace().lastKept()
	c.mu.Lock()
	check := OwnerCheck{
		FailoverCheck: FailoverCheck{From: owner.ID, To: owner.ID, Base: c.trace.Base, Tried: c.counter, Session: c.session},
		Opened:        c.opened, Known: known,
	}
	jar := c.jar.Clone()
	c.mu.Unlock()
	check.Counter = c.stored()
	check.There = c.present(ctx, owner, jar)
	if check.SessionOutcome() == SessionLost {
		check.Again = c.present(ctx, owner, jar)
	}
	return check
}

// replicationDelay is what asynchronous replication is given before a session
// counts as unknown elsewhere: Tomcat's DeltaManager sends after the answer.
const replicationDelay = 500 * time.Millisecond

// pause waits and reports whether it was let.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// present asks a node directly, with the cookies that a browser has of the
// balancer.
func (c *Canary) present(ctx context.Context, n Node, jar *Jar) Exchange {
	ex, _ := NewClient(c.cluster.NodeTarget(n)).ask(ctx, pageRequest{
		path: c.cluster.ClientPath(), jar: jar, public: c.client.target.URL, stripPrefix: true, follow: true, session: c.cluster.Session,
		inSession: &c.scope,
	})
	return ex
}
