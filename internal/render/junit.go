package render

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"stickwatch/checks"
	"stickwatch/internal/gate"
	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// english is the voice of JUnit: names of tests and what servers compare stay the same.
var english formatter

// renderJUnit writes results as a suite for each cluster, with a test for each clusterTest. The names of
// tests stay the same from run to run, so that a CI server can show since when a test
// fails.
func renderJUnit(w io.Writer, r Results, opts Options) error {
	suites := junit.Testsuites{Name: "stickwatch", Time: seconds(r.Duration)}
	for i, report := range r.Clusters {
		s := suite(i, report, opts)
		if w, watched := r.Watches[report.Cluster]; watched {
			answerProperties(&s, w.Summary())
			for _, t := range watchTests(w, opts.failOn()) {
				s.AddTestcase(t)
			}
		}
		suites.AddSuite(s)
	}
	if _, err := io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"); err != nil {
		return err
	}
	return suites.WriteXML(w)
}

func suite(id int, report checks.Report, opts Options) junit.Testsuite {
	s := junit.Testsuite{ID: id, Name: CleanName(report.Cluster), Time: seconds(report.Duration)}
	s.SetTimestamp(report.Started.UTC())
	s.AddProperty("verdict", string(report.Verdict))
	s.AddProperty("policy", string(report.Session.Policy))
	s.AddTestcase(reportTest(report))

	left := slices.Clone(report.Findings)
	for _, g := range clusterTests(report, opts.cluster(report.Cluster)) {
		var broken []checks.Finding
		broken, left = g.splitFindings(left)
		if g.always || len(broken) > 0 {
			s.AddTestcase(test(report.Cluster, g, broken, opts.failOn()))
		}
	}
	// A finding that fails none of these tests is a test of its own.
	for _, f := range left {
		g := clusterTest{group: "other", name: strings.TrimSpace(string(f.Code) + " " + subject(f))}
		s.AddTestcase(test(report.Cluster, g, []checks.Finding{f}, opts.failOn()))
	}
	return s
}

// reportTest has an error if the verdict is inconclusive.
func reportTest(r checks.Report) junit.Testcase {
	test := junit.Testcase{Classname: classname(r.Cluster, "stickwatch"), Name: "the report is conclusive", Time: seconds(r.Duration)}
	var lines []string
	for _, d := range r.Doubts {
		lines = append(lines, english.message(d))
	}
	text := strings.Join(lines, "\n")
	switch {
	case r.Verdict == checks.Inconclusive:
		message := "inconclusive"
		if len(lines) > 0 {
			message = lines[0]
		}
		test.Error = &junit.Result{Message: message, Type: string(checks.Inconclusive), Data: text}
	case text != "":
		test.SystemOut = &junit.Output{Data: text}
	}
	return test
}

func test(cluster string, g clusterTest, broken []checks.Finding, failOn checks.Severity) junit.Testcase {
	t := junit.Testcase{Classname: classname(cluster, g.group), Name: g.name, Time: seconds(g.took)}
	var failures, others []checks.Finding
	for _, f := range broken {
		if f.Severity.AtLeast(failOn) {
			failures = append(failures, f)
		} else {
			others = append(others, f)
		}
	}
	if len(failures) > 0 {
		message := english.message(failures[0].Summary)
		if more := len(failures) - 1; more > 0 {
			message += fmt.Sprintf(" (and %d more)", more)
		}
		t.Failure = &junit.Result{Message: message, Type: string(failures[0].Code), Data: findingLines(failures)}
	}
	if len(others) > 0 {
		t.SystemOut = &junit.Output{Data: findingLines(others)}
	}
	if g.unknown != "" && len(broken) == 0 {
		t.Skipped = &junit.Result{Message: CleanSentence(g.unknown)}
	}
	return t
}

// findingLines returns findings as plain text.
func findingLines(findings []checks.Finding) string {
	var b strings.Builder
	for _, finding := range findings {
		fmt.Fprintf(&b, "%s %s %s\n%s\n", strings.ToUpper(string(finding.Severity)), finding.Code, subject(finding), english.message(finding.Summary))
		if words := english.affects(finding.Affected); words != "" {
			fmt.Fprintln(&b, words)
		}
		lines, more := english.evidence(finding, maxEvidence)
		for _, line := range lines {
			fmt.Fprintf(&b, "- %s\n", line)
		}
		if more > 0 {
			fmt.Fprintf(&b, "- … %d more\n", more)
		}
		if finding.ExplainedBy != "" {
			fmt.Fprintf(&b, "explained by %s\n", CleanSentence(finding.ExplainedBy))
		}
		if !finding.Remedy.IsZero() {
			fmt.Fprintf(&b, "-> %s\n", english.message(finding.Remedy))
		}
	}
	return b.String()
}

// classname returns the group of a test, CLUSTER.GROUP. CI servers split it at dots.
func classname(cluster, group string) string {
	return strings.ReplaceAll(CleanName(cluster), ".", "_") + "." + group
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

// answerProperties adds the summary of a watch to a suite.
func answerProperties(s *junit.Testsuite, a gate.Summary) {
	s.AddProperty("answer", english.answerText(a))
	s.AddProperty("sessions_lost", strconv.Itoa(a.Lost))
	s.AddProperty("sessions_moved", strconv.Itoa(a.Moved))
	s.AddProperty("longest_outage_seconds", seconds(a.LongestOutage))
}

// watchTests returns a test for each guarantee of the deployment. A test has an error
// if it is unknown whether the guarantee was kept.
func watchTests(w gate.Report, failOn checks.Severity) []junit.Testcase {
	var tests []junit.Testcase
	for _, g := range w.Guarantees {
		tests = append(tests, guaranteeTest(w, g, failOn))
	}
	if len(w.Doubts) > 0 {
		t := watchTest(w, "every node is watched")
		t.Error = &junit.Result{Message: english.phrase(w.Doubts[0]), Type: string(checks.Inconclusive), Data: phraseLines(w.Doubts)}
		tests = append(tests, t)
	}
	return tests
}

func watchTest(w gate.Report, guarantee string) junit.Testcase {
	return junit.Testcase{Classname: classname(w.Cluster, "deployment"), Name: CleanName(guarantee), Time: seconds(w.To.Sub(w.From))}
}

func guaranteeTest(w gate.Report, g gate.Guarantee, failOn checks.Severity) junit.Testcase {
	t := watchTest(w, g.Name.String())
	text := phraseLines(g.Reasons)
	switch {
	case g.Kept == checks.No && g.Severity.AtLeast(failOn):
		message := english.phrase(g.Reasons[0])
		if more := len(g.Reasons) - 1; more > 0 {
			message += fmt.Sprintf(" (and %d more)", more)
		}
		t.Failure = &junit.Result{Message: message, Type: string(g.Code), Data: text}
	case g.Kept == checks.Unknown:
		t.Error = &junit.Result{Message: english.phrase(g.Reasons[0]), Type: string(checks.Inconclusive), Data: text}
	case text != "":
		t.SystemOut = &junit.Output{Data: text}
	}
	return t
}

func phraseLines(list []phrase.Phrase) string {
	var lines []string
	for _, text := range list {
		lines = append(lines, english.phrase(text))
	}
	return strings.Join(lines, "\n")
}

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
