package probes

import (
	"net/netip"
	"slices"
	"strconv"
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

// SessionOutcome is what became of a session between two answers.
type SessionOutcome string

// The fates. SessionUnknown: the answers do not show it.
const (
	SessionUnknown SessionOutcome = ""
	SessionKept    SessionOutcome = "kept"
	SessionLost    SessionOutcome = "lost"
	SessionStale   SessionOutcome = "rolled back" // the counter shows an earlier value of its own
)

// What a session was given to hold. All its values are above Base, and none is
// above Tried; those of other sessions are not among them.
type contents struct {
	id       Fingerprint
	counter  int // the last value known to be stored; 0: none
	base     int
	lastSent int // the last value sent, whatever became of the answer
}

// outcome tells from an answer whether it still holds the session. The counter is
// the stronger witness: some frameworks renew a session's id and keep its
// values, others keep the id and drop the values.
func (h contents) outcome(ex Exchange) SessionOutcome {
	switch {
	case ex.Failure != "" || ex.Status < 200 || ex.Status >= 300:
		return SessionUnknown // an error or a redirect elsewhere may be anybody's
	case h.counter > 0:
		return h.counterOutcome(ex.Value)
	case h.id == "" || ex.Session == "":
		return SessionUnknown
	case ex.Session == h.id:
		return SessionKept
	default:
		return SessionLost
	}
}

// counterOutcome: a value later than the counter is of a write whose answer did
// not come, or came after this one.
func (h contents) counterOutcome(value string) SessionOutcome {
	switch n, err := strconv.Atoi(value); {
	case err == nil && n >= h.counter && n <= max(h.counter, h.lastSent):
		return SessionKept
	case err == nil && n > h.base && n < h.counter:
		return SessionStale
	default:
		return SessionLost
	}
}

// SessionOutcome tells what became of the session by step i of the walk. A write shows no
// earlier value, so that only a new id tells that it began another session; and
// once an answer has renamed the session, a follow-up that asks for the old
// name proves nothing.
func (w Trace) SessionOutcome(i int) SessionOutcome {
	step := w.Steps[i]
	switch step.Kind {
	case StepFirst:
		return SessionUnknown
	case StepWrite:
		return contents{id: w.First().Session}.outcome(step.Exchange)
	}
	outcome := w.contents(step).outcome(step.Exchange)
	if outcome == SessionLost && step.Kind == StepFollow && w.Renamed() {
		return SessionUnknown
	}
	return outcome
}

// lastKept is when the last answer began that had the session.
func (w Trace) lastKept() time.Time {
	at := w.First().At
	for i, s := range w.Steps {
		if w.SessionOutcome(i) == SessionKept && s.At.After(at) {
			at = s.At
		}
	}
	return at
}

// Renamed reports whether an answer gave the session a new name and kept it.
func (w Trace) Renamed() bool {
	return slices.ContainsFunc(w.Steps, func(s Step) bool {
		return s.Kind == StepFollow && s.NewID && w.contents(s).outcome(s.Exchange) == SessionKept
	})
}

// contents is what the session should hold when step was taken.
func (w Trace) contents(step Step) contents {
	h := contents{id: w.First().Session, counter: step.Counter, base: w.Base}
	for _, s := range w.Steps {
		h.lastSent = max(h.lastSent, s.Counter)
	}
	return h
}
