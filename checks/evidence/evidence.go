// Package evidence matches what balancers say of their own servers to the nodes
// of a cluster: which server is which node, and whether the balancer has it in
// rotation, out or draining, since when, and in whose words.
//
// The picture of a cluster and the watch of a deployment both use it, so that
// they cannot disagree about a node. It judges nothing else: what was seen of a
// node is weighed against these records elsewhere.
package evidence

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"stickwatch/probes"
)

// A Matcher knows the nodes of a cluster by every name that a balancer may give
// them.
type Matcher struct {
	nodes    []probes.Node
	labels   map[string]string // how nodes call themselves, by id
	maxFails int               // as many failures take a server out of Caddy
}

// NewMatcher returns a matcher for the nodes of c. What they answered when asked
// directly tells how they call themselves, which some balancers' names are.
func NewMatcher(c *probes.Cluster, direct []probes.NodeObservation) Matcher {
	m := Matcher{nodes: c.Nodes, labels: make(map[string]string), maxFails: c.Balancer.MaxFails}
	for _, o := range direct {
		m.labels[o.Node] = o.Label
	}
	return m
}

// Matches reports whether s, which o names, is n.
func (m Matcher) Matches(n probes.Node, o probes.EvidenceObservation, s probes.ServerEvidence) bool {
	return m.hasName(n, s) || m.hasAJP(n, o, s)
}

// hasName reports whether s is n by any name that n is known to have.
func (m Matcher) hasName(n probes.Node, s probes.ServerEvidence) bool {
	names := []string{n.ServerName(), n.URL.Host, n.ID, n.Label, m.labels[n.ID]}
	return slices.ContainsFunc(names, func(name string) bool {
		return name != "" && (normalise(name) == normalise(s.Address) || normalise(name) == normalise(s.Server))
	})
}

// hasAJP reports whether s is n by its host alone. httpd asks an AJP member at a
// port that is never the one that we ask, so that the host decides where it has
// one server and one node.
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

// hostOf is the host of host:port.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return normalise(address)
	}
	return normalise(host)
}

func normalise(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// A Record is what one evidence source says of one node.
type Record struct {
	Kind   probes.EvidenceKind
	Source string // where it was read, such as "haproxy stats http://10.0.0.9:8404/"
	Server string // as the source names it
	At     time.Time
	State  probes.ServerState
	Since  time.Time // of the state; zero: not told
	Detail string    // in the source's words
	Words  string    // source, server, state and detail in one line, in English
}

// Out reports whether the record says that new clients are kept away from the
// node: the balancer found it failing, drains it, or an operator took it out.
func (r Record) Out() bool { return Out(r.State) }

// In reports whether the record says that clients are sent to the node. An error
// log cannot say so: nginx writes nothing of a server that is well, nor of one
// that its configuration marks down, so that the end of an ejection is all that
// its silence can mean.
func (r Record) In() bool {
	return r.State == probes.ServerUp && r.Kind != probes.EvidenceNginxErrorLog
}

// Out reports whether a state keeps new clients away.
func Out(s probes.ServerState) bool {
	return s == probes.ServerDown || s == probes.ServerDraining || s == probes.ServerMaintenance
}

// Records are what the sources say of n, in their order. A source that does not
// mention n says nothing of it.
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
			list = append(list, Record{o.Kind, o.Source, s.Server, o.At, s.State, s.Since, s.Detail, stateWords(o, s)})
		}
	}
	return list
}

// failedOut reports whether Caddy remembers as many failures as take a server
// out. It counts none unless it acts on them.
func (m Matcher) failedOut(o probes.EvidenceObservation, s probes.ServerEvidence) bool {
	return o.Kind == probes.EvidenceCaddyAdmin && s.Fails > 0 && s.Fails >= m.maxFails
}

// stateWords is what a source says of a server.
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

// A Rotation is what all sources together say of one node.
type Rotation struct {
	State probes.ServerState // unknown: no source tells, or two contradict each other
	Since time.Time          // of the state; zero: not told
	Words string             // of the source that decides
}

// Out reports whether new clients are kept away from the node.
func (r Rotation) Out() bool { return Out(r.State) }

// RotationOf is the state that records of one node agree on. The first record
// that has the node out decides, unless another has it in.
func RotationOf(records []Record) Rotation {
	r := Rotation{State: probes.ServerUnknown}
	var in Record
	for _, rec := range records {
		switch {
		case rec.In() && in.State == "":
			in = rec
		case rec.Out() && !r.Out():
			r = Rotation{rec.State, rec.Since, rec.Words}
		}
	}
	switch {
	case in.State == "":
		return r
	case r.Out():
		return Rotation{State: probes.ServerUnknown, Words: r.Words + "; but " + in.Words}
	default:
		return Rotation{in.State, in.Since, in.Words}
	}
}
