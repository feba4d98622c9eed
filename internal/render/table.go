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

func (s *Text) cluster(r checks.Report, c *probes.Cluster) {
	s.paragraph("", "  ", s.headline(r, c)...)
	if len(r.Nodes) > 0 {
		s.Blank()
		s.matrix(s.nodeMatrix(r, c))
	}
	s.Blank()
	for _, b := range r.Balancers {
		s.labelled("balancer", s.balancerLine(b, c)...)
	}
	for _, line := range s.dependencyLines(r.Dependencies) {
		s.labelled("dependency", line...)
	}
	s.canaries(r.Session.Canaries)
	for _, answer := range s.sessionAnswers(r.Session) {
		s.labelled("session", answer)
	}
}

// headline returns the name, verdict and size of a cluster, and when it was probed, with the
// zone of all times below.
func (v voice) headline(r checks.Report, c *probes.Cluster) []span {
	t := toneOfVerdict(r.Verdict)
	facts := v.nodeCount(r.Nodes)
	if method := c.Balancer.Method; method != "" && method != probes.MethodUnknown {
		facts += v.Say(", ") + string(method)
	}
	return []span{
		toned(t, CleanName(r.Cluster)),
		{plain, "  "},
		{t, strings.ToUpper(v.Say(string(r.Verdict)))},
		{plain, "  "},
		{dim, facts + v.Say(", ") + roundDuration(r.Duration) + v.Say(", ") + v.moment(r.Started)},
	}
}

func (v voice) nodeCount(nodes []checks.NodeReport) string {
	up := 0
	for _, n := range nodes {
		if n.Up {
			up++
		}
	}
	all := v.Count(len(nodes), "node", "nodes")
	if up == len(nodes) {
		return all
	}
	return v.Say("%d of %s up", up, all)
}

// maxSteadyCanaries bounds how many canaries that stayed on their node are shown.
const maxSteadyCanaries = 8

func (s *Text) canaries(canaries []checks.Canary) {
	width, steady := 0, 0
	through := map[string]bool{}
	for _, c := range canaries {
		width = max(width, lipgloss.Width(s.canaryName(c)))
		through[c.Balancer] = true
	}
	for _, c := range canaries {
		if isSteady(c) {
			if steady++; steady > maxSteadyCanaries {
				continue
			}
		}
		spans := append([]span{{plain, pad(s.canaryName(c), width) + "  "}}, s.traceSpans(c)...)
		if len(through) > 1 {
			spans = append(spans, span{dim, "  " + s.Say("through %s", CleanName(c.Balancer))})
		}
		s.labelled("canary", spans...)
	}
	if steady > maxSteadyCanaries {
		s.labelled("canary", span{dim, s.Say("%d more stayed on their nodes", steady-maxSteadyCanaries)})
	}
}

func (s *Text) doubts(doubts []checks.Message) {
	for _, d := range doubts {
		s.labelled("doubt", toned(doubt, s.message(d)))
	}
}

// total writes the last line for several clusters, and the only one for none.
func (s *Text) total(r Results) {
	if len(r.Clusters) > 0 {
		s.Blank()
	}
	t := toneOfVerdict(r.Verdict())
	s.paragraph("", "  ", toned(t, strings.ToUpper(s.Say(string(r.Verdict())))), span{plain, "  " + s.totals(r)})
}

// totals counts clusters by verdict, the worst first.
func (voice voice) totals(results Results) string {
	by := map[checks.Verdict]int{}
	for _, c := range results.Clusters {
		by[c.Verdict]++
	}
	var parts []string
	for _, v := range slices.Backward(verdictsBySeverity) {
		if by[v] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", by[v], voice.Say(string(v))))
		}
	}
	all := voice.Count(len(results.Clusters), "cluster", "clusters")
	if len(results.Clusters) > 1 {
		all += " (" + strings.Join(parts, voice.Say(", ")) + ")"
	}
	return all + voice.Say(", ") + roundDuration(results.Duration)
}
