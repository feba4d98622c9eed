package render

import (
	"slices"
	"strings"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A clusterTest is a property that users of a cluster rely on, as a test of JUnit.
type clusterTest struct {
	group   string
	name    string
	codes   []checks.Code             // of the findings that fail it
	about   func(checks.Finding) bool // which of them; nil: all
	always  bool                      // it is in the output even if no finding fails it
	unknown string                    // why it cannot be tested
	took    time.Duration
}

// splitFindings splits findings into those that fail the test and the others.
func (t clusterTest) splitFindings(findings []checks.Finding) (failed, others []checks.Finding) {
	for _, f := range findings {
		if slices.Contains(t.codes, f.Code) && (t.about == nil || t.about(f)) {
			failed = append(failed, f)
		} else {
			others = append(others, f)
		}
	}
	return failed, others
}

// clusterTests returns the tests of a cluster, the balancer's first.
func clusterTests(r checks.Report, c *probes.Cluster) []clusterTest {
	all := balancerTests(r)
	for _, n := range r.Nodes {
		all = append(all, nodeTests(n, c)...)
	}
	for _, d := range r.Dependencies {
		all = append(all, dependencyTest(d))
	}
	all = append(all, sessionTests(r.Session, c)...)
	return append(all, consistencyTests(r)...)
}

func balancerTests(report checks.Report) []clusterTest {
	var all []clusterTest
	var urls []string
	for _, b := range report.Balancers { // several addresses may share a URL
		if slices.Contains(urls, b.URL) {
			continue
		}
		urls = append(urls, b.URL)
		all = append(all, clusterTest{
			group: "balancer", name: Clean(b.URL, 2*maxName) + " answers", always: true, took: b.Primary.Timing.Total,
			codes: []checks.Code{checks.BalancerDown, checks.BalancerError},
			about: func(f checks.Finding) bool { return f.Target == b.URL || strings.HasPrefix(f.Target, b.URL+" ") },
		})
	}
	return append(all,
		clusterTest{
			group: "balancer", name: "one client gets one node", always: len(report.Session.Canaries) > 0,
			codes: []checks.Code{checks.BalancerSplit},
		},
		clusterTest{
			group: "pages", name: "pages are as configured", always: asksPages(report),
			codes: []checks.Code{checks.PageFailing},
		})
}

func asksPages(r checks.Report) bool {
	return slices.ContainsFunc(r.Nodes, func(n checks.NodeReport) bool { return len(n.Pages) > 0 }) ||
		slices.ContainsFunc(r.Balancers, func(b probes.BalancerObservation) bool { return len(b.Pages) > 0 })
}

func nodeTests(node checks.NodeReport, c *probes.Cluster) []clusterTest {
	mine := func(f checks.Finding) bool { return f.Node == node.Node }
	id := CleanName(node.Node)
	outByConfiguration := slices.ContainsFunc(c.Nodes, func(m probes.Node) bool { return m.ID == node.Node && (m.Down || m.Backup) })
	rotation := clusterTest{
		group: "nodes", name: id + " is in rotation", always: !outByConfiguration, about: mine,
		codes: []checks.Code{checks.NodeEjected, checks.NodeFailingInRotation},
	}
	if node.InRotation != checks.Yes {
		rotation.unknown = answerWithReason(node.InRotation, node.Rotation)
	}
	return []clusterTest{
		{
			group: "nodes", name: id + " is up", always: true, about: mine, took: node.Primary.Timing.Total,
			codes: []checks.Code{checks.NodeDown},
		},
		{
			group: "nodes", name: id + " is not paused", always: node.Status != nil, about: mine,
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

func dependencyTest(d checks.DependencyReport) clusterTest {
	g := clusterTest{
		group: "dependencies", name: CleanName(d.Name) + " works", always: true,
		codes: []checks.Code{checks.DependencyDown, checks.DependencyDisputed},
		about: func(f checks.Finding) bool { return f.Dependency == d.Name },
	}
	if !known(d.Up) {
		g.unknown = "not probed"
	}
	return g
}

func sessionTests(session checks.SessionReport, c *probes.Cluster) []clusterTest {
	tested := session.Policy != "" && session.Policy != probes.PolicyNone
	sticky := clusterTest{name: "sessions stick", codes: []checks.Code{checks.SessionDrift}, always: tested && session.Policy != probes.PolicyShared}
	if !known(session.Sticky) {
		sticky.unknown = answerWithReason(session.Sticky, session.Reason)
	}
	failover := clusterTest{
		name: "sessions survive a failover", codes: []checks.Code{checks.SessionNotShared},
		always: tested && session.Policy != probes.PolicySticky,
	}
	if !known(session.Shared) {
		failover.unknown = "unknown: no session was presented to another node"
	}
	all := []clusterTest{
		sticky,
		{name: "sessions keep their contents", codes: []checks.Code{checks.SessionLost, checks.SessionRollback}, always: tested},
		failover,
		{name: "session cookies are sent back", codes: []checks.Code{checks.CookieRejected}, always: tested},
		{
			name: "handshakes pass the balancer", codes: []checks.Code{checks.HandshakeBroken, checks.UpgradeRefused},
			always: c.Handshake != nil,
		},
	}
	for i := range all {
		all[i].group = "sessions"
	}
	return all
}

func consistencyTests(r checks.Report) []clusterTest {
	reported := func(has func(checks.NodeReport) bool) bool {
		return len(r.Nodes) > 1 && slices.ContainsFunc(r.Nodes, has)
	}
	versions := reported(func(n checks.NodeReport) bool { return n.Version != "" })
	settings := reported(func(n checks.NodeReport) bool { return n.Status != nil && len(n.Status.Settings) > 0 })
	clocks := reported(func(n checks.NodeReport) bool { return n.Clock.Samples > 0 })
	identities := []checks.Code{checks.DuplicateNodeID, checks.NodeMisidentified, checks.UnknownNode}
	return []clusterTest{
		{group: "consistency", name: "nodes have their own ids", codes: identities, always: len(r.Nodes) > 1},
		{group: "consistency", name: "nodes run one version", codes: []checks.Code{checks.VersionSkew}, always: versions},
		{group: "consistency", name: "nodes have the same settings", codes: []checks.Code{checks.SettingsSkew}, always: settings},
		{group: "consistency", name: "clocks agree", codes: []checks.Code{checks.ClockSkew}, always: clocks},
		{group: "consistency", name: "the primary started first", codes: []checks.Code{checks.StartOrder}},
		{group: "latency", name: "answers are fast enough", codes: []checks.Code{checks.Slow}, always: true},
		{group: "latency", name: "certificates are valid", codes: []checks.Code{checks.CertificateExpiring}},
		{group: "stickwatch", name: "there are no blind spots", codes: []checks.Code{checks.BlindSpot}},
	}
}
