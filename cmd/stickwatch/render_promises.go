package main

import (
	"slices"
	"strings"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A promise is what users of a cluster rely on, and the findings that break it.
type promise struct {
	family  string
	name    string
	codes   []checks.Code
	about   func(checks.Finding) bool // nil: any with these codes
	applies bool                      // it is tested even when nothing breaks it
	unknown string                    // why it cannot be tested; "": it can
	took    time.Duration
}

// take splits findings into those that break the promise and the others.
func (p promise) take(findings []checks.Finding) (broken, left []checks.Finding) {
	for _, f := range findings {
		if slices.Contains(p.codes, f.Code) && (p.about == nil || p.about(f)) {
			broken = append(broken, f)
		} else {
			left = append(left, f)
		}
	}
	return broken, left
}

// promises are those of a cluster, in the order in which one would look.
func promises(r checks.Report, c *probes.Cluster) []promise {
	all := balancerPromises(r)
	for _, n := range r.Nodes {
		all = append(all, nodePromises(n, c)...)
	}
	for _, d := range r.Dependencies {
		all = append(all, dependencyPromise(d))
	}
	all = append(all, sessionPromises(r.Session, c)...)
	return append(all, consistencyPromises(r)...)
}

func balancerPromises(r checks.Report) []promise {
	var all []promise
	var urls []string
	for _, b := range r.Balancers { // one for each of its addresses
		if slices.Contains(urls, b.URL) {
			continue
		}
		urls = append(urls, b.URL)
		all = append(all, promise{
			family: "balancer", name: clean(b.URL, 2*maxName) + " answers", applies: true, took: b.Primary.Timing.Total,
			codes: []checks.Code{checks.BalancerDown, checks.BalancerError},
			about: func(f checks.Finding) bool { return f.Target == b.URL || strings.HasPrefix(f.Target, b.URL+" ") },
		})
	}
	return append(all,
		promise{
			family: "balancer", name: "one client gets one node", applies: len(r.Session.Canaries) > 0,
			codes: []checks.Code{checks.BalancerSplit},
		},
		promise{
			family: "pages", name: "pages are as configured", applies: asksPages(r),
			codes: []checks.Code{checks.PageFailing},
		})
}

func asksPages(r checks.Report) bool {
	return slices.ContainsFunc(r.Nodes, func(n checks.NodeReport) bool { return len(n.Pages) > 0 }) ||
		slices.ContainsFunc(r.Balancers, func(b probes.BalancerObservation) bool { return len(b.Pages) > 0 })
}

func nodePromises(n checks.NodeReport, c *probes.Cluster) []promise {
	mine := func(f checks.Finding) bool { return f.Node == n.Node }
	id := name(n.Node)
	idle := slices.ContainsFunc(c.Nodes, func(m probes.Node) bool { return m.ID == n.Node && (m.Down || m.Backup) })
	rotation := promise{
		family: "nodes", name: id + " is in rotation", applies: !idle, about: mine,
		codes: []checks.Code{checks.NodeEjected, checks.NodeFailingInRotation},
	}
	if n.InRotation != checks.Yes {
		rotation.unknown = reasoned(n.InRotation, n.Rotation)
	}
	return []promise{
		{
			family: "nodes", name: id + " is up", applies: true, about: mine, took: n.Primary.Timing.Total,
			codes: []checks.Code{checks.NodeDown},
		},
		{
			family: "nodes", name: id + " is not paused", applies: n.Status != nil, about: mine,
			codes: []checks.Code{checks.NodePaused},
		},
		rotation,
	}
}

// reasoned is an answer with the reason for it, if there is one.
func reasoned(a checks.Answer, why checks.Message) string {
	if why.IsZero() {
		return answer(a)
	}
	return answer(a) + ": " + why.String()
}

func dependencyPromise(d checks.DependencyReport) promise {
	p := promise{
		family: "dependencies", name: name(d.Name) + " works", applies: true,
		codes: []checks.Code{checks.DependencyDown, checks.DependencyDisputed},
		about: func(f checks.Finding) bool { return f.Dependency == d.Name },
	}
	if !known(d.Up) {
		p.unknown = "it was not probed"
	}
	return p
}

func sessionPromises(s checks.SessionReport, c *probes.Cluster) []promise {
	tested := s.Policy != "" && s.Policy != probes.PolicyNone
	all := []promise{
		{name: "sessions stick", codes: []checks.Code{checks.SessionDrift}, applies: tested && s.Policy != probes.PolicyShared},
		{name: "sessions keep what they hold", codes: []checks.Code{checks.SessionLost, checks.SessionRollback}, applies: tested},
		{
			name: "other nodes know a session", codes: []checks.Code{checks.SessionNotShared},
			applies: tested && s.Policy != probes.PolicySticky,
		},
		{name: "session cookies come back", codes: []checks.Code{checks.CookieRejected}, applies: tested},
		{
			name: "handshakes pass the balancer", codes: []checks.Code{checks.HandshakeBroken, checks.UpgradeRefused},
			applies: c.Handshake != nil,
		},
	}
	for i := range all {
		all[i].family = "sessions"
	}
	if !known(s.Sticky) {
		all[0].unknown = reasoned(s.Sticky, s.Reason)
	}
	if !known(s.Shared) {
		all[2].unknown = "unknown: no session was shown to another node"
	}
	return all
}

func consistencyPromises(r checks.Report) []promise {
	says := func(has func(checks.NodeReport) bool) bool {
		return len(r.Nodes) > 1 && slices.ContainsFunc(r.Nodes, has)
	}
	versions := says(func(n checks.NodeReport) bool { return n.Version != "" })
	settings := says(func(n checks.NodeReport) bool { return n.Status != nil && len(n.Status.Settings) > 0 })
	clocks := says(func(n checks.NodeReport) bool { return n.Clock.Samples > 0 })
	identities := []checks.Code{checks.DuplicateNodeID, checks.NodeMisidentified, checks.UnknownNode}
	return []promise{
		{family: "consistency", name: "nodes are who they say", codes: identities, applies: len(r.Nodes) > 1},
		{family: "consistency", name: "nodes run one version", codes: []checks.Code{checks.VersionSkew}, applies: versions},
		{family: "consistency", name: "nodes have the same settings", codes: []checks.Code{checks.SettingsSkew}, applies: settings},
		{family: "consistency", name: "clocks agree", codes: []checks.Code{checks.ClockSkew}, applies: clocks},
		{family: "consistency", name: "the primary started first", codes: []checks.Code{checks.StartOrder}},
		{family: "latency", name: "answers come in time", codes: []checks.Code{checks.Slow}, applies: true},
		{family: "latency", name: "certificates last", codes: []checks.Code{checks.CertificateExpiring}},
		{family: "stickwatch", name: "nothing is out of sight", codes: []checks.Code{checks.BlindSpot}},
	}
}
