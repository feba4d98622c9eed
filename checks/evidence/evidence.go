// Package evidence matches the servers that balancers report to the nodes of a
// cluster: which server is which node, and whether the balancer has it in rotation,
// out or draining, since when, and in whose words.
//
// Checks of a round and the watch of a deployment both use it, so that they cannot
// disagree about a node. It does not compare these records with observations; package
// checks does.
package evidence

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"stickwatch/probes"
)

// A Matcher knows the nodes of a cluster by every name that a balancer may use for
// them.
type Matcher struct {
	nodes    []probes.Node
	labels   map[string]string // labels that nodes report, by id
	maxFails int               // number of failures at which Caddy takes a server out
}

// NewMatcher returns a matcher for the nodes of c. Some balancers use the labels that
// nodes report directly.
func NewMatcher(c *probes.Cluster, direct []probes.NodeObservation) Matcher {
	m := Matcher{nodes: c.Nodes, labels: make(map[string]string), maxFails: c.Balancer.MaxFails}
	for _, o := range direct {
		m.labels[o.Node] = o.Label
	}
	return m
}

// Matches reports whether the server s of observation o is n.
func (m Matcher) Matches(n probes.Node, o probes.EvidenceObservation, s probes.ServerEvidence) bool {
	return m.hasName(n, s) || m.hasAJP(n, o, s)
}

// hasName reports whether s has any known name of n.
func (m Matcher) hasName(n probes.Node, s probes.ServerEvidence) bool {
	names := []string{n.ServerName(), n.URL.Host, n.ID, n.Label, m.labels[n.ID]}
	return slices.ContainsFunc(names, func(name string) bool {
		return name != "" && (normalise(name) == normalise(s.Address) || normalise(name) == normalise(s.Server))
	})
}

// hasAJP reports whether s is n by its host alone. httpd connects to an AJP member at
// another port than the one that is probed, so that the host decides if it has one
// server and one node.
func (m Matcher) hasAJP(n probes.Node, o probes.EvidenceObservation, s probes.ServerEvidence) bool {
	if s.Scheme != "ajp" {
		return false
	}
	host := hostOf(s.Address)
	servers, nodes := 0, 0
	for _, other := range o.Servers {
		if hostOf(other.Address) == host {
			servers++
		}
	}
	for _, other := range m.nodes {
		if normalise(other.URL.Hostname()) == host {
			nodes++
		}
	}
	return servers == 1 && nodes == 1 && normalise(n.URL.Hostname()) == host
}

// hostOf returns the host of host:port.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return normalise(address)
	}
	return normalise(host)
}

func normalise(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// A Record is what one evidence source reports about one node.
type Record struct {
	Kind   probes.EvidenceKind
	Source string // such as "haproxy stats http://10.0.0.9:8404/"
	Server string // name in the source
	At     time.Time
	State  probes.ServerState
	Since  time.Time // of the state; zero: not reported
	Detail string    // in the source's words
	Words  string    // source, server, state and detail in one line, in English

	Unchecked bool // the balancer does not check the health of the node
}

// Out reports whether the record says that new clients are kept away from the node:
// the balancer found it failing, drains it, or an operator took it out.
func (r Record) Out() bool { return Out(r.State) }

// In reports whether the record says that clients are sent to the node. An error log
// cannot say so: nginx logs nothing about a server that is ready or marked down, so
// that silence only means the end of an ejection.
func (r Record) In() bool {
	return r.State == probes.ServerUp && r.Kind != probes.EvidenceNginxErrorLog
}

// Out reports whether a state keeps new clients away.
func Out(s probes.ServerState) bool {
	return s == probes.ServerDown || s == probes.ServerDraining || s == probes.ServerMaintenance
}

// Records returns the records of the sources about n, in their order. A source that
// does not mention n has none.
func (m Matcher) Records(n probes.Node, sources []probes.EvidenceObservation) []Record {
	var list []Record
	for _, o := range sources {
		for _, s := range o.Servers {
			if !m.Matches(n, o, s) {
				continue
			}
			if m.failedOut(o, s) {
				s.State = probes.ServerDown
			}
			list = append(list, Record{o.Kind, o.Source, s.Server, o.At, s.State, s.Since, s.Detail, stateWords(o, s), s.Unchecked})
		}
	}
	return list
}

// failedOut reports whether Caddy remembers enough failures to take a server out. It
// counts failures only if it acts on them.
func (m Matcher) failedOut(o probes.EvidenceObservation, s probes.ServerEvidence) bool {
	return o.Kind == probes.EvidenceCaddyAdmin && s.Fails > 0 && s.Fails >= m.maxFails
}

// stateWords returns the state that a source reports of a server as text.
func stateWords(o probes.EvidenceObservation, s probes.ServerEvidence) string {
	if o.Kind == probes.EvidenceNginxErrorLog && s.State == probes.ServerUp {
		return fmt.Sprintf("%s shows no ejection of %s now", o.Source, s.Server)
	}
	text := fmt.Sprintf("%s says %s is %s", o.Source, s.Server, s.State)
	if !s.Since.IsZero() {
		text += " since " + s.Since.UTC().Format(time.DateTime)
	}
	if s.Detail != "" {
		text += ": " + s.Detail
	}
	return text
}

// A Rotation is what all sources together report about one node.
type Rotation struct {
	State probes.ServerState // unknown: no source reports it, or two contradict each other
	Words string             // of the deciding source
}

// out reports whether new clients are kept away from the node.
func (r Rotation) out() bool { return Out(r.State) }

// RotationOf returns the state that the records of one node agree on. The first
// record that has the node out decides, unless another has it in.
func RotationOf(records []Record) Rotation {
	r := Rotation{State: probes.ServerUnknown}
	var in Record
	for _, rec := range records {
		switch {
		case rec.In() && in.State == "":
			in = rec
		case rec.Out() && !r.out():
			r = Rotation{rec.State, rec.Words}
		}
	}
	switch {
	case in.State == "":
		return r
	case r.out():
		return Rotation{State: probes.ServerUnknown, Words: r.Words + "; but " + in.Words}
	default:
		return Rotation{in.State, in.Words}
	}
}
