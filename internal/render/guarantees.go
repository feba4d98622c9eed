package render

import (
	"slices"
	"strings"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A guarantee is a property that users of a cluster rely on. JUnit has a test for
// each.
type guarantee struct {
	group   string
	name    string
	codes   []checks.Code             // of the findings that break it
	about   func(checks.Finding) bool // which of them; nil: all
	applies bool                      // it is tested even if no finding breaks it
	unknown string                    // why it cannot be tested
	took    time.Duration
}

// splitFindings splits findings into those that break the guarantee and the others.
func (g guarantee) splitFindings(findings []checks.Finding) (broken, left []checks.Finding) {
	for _, f := range findings {
		if slices.Contains(g.codes, f.Code) && (g.about == nil || g.about(f)) {
			broken = append(broken, f)
		} else {
			left = append(left, f)
		}
	}
	return broken, left
}

// guarantees returns the guarantees of a cluster, the balancer's first.
func guarantees(r checks.Report, c *probes.Cluster) []guarantee {
	all := balancerGuarantees(r)
	for _, n := range r.Nodes {
		all = append(all, nodeGuarantees(n, c)...)
	}
	for _, d := range r.Dependencies {
		all = append(all, dependencyGuarantee(d))
	}
	all = append(all, sessionGuarantees(r.Session, c)...)
	return append(all, consistencyGuarantees(r)...)
}

func balancerGuarantees(report checks.Report) []guarantee {
	var all []guarantee
	var urls []string
	for _, b := range report.Balancers { // several addresses may share a URL
		if slices.Contains(urls, b.URL) {
			continue
		}
		urls = append(urls, b.URL)
		all = append(all, guarantee{
			group: "balancer", name: Clean(b.URL, 2*maxName) + " answers", applies: true, took: b.Primary.Timing.Total,
			codes: []checks.Code{checks.BalancerDown, checks.BalancerError},
			about: func(f checks.Finding) bool { return f.Target == b.URL || strings.HasPrefix(f.Target, b.URL+" ") },
		})
	}
	return append(all,
		guarantee{
			group: "balancer", name: "one client gets one node", applies: len(report.Session.Canaries) > 0,
			codes: []checks.Code{checks.BalancerSplit},
		},
		guarantee{
			group: "pages", name: "pages are as configured", applies: asksPages(report),
			codes: []checks.Code{checks.PageFailing},
		})
}

func asksPages(r checks.Report) bool {
	return slices.ContainsFunc(r.Nodes, func(n checks.NodeReport) bool { return len(n.Pages) > 0 }) ||
		slices.ContainsFunc(r.Balancers, func(b probes.BalancerObservation) bool { return len(b.Pages) > 0 })
}

func nodeGuarantees(node checks.NodeReport, c *probes.Cluster) []guarantee {
	mine := func(f checks.Finding) bool { return f.Node == node.Node }
	id := CleanName(node.Node)
	idle := slices.ContainsFunc(c.Nodes, func(m probes.Node) bool { return m.ID == node.Node && (m.Down || m.Backup) })
	rotation := guarantee{
		group: "nodes", name: id + " is in rotation", applies: !idle, about: mine,
		codes: []checks.Code{checks.NodeEjected, checks.NodeFailingInRotation},
	}
	if node.InRotation != checks.Yes {
		rotation.unknown = answerWithReason(node.InRotation, node.Rotation)
	}
	return []guarantee{
		{
			group: "nodes", name: id + " is up", applies: true, about: mine, took: node.Primary.Timing.Total,
			codes: []checks.Code{checks.NodeDown},
		},
		{
			group: "nodes", name: id + " is not paused", applies: node.Status != nil, about: mine,
			codes: []checks.Code{checks.NodePaused},
		},
		rotation,
	}
}

// answerWithReason returns an answer with its reason, if there is one.
func answerWithReason(a checks.Tristate, reason checks.Message) string {
	if reason.IsZero() {
		return answer(a)
	}
	return answer(a) + ": " + reason.String()
}

func dependencyGuarantee(d checks.DependencyReport) guarantee {
	g := guarantee{
		group: "dependencies", name: CleanName(d.Name) + " works", applies: true,
		codes: []checks.Code{checks.DependencyDown, checks.DependencyDisputed},
		about: func(f checks.Finding) bool { return f.Dependency == d.Name },
	}
	if !known(d.Up) {
		g.unknown = "not probed"
	}
	return g
}

func sessionGuarantees(session checks.SessionReport, c *probes.Cluster) []guarantee {
	tested := session.Policy != "" && session.Policy != probes.PolicyNone
	all := []guarantee{
		{name: "sessions stick", codes: []checks.Code{checks.SessionDrift}, applies: tested && session.Policy != probes.PolicyShared},
		{name: "sessions keep their contents", codes: []checks.Code{checks.SessionLost, checks.SessionRollback}, applies: tested},
		{
			name: "sessions survive a failover", codes: []checks.Code{checks.SessionNotShared},
			applies: tested && session.Policy != probes.PolicySticky,
		},
		{name: "session cookies are sent back", codes: []checks.Code{checks.CookieRejected}, applies: tested},
		{
			name: "handshakes pass the balancer", codes: []checks.Code{checks.HandshakeBroken, checks.UpgradeRefused},
			applies: c.Handshake != nil,
		},
	}
	for i := range all {
		all[i].group = "sessions"
	}
	if !known(session.Sticky) {
		all[0].unknown = answerWithReason(session.Sticky, session.Reason)
	}
	if !known(session.Shared) {
		all[2].unknown = "unknown: no session was presented to another node"
	}
	return all
}

func consistencyGuarantees(r checks.Report) []guarantee {
	reported := func(has func(checks.NodeReport) bool) bool {
		return len(r.Nodes) > 1 && slices.ContainsFunc(r.Nodes, has)
	}
	versions := reported(func(n checks.NodeReport) bool { return n.Version != "" })
	settings := reported(func(n checks.NodeReport) bool { return n.Status != nil && len(n.Status.Settings) > 0 })
	clocks := reported(func(n checks.NodeReport) bool { return n.Clock.Samples > 0 })
	identities := []checks.Code{checks.DuplicateNodeID, checks.NodeMisidentified, checks.UnknownNode}
	return []guarantee{
		{group: "consistency", name: "nodes have their own ids", codes: identities, applies: len(r.Nodes) > 1},
		{group: "consistency", name: "nodes run one version", codes: []checks.Code{checks.VersionSkew}, applies: versions},
		{group: "consistency", name: "nodes have the same settings", codes: []checks.Code{checks.SettingsSkew}, applies: settings},
		{group: "consistency", name: "clocks agree", codes: []checks.Code{checks.ClockSkew}, applies: clocks},
		{group: "consistency", name: "the primary started first", codes: []checks.Code{checks.StartOrder}},
		{group: "latency", name: "answers are fast enough", codes: []checks.Code{checks.Slow}, applies: true},
		{group: "latency", name: "certificates are valid", codes: []checks.Code{checks.CertificateExpiring}},
		{group: "stickwatch", name: "there are no blind spots", codes: []checks.Code{checks.BlindSpot}},
	}
}
