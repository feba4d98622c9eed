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
