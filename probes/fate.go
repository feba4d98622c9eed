package probes

import (
	"slices"
	"strconv"
	"time"
)

// Fate is what became of a session between two answers.
type Fate string

// The fates. FateUntold: the answers do not show it.
const (
	FateUntold     Fate = ""
	FateKept       Fate = "kept"
	FateLost       Fate = "lost"
	FateRolledBack Fate = "rolled back" // the counter shows an earlier value of its own
)

// What a session was given to hold. All its values are above Base, and none is
// above Tried; those of other sessions are not among them.
type held struct {
	id      Fingerprint
	counter int // the last value known to be stored; 0: none
	base    int
	tried   int // the last value sent, whatever became of the answer
}

// fate tells from an answer whether it still holds the session. The counter is
// the stronger witness: some frameworks renew a session's id and keep its
// values, others keep the id and drop the values.
func (h held) fate(ex Exchange) Fate {
	switch {
	case ex.Failure != "" || ex.Status < 200 || ex.Status >= 300:
		return FateUntold // an error or a redirect elsewhere may be anybody's
	case h.counter > 0:
		return h.fateOfCounter(ex.Value)
	case h.id == "" || ex.Session == "":
		return FateUntold
	case ex.Session == h.id:
		return FateKept
	default:
		return FateLost
	}
}

// fateOfCounter: a value later than the counter is of a write whose answer did
// not come, or came after this one.
func (h held) fateOfCounter(value string) Fate {
	switch n, err := strconv.Atoi(value); {
	case err == nil && n >= h.counter && n <= max(h.counter, h.tried):
		return FateKept
	case err == nil && n > h.base && n < h.counter:
		return FateRolledBack
	default:
		return FateLost
	}
}

// Fate tells what became of the session by step i of the walk. A write shows no
// earlier value, so that only a new id tells that it began another session; and
// once an answer has renamed the session, a follow-up that asks for the old
// name proves nothing.
func (w Walk) Fate(i int) Fate {
	step := w.Steps[i]
	switch step.Kind {
	case StepFirst:
		return FateUntold
	case StepWrite:
		return held{id: w.First().Session}.fate(step.Exchange)
	}
	fate := w.held(step).fate(step.Exchange)
	if fate == FateLost && step.Kind == StepFollow && w.Renamed() {
		return FateUntold
	}
	return fate
}

// lastKept is when the last answer began that had the session.
func (w Walk) lastKept() time.Time {
	at := w.First().At
	for i, s := range w.Steps {
		if w.Fate(i) == FateKept && s.At.After(at) {
			at = s.At
		}
	}
	return at
}

// Renamed reports whether an answer gave the session a new name and kept it.
func (w Walk) Renamed() bool {
	return slices.ContainsFunc(w.Steps, func(s Step) bool {
		return s.Kind == StepFollow && s.NewID && w.held(s).fate(s.Exchange) == FateKept
	})
}

// held is what the session should hold when step was taken.
func (w Walk) held(step Step) held {
	h := held{id: w.First().Session, counter: step.Counter, base: w.Base}
	for _, s := range w.Steps {
		h.tried = max(h.tried, s.Counter)
	}
	return h
}

// Fate tells whether the node asked knew the session.
func (x Crossing) Fate() Fate {
	return held{id: x.Session, counter: x.Counter, base: x.Base, tried: x.Tried}.fate(x.There)
}
