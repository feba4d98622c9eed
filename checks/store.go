package checks

import (
	"fmt"

	"stickwatch/probes"
)

// stores finds sessions that moved from one store to another and were kept:
// with memcached-session-manager, ID-n1 that became ID-n2.
func stores(v *view) []Finding {
	var evidence []string
	for _, w := range v.walks {
		from := w.First().Store
		for _, a := range w.answers {
			if from == "" || a.Store == "" || a.Store == from {
				continue
			}
			if a.fate == probes.FateKept || (a.Session != "" && a.Session == w.First().Session) {
				evidence = append(evidence, fmt.Sprintf("session %s moved from %s to %s at %s", w.First().Session, from, a.Store, clock(a.At)))
				from = a.Store
			}
		}
	}
	if len(evidence) == 0 {
		return nil
	}
	f := Finding{Code: StoreFailover, Severity: Info}
	f.Summary = fmt.Sprintf("sessions moved to another store and were kept (%s)", plural(len(evidence), "move", "moves"))
	f.Evidence = firstFew(evidence)
	f.Remedy = "Nothing is lost. Look at the store that they left, and bring it back before the other one is needed."
	return []Finding{f}
}
