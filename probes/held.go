package probes

import "strconv"

// Fate is what became of a session between two answers.
type Fate string

// The fates. FateUntold: the answers do not show it.
const (
	FateUntold     Fate = ""
	FateKept       Fate = "kept"
	FateLost       Fate = "lost"
	FateRolledBack Fate = "rolled back" // the counter shows an earlier value of its own
)

// fate tells from an answer whether it still holds a session with that id and
// counter. The counter is the stronger witness: some frameworks renew a
// session's id and keep its values, others keep the id and drop the values.
func fate(ex Exchange, id Fingerprint, counter, base int) Fate {
	switch {
	case !ex.Answered() || ex.Failure != "" || ex.Status >= 400:
		return FateUntold
	case counter > 0:
		return fateOfCounter(ex.Value, counter, base)
	case id == "" || ex.Session == "":
		return FateUntold
	case ex.Session == id:
		return FateKept
	default:
		return FateLost
	}
}

func fateOfCounter(value string, counter, base int) Fate {
	switch n, err := strconv.Atoi(value); {
	case err == nil && n == counter:
		return FateKept
	case err == nil && n > base && n < counter:
		return FateRolledBack
	default:
		return FateLost
	}
}

// Fate tells what became of the session by step i of the walk.
func (w Walk) Fate(i int) Fate {
	step := w.Steps[i]
	if step.Kind != StepFollow {
		return FateUntold
	}
	return fate(step.Exchange, w.First().Session, step.Counter, w.Base)
}

// Fate tells whether the node asked knew the session.
func (x Crossing) Fate() Fate {
	return fate(x.There, x.Session, x.Counter, 0)
}
