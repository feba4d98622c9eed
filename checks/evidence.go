package checks

import (
	"stickwatch/checks/evidence"
	"stickwatch/probes"
)

// records are what the balancer itself says of n.
func (v *nodeStates) records(n probes.Node) []evidence.Record {
	return v.matcher.Records(n, v.Evidence)
}

// recorded is what a record says.
func recorded(r evidence.Record) Message {
	if r.Kind == probes.EvidenceNginxErrorLog && r.State == probes.ServerUp {
		return msg(MsgNoEjectionNow, Args{Name: r.Source, Server: r.Server})
	}
	return msg(MsgServerState, Args{Name: r.Source, Server: r.Server, State: string(r.State), Since: r.Since, Reason: r.Detail})
}

// likelihood holds what was seen of a node against what the balancer says. A node
// that answered is in rotation whatever is said; where it was not met, the
// balancer's word decides; and where the two contradict each other, nobody
// knows.
func (v *rotation) likelihood(n probes.Node, seen rotationState) rotationState {
	if seen.In == Yes || n.Down {
		return seen
	}
	for _, r := range v.records(n) {
		switch {
		case r.Out() && !seen.Sure:
			seen = rotationState{In: No, Sure: true, Voice: byBalancer, Reason: recorded(r)}
		case r.In() && seen.Sure:
			return unknown(MsgContradiction, Args{Why: &seen.Reason, But: new(recorded(r))})
		}
	}
	return seen
}

// evidenceRecords lists, for a node that is out, every witness beside the one whose
// reason is given: what the balancer says, and why a silent source proves
// nothing.
func evidenceRecords(v *nodeStates, n probes.Node, given Message) []Message {
	var lines []Message
	for _, r := range v.records(n) {
		if said := recorded(r); said.String() != given.String() {
			lines = append(lines, says(byBalancer, said))
		}
	}
	for _, o := range v.Evidence {
		if o.Error == "" && o.NoAbsence != "" {
			lines = append(lines, msg(MsgSourceSilent, Args{Name: o.Source, Reason: o.NoAbsence}))
		}
	}
	return lines
}

// unreadEvidence finds sources of evidence that could not be read.
func unreadEvidence(v *nodeStates) []Finding {
	var list []Finding
	for _, o := range v.Evidence {
		if o.Error == "" {
			continue
		}
		f := Finding{Code: BlindSpot, Severity: Info, Target: string(o.Kind)}
		f.Summary = msg(MsgEvidenceUnread, Args{Name: o.Source})
		f.Evidence = []Message{Quote(o.Error)}
		f.Remedy = msg(MsgGiveAccess, Args{Setting: string(o.Kind)})
		list = append(list, f)
	}
	return list
}
