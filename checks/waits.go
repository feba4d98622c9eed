package checks

import (
	"time"

	"stickwatch/probes"
)

// waits counts requests over the consecutive rounds in which the balancer timed out while it waited
// for the node of a client with a session; one round has too few new clients to exclude chance. A
// round in which a new client timed out, or nobody did, ends the count.
type waits struct {
	until      time.Time // when the newest of them began; zero: there are none
	newClients int       // that were served
	returning  int       // requests of clients with a session
	timedOut   int       // of these
}

// countWaits returns the counts with those of this round.
func (oc *outcomes) countWaits() waits {
	w := oc.round.past().Balancer.Waited
	counted, now := w.until, false
	for _, a := range oc.allAnswers {
		timedOut, isNew := oc.nodes.ownTimeout(a.Exchange), a.Kind == probes.StepFirst
		if timedOut && isNew {
			return waits{}
		}
		if a.At.Before(oc.round.Started) && counted.IsZero() || !completed(a.Exchange) {
			continue
		}
		now = now || timedOut && !a.At.Before(oc.round.Started)
		switch {
		case !a.At.After(counted):
			continue
		case !isNew:
			w.returning++
		case a.OK():
			w.newClients++
		}
		if timedOut {
			w.timedOut++
		}
		if a.At.After(w.until) {
			w.until = a.At
		}
	}
	if !now {
		return waits{}
	}
	return w
}

// spareNewClients reports whether it is no chance that all new clients were served.
func (w waits) spareNewClients(confidence float64) bool {
	return w.timedOut > 0 && w.newClients >= NewClients(float64(w.timedOut)/float64(w.returning), confidence)
}
