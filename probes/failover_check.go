package probes

import (
	"context"
	"net/http"
	"strings"
	"time"

	"stickwatch/internal/sleep"
)

// A FailoverCheck presents the cookies of a trace directly to another node, to see
// whether that node would know the session after a failover. The session is then
// presented to its own node again, to move it back.
type FailoverCheck struct {
	From    string // node id
	To      string
	Counter int         // the value that the session should contain
	Base    int         // of the trace
	Tried   int         // the last value sent, which the session may contain, too
	Session Fingerprint // of the session's id
	There   Exchange    // the answer of To
	Void    bool        // afterwards, its own node did not know the session either
	Sent    int         // requests
}

// An OwnerCheck presents a session directly to the node that opened it, after the
// client lost the session or was answered by another node. It distinguishes a node that
// restarted from a balancer that sent the client elsewhere. From and To are the node
// that opened the session.
type OwnerCheck struct {
	FailoverCheck
	Opened time.Time // when the session was requested
	Known  time.Time // when the session was last known to exist
	Again  Exchange  // the answer to a second request with the cookies of There
}

// Renewed reports whether the node keeps new sessions.
func (c OwnerCheck) Renewed() bool {
	return c.There.Session != "" && c.Again.Session == c.There.Session
}

// SessionOutcome reports whether the requested node knew the session.
func (f FailoverCheck) SessionOutcome() SessionOutcome {
	if f.Void {
		return SessionUnknown
	}
	return contents{id: f.Session, counter: f.Counter, base: f.Base, lastSent: f.Tried}.outcome(f.There)
}

// known reports whether the requested node knew the session, though perhaps without the last write.
func (f FailoverCheck) known() bool {
	outcome := f.SessionOutcome()
	return outcome == SessionKept || outcome == SessionStale
}

// renamed reports whether the requested node gave the session another id.
func (f FailoverCheck) renamed() bool { return f.There.NewID && f.known() }

// CheckFailover presents the session directly to other nodes, one after the other, and
// then to its owner, to move it back: Tomcat changes a session's route to the node that
// was requested. All of them get the same jar, because each may rename the session.
//
// The owner is also the control: if it does not know the session, the nodes may refuse every
// session that is presented directly, such as those that bind it to the client's address.
// They may even have deleted it, so that the canary is not continued.
func (c *Canary) CheckFailover(ctx context.Context, owner Node, others []Node) []FailoverCheck {
	var list []FailoverCheck
	jar := c.cookies()
	for _, other := range others {
		var check FailoverCheck
		check, jar = c.checkFailover(ctx, owner, other, jar)
		list = append(list, check)
	}
	control, jar := c.checkFailover(ctx, owner, owner, jar)
	void := control.SessionOutcome() == SessionLost
	c.continueAfter(jar, void, append(list, control)...)
	for i := range list {
		list[i].Void = void
	}
	return list
}

// checkFailover presents the session to node, and returns the jar for the next request.
// Only a node that knows the session may change the cookies.
func (c *Canary) checkFailover(ctx context.Context, owner, node Node, jar *Jar) (FailoverCheck, *Jar) {
	c.mu.Lock()
	check := FailoverCheck{From: owner.ID, To: node.ID, Base: c.trace.Base, Tried: c.counter, Session: c.session}
	c.mu.Unlock()
	check.Counter = c.stored()
	there := jar.clone()
	check.There, check.Sent = c.present(ctx, node, there), 1
	if check.SessionOutcome() == SessionLost && sleep.For(ctx, replicationDelay) {
		there = jar.clone()
		check.There, check.Sent = c.present(ctx, node, there), 2
	}
	if check.known() {
		jar = there
	}
	return check, jar
}

// PresentForged presents a session id that was never issued directly to a node, in the
// format of the canary's own. accepted reports whether the node used that id, as PHP
// does without session.use_strict_mode; an id that is known elsewhere then proves
// nothing. ok is false if there is no session cookie to forge, or no answer.
func (c *Canary) PresentForged(ctx context.Context, n Node) (accepted, ok bool) {
	jar := c.cookies().clone()
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

// sameFormat returns a value of the same format in which every digit and every
// hexadecimal letter of the id is changed. The part after the first dot, a route,
// stays.
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

// CheckOwner presents the session to the node that opened it, with the cookies of the
// last answer that had the session. It changes nothing of the canary but a session id that the
// answer renews.
func (c *Canary) CheckOwner(ctx context.Context, owner Node) OwnerCheck {
	known := c.Trace().lastKept()
	c.mu.Lock()
	check := OwnerCheck{
		FailoverCheck: FailoverCheck{From: owner.ID, To: owner.ID, Base: c.trace.Base, Tried: c.counter, Session: c.session},
		Opened:        c.opened, Known: known,
	}
	jar := c.jar.clone()
	c.mu.Unlock()
	if page, err := c.client.URL(c.cluster.ClientPath()); err != nil || !jar.presents(page, c.cluster.Session) || len(c.First().Rejected) > 0 {
		check.Void = true // no node can know the session without its cookie
		return check
	}
	check.Counter = c.storedAtOwner()
	check.There = c.present(ctx, owner, jar)
	c.takeRenewed(jar, check.FailoverCheck)
	if check.SessionOutcome() == SessionLost {
		check.Again = c.present(ctx, owner, jar)
	}
	return check
}

// replicationDelay is the time that asynchronous replication gets before a session
// counts as unknown to another node. Tomcat's DeltaManager replicates after the answer.
const replicationDelay = 500 * time.Millisecond

// present sends a request directly to a node, with the cookies that a browser has for
// the balancer.
func (c *Canary) present(ctx context.Context, n Node, jar *Jar) Exchange {
	return c.presentAs(ctx, n, jar, c.loggedIn())
}

// presentAs is present for a client of which loggedIn shows whether it is logged in.
func (c *Canary) presentAs(ctx context.Context, n Node, jar *Jar, loggedIn Extractor) Exchange {
	ex, _ := NewClient(c.cluster.NodeTarget(n)).ask(ctx, pageRequest{
		path: c.cluster.ClientPath(), jar: jar, public: c.client.target.URL, stripPrefix: true, follow: true, session: c.cluster.Session,
		loggedIn: loggedIn, hide: c.login().secrets(), inSession: &c.scope,
	})
	return ex
}
