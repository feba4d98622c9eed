package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"

	"stickwatch/checks"
	"stickwatch/probes"
)

// renderTable writes r for people: what to know first comes first, and what to
// do last, where the eye is when a command has ended.
func renderTable(w io.Writer, r results, opts renderOptions) error {
	s := newTextReport(opts)
	if a, watched := r.answer(); watched {
		s.paragraph("", "  ", answerSpan(a))
		s.blank()
	}
	for i, report := range r.Clusters {
		if i > 0 {
			s.blank()
		}
		s.cluster(report, opts.cluster(report.Cluster))
		if w, watched := r.Watches[report.Cluster]; watched {
			s.watch(w)
		}
		s.doubts(report.Doubts)
		s.findings(report.Findings)
	}
	if len(r.Clusters) != 1 {
		s.total(r)
	}
	_, err := io.WriteString(w, s.String())
	return err
}

func (s *textReport) cluster(r checks.Report, c *probes.Cluster) {
	s.paragraph("", "  ", headline(r, c)...)
	if len(r.Nodes) > 0 {
		s.blank()
		s.matrix(matrix(r, c))
	}
	s.blank()
	for _, b := range r.Balancers {
		s.labelled("balancer", balancerLine(b, c)...)
	}
	for _, line := range dependencyLines(r.Dependencies) {
		s.labelled("dependency", line...)
	}
	s.canaries(r.Session.Canaries)
	for _, answer := range sessionAnswers(r.Session) {
		s.labelled("session", answer)
	}
}

// headline is a cluster in one line: its name, its state, its size.
func headline(r checks.Report, c *probes.Cluster) []span {
	m := toneOfVerdict(r.Verdict)
	facts := nodeCount(r.Nodes)
	if method := c.Balancer.Method; method != "" && method != probes.MethodUnknown {
		facts += ", " + string(method)
	}
	return []span{
		toned(m, name(r.Cluster)),
		{plain, "  "},
		{m, strings.ToUpper(string(r.Verdict))},
		{plain, "  "},
		{dim, facts + ", " + took(r.Duration)},
	}
}

func nodeCount(nodes []checks.NodeReport) string {
	up := 0
	for _, n := range nodes {
		if n.Up {
			up++
		}
	}
	all := count(len(nodes), "node", "nodes")
	if up == len(nodes) {
		return all
	}
	return fmt.Sprintf("%d of %s up", up, all)
}

// maxSteadyCanaries bounds how many canaries are told that just stayed where they were.
const maxSteadyCanaries = 8

func (s *textReport) canaries(canaries []checks.Canary) {
	width, still := 0, 0
	through := map[string]bool{}
	for _, c := range canaries {
		width = max(width, lipgloss.Width(canaryName(c)))
		through[c.Balancer] = true
	}
	for _, c := range canaries {
		if isSteady(c) {
			if still++; still > maxSteadyCanaries {
				continue
			}
		}
		spans := append([]span{{plain, pad(canaryName(c), width) + "  "}}, traceSpans(c)...)
		if len(through) > 1 {
			spans = append(spans, span{dim, "  through " + name(c.Balancer)})
		}
		s.labelled("canary", spans...)
	}
	if still > maxSteadyCanaries {
		s.labelled("canary", span{dim, fmt.Sprintf("%d more that stayed on their nodes", still-maxSteadyCanaries)})
	}
}

func (s *textReport) doubts(doubts []checks.Message) {
	for _, d := range doubts {
		s.labelled("doubt", toned(doubt, words(d)))
	}
}

// total is the last line of several clusters, and the only one of none.
func (s *textReport) total(r results) {
	if len(r.Clusters) > 0 {
		s.blank()
	}
	m := toneOfVerdict(r.Verdict)
	s.paragraph("", "  ", toned(m, strings.ToUpper(string(r.Verdict))), span{plain, "  " + totals(r)})
}

// totals counts clusters by verdict, the worst first.
func totals(r results) string {
	by := map[checks.Verdict]int{}
	for _, c := range r.Clusters {
		by[c.Verdict]++
	}
	var parts []string
	for _, v := range slices.Backward(verdictsBySeverity) {
		if by[v] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", by[v], v))
		}
	}
	all := count(len(r.Clusters), "cluster", "clusters")
	if len(r.Clusters) > 1 {
		all += " (" + strings.Join(parts, ", ") + ")"
	}
	return all + ", " + took(r.Duration)
}
