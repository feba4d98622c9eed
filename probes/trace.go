package probes

import (
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// A Trace is the requests of one client through the balancer. They share a cookie jar
// and a source address, and each one opens a new connection.
type Trace struct {
	URL         string         // the balancer URL as configured
	Balancer    netip.AddrPort // the address dialled
	Client      string         // the client address or key that the requests present; "": none
	TargetNode  string         // the node that the oracle computes with every server in rotation; "": unknown
	Base        int            // the counter starts after it, so that no two traces store the same value
	Opened      time.Time      // when the session was requested, in whichever round
	OpenerLabel string         // the label of the answer that opened the session, in whichever round; "": unknown

	// Continued is true if the session was opened in an earlier round. The first step is
	// then the last answer of the earlier rounds, and is no evidence about new clients.
	Continued bool
	// Visitor is true if the client has not logged in, although the application requires it. Its
	// answers show which node they are from, and nothing about sessions of users.
	Visitor bool
	// Renews is true if an answer has shown that the application gives a session another id with
	// each answer and keeps its values. Of two requests at once, the later one then presents an
	// id that the earlier one has ended.
	Renews bool
	Steps  []Step
}

// First returns the trace's first exchange; the zero Exchange if there is none.
func (t Trace) First() Exchange {
	if len(t.Steps) == 0 {
		return Exchange{}
	}
	return t.Steps[0].Exchange
}

// A StepKind is the purpose of a step.
type StepKind string

// The kinds of steps, in the order of a trace.
const (
	StepFirst  StepKind = "first"  // opens the session
	StepWrite  StepKind = "write"  // stores the counter
	StepFollow StepKind = "follow" // presents a copy of the cookies of the steps before
	StepReturn StepKind = "return" // presents the cookies of the last answer that had the session
)

// A Step is one request of a trace.
type Step struct {
	Kind StepKind

	// Counter is the value that the session should contain after this step. After a
	// failed write it is the value that the session may contain. 0: nothing was stored.
	Counter int
	Exchange
}

// A SessionOutcome is the state of a session according to a later answer.
type SessionOutcome string

// The outcomes. SessionUnknown: the answers do not show it.
const (
	SessionUnknown SessionOutcome = ""
	SessionKept    SessionOutcome = "kept"
	SessionLost    SessionOutcome = "lost"
	SessionStale   SessionOutcome = "rolled back" // the counter has an earlier value of this session
)

// contents is what a session should contain. All its values are above base, and none is
// above lastSent; other sessions have other values.
type contents struct {
	id       Fingerprint
	counter  int // the last value known to be stored; 0: none
	base     int
	lastSent int // the last value sent, whether or not the write succeeded
}

// outcome returns the state of the session according to an answer. The counter is stronger
// evidence than the id: some frameworks renew the id and keep the values, others keep
// the id and drop the values.
func (c contents) outcome(ex Exchange) SessionOutcome {
	outcome := c.shownBy(ex)
	if outcome == SessionLost && ex.CookieEnded() {
		return SessionUnknown // the cookie had ended, so the request did not present the session
	}
	return outcome
}

// shownBy is outcome for the answer to a request that presented the session.
func (c contents) shownBy(ex Exchange) SessionOutcome {
	switch {
	case ex.LoggedIn == LoggedOut:
		return SessionLost
	case ex.Failure != "" || ex.Status < 200 || ex.Status >= 300:
		return SessionUnknown // an error page or a redirect elsewhere need not come from the application
	case c.counter > 0:
		return c.counterOutcome(ex.Value)
	case ex.LoggedIn == LoggedIn:
		return SessionKept // an application may renew the id of a user
	case c.id == "" || ex.Session == "":
		return SessionUnknown
	case ex.Session == c.id:
		return SessionKept
	default:
		return SessionLost
	}
}

// counterOutcome compares the stored value with the counter. A later value belongs to a
// write whose answer was lost or arrived after this one.
func (c contents) counterOutcome(value string) SessionOutcome {
	switch n, err := strconv.Atoi(value); {
	case err == nil && n >= c.counter && n <= max(c.counter, c.lastSent):
		return SessionKept
	case err == nil && n > c.base && n < c.counter:
		return SessionStale
	default:
		return SessionLost
	}
}

// SessionOutcome returns the state of the session according to step i. The answer to a
// write has no earlier value, so only a new id shows that it started another session.
// Once an answer has renamed the session, a follow-up with the old name proves nothing.
func (t Trace) SessionOutcome(i int) SessionOutcome {
	step := t.Steps[i]
	switch {
	case step.Kind == StepFirst || t.Visitor || step.Kind == StepWrite && t.Renews:
		return SessionUnknown
	case step.Kind == StepWrite:
		return contents{id: t.idBefore(i)}.outcome(step.Exchange)
	}
	outcome := t.contents(step).outcome(step.Exchange)
	if outcome == SessionLost && step.Kind == StepFollow && t.Renamed() {
		return SessionUnknown
	}
	return outcome
}

// lastKept returns the start time of the last answer that had the session, at first the one that
// opened it.
func (t Trace) lastKept() time.Time {
	at := t.First().At
	for i, s := range t.Steps {
		if t.SessionOutcome(i) == SessionKept && s.At.After(at) {
			at = s.At
		}
	}
	return at
}

// idBefore returns the id that the session had before step i, as far as answers show it.
func (t Trace) idBefore(i int) Fingerprint {
	id := t.First().Session
	for earlier, s := range t.Steps[:i] {
		if s.Kind != StepWrite && t.SessionOutcome(earlier) == SessionKept && s.Session != "" {
			id = s.Session
		}
	}
	return id
}

// Renamed reports whether an answer gave the session a new id and kept its values.
func (t Trace) Renamed() bool {
	return t.Renews || slices.ContainsFunc(t.Steps, func(s Step) bool {
		return s.Kind == StepFollow && s.NewID && t.contents(s).outcome(s.Exchange) == SessionKept
	})
}

// contents returns what the session should contain at the time of step.
func (t Trace) contents(step Step) contents {
	want := contents{id: t.First().Session, counter: step.Counter, base: t.Base}
	for _, s := range t.Steps {
		want.lastSent = max(want.lastSent, s.Counter)
	}
	return want
}
