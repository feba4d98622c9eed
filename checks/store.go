package checks

import "stickwatch/probes"

// stores finds sessions that moved from one store to another and were kept:
// with memcached-session-manager, ID-n1 that became ID-n2.
func stores(v *outcomes) []Finding {
	var evidence []Message
	for _, w := range v.traces {
		from := w.First().Store
		for _, a := range w.answers {
			if from == "" || a.Store == "" || a.Store == from {
				continue
			}
			if a.sessionOutcome == probes.SessionKept || (a.Session != "" && a.Session == w.First().Session) {
				evidence = append(evidence, msg(MsgSessionStoreMoved, Args{Session: w.First().Session, Name: from, Server: a.Store, At: a.At}))
				from = a.Store
			}
		}
	}
	if len(evidence) == 0 {
		return nil
	}
	f := Finding{Code: StoreFailover, Severity: Info}
	f.Summary = msg(MsgStoreMoved, Args{Count: len(evidence)})
	f.Evidence = limited(evidence)
	f.Remedy = msg(MsgBringStoreBack, Args{})
	return []Finding{f}
}
