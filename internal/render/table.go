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
	if a, watched := results.summary(); watched {
		text.paragraph("", "  ", text.answerSpan(a))
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

func (t *Text) cluster(r checks.Report, c *probes.Cluster) {
	t.paragraph("", "  ", t.headline(r, c)...)
	if len(r.Nodes) > 0 {
		t.Blank()
		t.matrix(t.nodeMatrix(r, c))
	}
	t.Blank()
	for _, b := range r.Balancers {
		t.labelled("balancer", t.balancerLine(b, c)...)
	}
	for _, line := range t.dependencyLines(r.Dependencies) {
		t.labelled("dependency", line...)
	}
	t.canaries(r.Session.Canaries)
	for _, answer := range t.sessionAnswers(r.Session) {
		t.labelled("session", answer)
	}
}

// headline returns the name, verdict and size of a cluster, and when it was probed, with the
// zone of all times below.
func (f formatter) headline(r checks.Report, c *probes.Cluster) []span {
	t := toneOfVerdict(r.Verdict)
	facts := f.nodeCount(r.Nodes)
	if method := c.Balancer.Method; method != "" && method != probes.MethodUnknown {
		facts += f.Translate(", ") + string(method)
	}
	return []span{
		toned(t, CleanName(r.Cluster)),
		{plain, "  "},
		{t, strings.ToUpper(f.Translate(string(r.Verdict)))},
		{plain, "  "},
		{dim, facts + f.Translate(", ") + roundDuration(r.Duration) + f.Translate(", ") + f.moment(r.Started)},
	}
}

func (f formatter) nodeCount(nodes []checks.NodeReport) string {
	up := 0
	for _, n := range nodes {
		if n.Up {
			up++
		}
	}
	all := f.Count(len(nodes), "node", "nodes")
	if up == len(nodes) {
		return all
	}
	return f.Translate("%d of %s up", up, all)
}

// maxSteadyCanaries bounds how many canaries that stayed on their node are shown.
const maxSteadyCanaries = 8

func (t *Text) canaries(canaries []checks.CanaryTrace) {
	width, steady := 0, 0
	through := map[string]bool{}
	for _, c := range canaries {
		width = max(width, lipgloss.Width(t.canaryName(c)))
		through[c.Balancer] = true
	}
	for _, c := range canaries {
		if isSteady(c) {
			if steady++; steady > maxSteadyCanaries {
				continue
			}
		}
		spans := append([]span{{plain, pad(t.canaryName(c), width) + "  "}}, t.traceSpans(c)...)
		if len(through) > 1 {
			spans = append(spans, span{dim, "  " + t.Translate("through %s", CleanName(c.Balancer))})
		}
		t.labelled("canary", spans...)
	}
	if steady > maxSteadyCanaries {
		t.labelled("canary", span{dim, t.Translate("%d more stayed on their nodes", steady-maxSteadyCanaries)})
	}
}

func (t *Text) doubts(doubts []checks.Message) {
	for _, d := range doubts {
		t.labelled("doubt", toned(doubt, t.message(d)))
	}
}

// total writes the last line for several clusters, and the only one for none.
func (t *Text) total(r Results) {
	if len(r.Clusters) > 0 {
		t.Blank()
	}
	tint := toneOfVerdict(r.Verdict())
	t.paragraph("", "  ", toned(tint, strings.ToUpper(t.Translate(string(r.Verdict())))), span{plain, "  " + t.totals(r)})
}

// totals counts clusters by verdict, the worst first.
func (f formatter) totals(results Results) string {
	by := map[checks.Verdict]int{}
	for _, c := range results.Clusters {
		by[c.Verdict]++
	}
	var parts []string
	for _, verdict := range slices.Backward(verdictsBySeverity) {
		if by[verdict] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", by[verdict], f.Translate(string(verdict))))
		}
	}
	all := f.Count(len(results.Clusters), "cluster", "clusters")
	if len(results.Clusters) > 1 {
		all += " (" + strings.Join(parts, f.Translate(", ")) + ")"
	}
	return all + f.Translate(", ") + roundDuration(results.Duration)
}
