package render

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"

	"stickwatch/checks"
	"stickwatch/probes"
)

// renderTable writes results for a terminal. The result comes first and the remedies
// last, next to the prompt.
func renderTable(w io.Writer, results Results, opts Options) error {
	text := NewText(opts)
	if a, watched := results.Summary(); watched {
		text.paragraph("", "  ", answerSpan(a))
		text.Blank()
	}
	for i, report := range results.Clusters {
		if i > 0 {
			text.Blank()
		}
		text.cluster(report, opts.cluster(report.Cluster))
		if w, watched := results.Watches[report.Cluster]; watched {
			text.watch(w)
		}
		text.doubts(report.Doubts)
		text.findings(report.Findings)
	}
	if len(results.Clusters) != 1 {
		text.total(results)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func (s *Text) cluster(r checks.Report, c *probes.Cluster) {
	s.paragraph("", "  ", headline(r, c)...)
	if len(r.Nodes) > 0 {
		s.Blank()
		s.matrix(matrix(r, c))
	}
	s.Blank()
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

// headline returns the name, verdict and size of a cluster.
func headline(r checks.Report, c *probes.Cluster) []span {
	t := toneOfVerdict(r.Verdict)
	facts := nodeCount(r.Nodes)
	if method := c.Balancer.Method; method != "" && method != probes.MethodUnknown {
		facts += ", " + string(method)
	}
	return []span{
		toned(t, CleanName(r.Cluster)),
		{plain, "  "},
		{t, strings.ToUpper(string(r.Verdict))},
		{plain, "  "},
		{dim, facts + ", " + roundDuration(r.Duration)},
	}
}

func nodeCount(nodes []checks.NodeReport) string {
	up := 0
	for _, n := range nodes {
		if n.Up {
			up++
		}
	}
	all := Count(len(nodes), "node", "nodes")
	if up == len(nodes) {
		return all
	}
	return fmt.Sprintf("%d of %s up", up, all)
}

// maxSteadyCanaries bounds how many canaries that stayed on their node are shown.
const maxSteadyCanaries = 8

func (s *Text) canaries(canaries []checks.Canary) {
	width, steady := 0, 0
	through := map[string]bool{}
	for _, c := range canaries {
		width = max(width, lipgloss.Width(canaryName(c)))
		through[c.Balancer] = true
	}
	for _, c := range canaries {
		if isSteady(c) {
			if steady++; steady > maxSteadyCanaries {
				continue
			}
		}
		spans := append([]span{{plain, pad(canaryName(c), width) + "  "}}, traceSpans(c)...)
		if len(through) > 1 {
			spans = append(spans, span{dim, "  through " + CleanName(c.Balancer)})
		}
		s.labelled("canary", spans...)
	}
	if steady > maxSteadyCanaries {
		s.labelled("canary", span{dim, fmt.Sprintf("%d more stayed on their nodes", steady-maxSteadyCanaries)})
	}
}

func (s *Text) doubts(doubts []checks.Message) {
	for _, d := range doubts {
		s.labelled("doubt", toned(doubt, cleanMessage(d)))
	}
}

// total writes the last line for several clusters, and the only one for none.
func (s *Text) total(r Results) {
	if len(r.Clusters) > 0 {
		s.Blank()
	}
	t := toneOfVerdict(r.Verdict())
	s.paragraph("", "  ", toned(t, strings.ToUpper(string(r.Verdict()))), span{plain, "  " + totals(r)})
}

// totals counts clusters by verdict, the worst first.
func totals(results Results) string {
	by := map[checks.Verdict]int{}
	for _, c := range results.Clusters {
		by[c.Verdict]++
	}
	var parts []string
	for _, v := range slices.Backward(verdictsBySeverity) {
		if by[v] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", by[v], v))
		}
	}
	all := Count(len(results.Clusters), "cluster", "clusters")
	if len(results.Clusters) > 1 {
		all += " (" + strings.Join(parts, ", ") + ")"
	}
	return all + ", " + roundDuration(results.Duration)
}
