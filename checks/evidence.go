package checks

import (
	"fmt"
	"net"
	"slices"
	"time"

	"stickwatch/probes"
)

// A testimony is what one source of the balancer's own says about a node.
type testimony struct {
	kind  probes.EvidenceKind
	state probes.ServerState
	words string
}

// refutes reports whether a testimony is that clients are sent to the node. An
// error log tells of ejections alone: a server that is marked down is not in it.
func (t testimony) refutes() bool {
	return t.state == probes.ServerUp && t.kind != probes.EvidenceNginxErrorLog
}

// testimonies are what the balancer itself says about n. What it does not
// mention it says nothing about: nginx logs no server that is well.
func (v *view) testimonies(n probes.Node) []testimony {
	var list []testimony
	for _, o := range v.Evidence {
		for _, s := range o.Servers {
			if !v.isServer(n, s) && !v.hasAJP(n, o, s) {
				continue
			}
			if v.failedOut(o, s) {
				s.State = probes.ServerDown
			}
			list = append(list, testimony{o.Kind, s.State, inWords(o, s)})
		}
	}
	return list
}

// inWords is what a source says about a server.
func inWords(o probes.EvidenceObservation, s probes.ServerEvidence) string {
	if o.Kind == probes.EvidenceNginxErrorLog && s.State == probes.ServerUp {
		return fmt.Sprintf("%s tells of no ejection of %s now", o.Source, s.Server)
	}
	words := fmt.Sprintf("%s says %s is %s", o.Source, s.Server, s.State)
	if !s.Since.IsZero() {
		words += " since " + s.Since.UTC().Format(time.DateTime)
	}
	if s.Detail != "" {
		words += ": " + s.Detail
	}
	return words
}

// isServer reports whether s is n by any name that n is known to have.
func (v *view) isServer(n probes.Node, s probes.ServerEvidence) bool {
	names := []string{n.ServerName(), n.URL.Host, n.ID, n.Label, v.direct[n.ID].Label}
	return slices.ContainsFunc(names, func(name string) bool {
		return name != "" && (fold(name) == fold(s.Address) || fold(name) == fold(s.Server))
	})
}

// hasAJP reports whether s is n by its host alone: httpd asks it by AJP, of which
// the port is never the one that we ask, and there is no other at that host, nor
// another node.
func (v *view) hasAJP(n probes.Node, o probes.EvidenceObservation, s probes.ServerEvidence) bool {
	if s.Scheme != "ajp" {
		return false
	}
	at := hostOf(s.Address)
	servers, nodes := 0, 0
	for _, other := range o.Servers {
		if hostOf(other.Address) == at {
			servers++
		}
	}
	for _, other := range v.Cluster.Nodes {
		if fold(other.URL.Hostname()) == at {
			nodes++
		}
	}
	return servers == 1 && nodes == 1 && fold(n.URL.Hostname()) == at
}

// hostOf is the host of host:port.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fold(address)
	}
	return fold(host)
}

// failedOut reports whether Caddy remembers as many failures as take a server
// out. It counts none unless it acts on them.
func (v *view) failedOut(o probes.EvidenceObservation, s probes.ServerEvidence) bool {
	return o.Kind == probes.EvidenceCaddyAdmin && s.Fails > 0 && s.Fails >= v.Cluster.Balancer.MaxFails
}

// weigh holds what was seen of a node against what the balancer says. A node
// that answered is in rotation whatever is said; where it was not met, the
// balancer's word decides; and where the two contradict each other, nobody
// knows.
func (v *view) weigh(n probes.Node, seen place) place {
	if seen.In == Yes || n.Down {
		return seen
	}
	for _, t := range v.testimonies(n) {
		switch t.state {
		case probes.ServerDown, probes.ServerMaintenance, probes.ServerDraining:
			if !seen.Sure {
				seen = place{In: No, Sure: true, Voice: byBalancer, Reason: t.words}
			}
		default:
			if seen.Sure && t.refutes() {
				return unknown("%s; but %s", seen.Reason, t.words)
			}
		}
	}
	return seen
}

// spoken lists, for a node that is out, every witness beside the one whose
// reason is given: what the balancer says, and why a silent source proves
// nothing.
func (v *view) spoken(n probes.Node, given string) []string {
	var lines []string
	for _, t := range v.testimonies(n) {
		if t.words != given {
			lines = append(lines, byBalancer.says(t.words))
		}
	}
	for _, o := range v.Evidence {
		if o.Error == "" && o.Silent != "" {
			lines = append(lines, o.Source+": "+o.Silent)
		}
	}
	return lines
}

// unread finds sources of evidence that could not be read.
func unread(v *view) []Finding {
	var list []Finding
	for _, o := range v.Evidence {
		if o.Error == "" {
			continue
		}
		f := Finding{Code: BlindSpot, Severity: Info, Target: string(o.Kind)}
		f.Summary = fmt.Sprintf("the balancer's own evidence cannot be read: %s", o.Source)
		f.Evidence = []string{o.Error}
		f.Remedy = "Give stickwatch access to it, or take balancer.evidence." + string(o.Kind) + " out of the configuration."
		list = append(list, f)
	}
	return list
}
