package probes

import (
	"net/netip"
	"time"
)

// A Trace is one client's way through the balancer: a jar, a source address as
// the balancer sees it, and every step on a connection of its own.
type Trace struct {
	URL      string         // the balancer URL as configured
	Balancer netip.AddrPort // the address dialled
	Client   string         // the address or key presented in the balancer's stead of ours; "": our own
	Expected string         // the node the oracle computed, with every server in rotation; "": it cannot tell
	Base     int            // its counter starts after it, so that no two walks hold one value
	Opened   time.Time      // when the session was asked for, however many rounds ago
	OpenedBy string         // the label of the answer that opened the session, however many rounds ago; "": not told

	// Carried: the session is older than the round. The first step is then the
	// last answer of the rounds before, and tells nothing of new clients.
	Continued bool
	Steps     []Step
}

// First is the walk's first exchange; the zero Exchange when there is none.
func (w Trace) First() Exchange {
	if len(w.Steps) == 0 {
		return Exchange{}
	}
	return w.Steps[0].Exchange
}

// A StepKind tells what a step was for.
type StepKind string

// The steps of a walk, in their order.
const (
	StepFirst  StepKind = "first"  // opens the session
	StepWrite  StepKind = "write"  // stores the counter
	StepFollow StepKind = "follow" // comes back with a copy of the cookies of the steps before
	StepReturn StepKind = "return" // comes back with the cookies of the last answer that had the session
)

// A Step is one request of a walk.
type Step struct {
	Kind StepKind

	// Counter is what the session should hold after this step: of a write that
	// failed, what it may hold. 0: nothing was stored.
	Counter int
	Exchange
}

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
