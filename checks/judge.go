package checks

import (
	"slices"

	"stickwatch/probes"
)

// A family is a group of checks about one thing. It returns what it found and
// keeps nothing.
type family func(*view) []Finding

// families, in no particular order: none depends on another's findings.
var families = []family{
	balancers, nodes, pages, dependencies,
	sessions, sharing, cookies, handshakes,
	rotation, split,
	identities, versions, settings, clocks, startOrder,
	latency, certificates, blindSpots,
}

// Judge tells what a round means.
func Judge(r Round) Report {
	v := look(r)
	var findings []Finding
	for _, f := range families {
		findings = append(findings, f(v)...)
	}
	findings = slices.DeleteFunc(findings, func(f Finding) bool { return slices.Contains(r.Ignore, f.Code) })
	findings = explain(findings)
	report := Report{
		Cluster:      r.Cluster.Name,
		Started:      r.Started,
		Duration:     r.Duration,
		Doubts:       v.doubts(),
		Balancers:    r.Balancers,
		Session:      v.session,
		Dependencies: v.dependencyReports(),
		Findings:     findings,
	}
	for i, o := range r.Nodes {
		place := v.places[o.Node]
		report.Nodes = append(report.Nodes, NodeReport{
			NodeObservation: o, Up: Up(r.Nodes[i]), InRotation: place.In, Rotation: place.Reason,
		})
	}
	report.Verdict = verdict(findings, report.Doubts)
	return report
}

// verdict: a critical finding is certain whatever else is unknown, but a doubt
// outweighs a warning.
func verdict(findings []Finding, doubts []string) Verdict {
	has := func(s Severity) bool {
		return slices.ContainsFunc(findings, func(f Finding) bool { return f.Severity == s })
	}
	switch {
	case has(Critical):
		return Failing
	case len(doubts) > 0:
		return Inconclusive
	case has(Warning):
		return Degraded
	default:
		return Healthy
	}
}

// A view is a round with what every check wants to know of it worked out once.
type view struct {
	Round
	who     Identity
	up      map[string]bool
	serving []probes.Node // up, and meant to get new clients
	answers []answer      // every step of every walk, resolved
	places  map[string]place
	session SessionReport
}

// An answer is a step of a walk with the node that gave it.
type answer struct {
	walk, step int
	probes.Step
	node string // "": not told
}

func look(r Round) *view {
	v := &view{
		Round: r, who: Identify(r.Cluster, r.Nodes), up: make(map[string]bool),
		serving: Serving(r.Cluster, r.Nodes), places: make(map[string]place),
	}
	for _, o := range r.Nodes {
		v.up[o.Node] = Up(o)
	}
	for w, walk := range r.Walks {
		for s, step := range walk.Steps {
			v.answers = append(v.answers, answer{walk: w, step: s, Step: step, node: v.who.Who(step.Label)})
		}
	}
	for _, n := range r.Cluster.Nodes {
		v.places[n.ID] = v.place(n)
	}
	v.session = v.stickiness()
	return v
}

// node returns the direct observation of a node.
func (v *view) node(id string) probes.NodeObservation {
	for _, o := range v.Nodes {
		if o.Node == id {
			return o
		}
	}
	return probes.NodeObservation{Node: id}
}

// config returns a node's configuration.
func (v *view) config(id string) probes.Node {
	for _, n := range v.Cluster.Nodes {
		if n.ID == id {
			return n
		}
	}
	return probes.Node{ID: id}
}

// home is the node that a walk's session was opened on; "" when not told.
func (v *view) home(w probes.Walk) string { return v.who.Who(w.First().Label) }

// isCanary reports whether a walk came back, or was sent to a node on purpose.
func isCanary(w probes.Walk) bool { return len(w.Steps) > 1 || w.Expected != "" }

// entrances returns the balancer observations that share an address with w.
func (v *view) walksAt(b probes.BalancerObservation) []probes.Walk {
	var list []probes.Walk
	for _, w := range v.Walks {
		if w.Balancer == b.Address && w.URL == b.URL {
			list = append(list, w)
		}
	}
	return list
}
