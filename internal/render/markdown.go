package render

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"stickwatch/checks"
	"stickwatch/internal/gate"
	"stickwatch/internal/wire"
	"stickwatch/probes"
)

// A page collects Markdown for a comment on a pull request or the summary of a CI job,
// in the dialect that GitHub and GitLab share.
type page struct {
	strings.Builder
	formatter
}

// renderMarkdown writes results as Markdown.
func renderMarkdown(w io.Writer, r Results, opts Options) error {
	p := page{formatter: opts.voice()}
	if a, watched := r.summary(); watched {
		p.block("**%s %s**", emoji(p.answerSpan(a).tone), escape(p.answerText(a)))
	}
	p.block("## %s stickwatch: %s", emoji(toneOfVerdict(r.Verdict())), p.Translate(string(r.Verdict())))
	p.block("%s, %s", p.totals(r), p.moment(r.Started))
	for _, report := range r.Clusters {
		p.cluster(report, opts.cluster(report.Cluster))
		if w, watched := r.Watches[report.Cluster]; watched {
			p.watch(w)
		}
	}
	_, err := io.WriteString(w, strings.TrimRight(p.String(), "\n")+"\n")
	return err
}

// block writes a paragraph.
func (p *page) block(format string, args ...any) { fmt.Fprintf(p, format+"\n\n", args...) }

// item writes an item of a list at a level of nesting.
func (p *page) item(level int, format string, args ...any) {
	fmt.Fprintf(p, strings.Repeat("  ", level)+"- "+format+"\n", args...)
}

func (p *page) cluster(report checks.Report, c *probes.Cluster) {
	p.block("### %s %s: %s", emoji(toneOfVerdict(report.Verdict)), escape(CleanName(report.Cluster)), p.Translate(string(report.Verdict)))
	if len(report.Nodes) > 0 {
		p.matrix(p.nodeMatrix(report, c))
	}
	for _, b := range report.Balancers {
		line := p.balancerLine(b, c)
		p.item(0, "%s %s%s", p.Translate("balancer"), code(line[0].text), escape(join(line[1:])))
	}
	for _, line := range p.dependencyLines(report.Dependencies) {
		p.item(0, "%s %s", p.Translate("dependency"), escape(join(line)))
	}
	for _, canary := range report.Session.Canaries {
		if !isSteady(canary) {
			p.item(0, "%s %s: %s", p.Translate("canary"), escape(p.canaryName(canary)), escape(join(p.traceSpans(canary))))
		}
	}
	for _, answer := range p.sessionAnswers(report.Session) {
		p.item(0, "%s %s", p.Translate("session"), escape(answer.text))
	}
	for _, d := range report.Doubts {
		p.item(0, "%s %s %s", p.Translate("doubt"), emoji(doubt), escape(p.message(d)))
	}
	p.WriteString("\n")
	if len(report.Findings) > 0 {
		p.block("#### %s", p.Translate("Findings"))
		for _, b := range tree(report.Findings) {
			p.findingNode(b, 0)
		}
		p.WriteString("\n")
	}
}

func (p *page) matrix(rows [][]span) {
	for i, row := range rows {
		for _, c := range row {
			text := escape(c.text)
			if i == 0 {
				text = escape(capitalized(c.text))
			}
			p.WriteString("| " + text + " ")
		}
		p.WriteString("|\n")
		if i == 0 {
			p.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
	p.WriteString("\n")
}

// capitalized is for headers of tables: capital letters, or Chinese.
func capitalized(s string) string {
	_, first := utf8.DecodeRuneInString(s)
	return s[:first] + strings.ToLower(s[first:])
}

// findingNode writes a finding, and one level deeper the findings that it explains.
func (p *page) findingNode(finding findingNode, level int) {
	p.item(level, "%s **%s** `%s` %s",
		emoji(toneOfSeverity(finding.Severity)), p.Translate(string(finding.Severity)), finding.Code, escape(p.summary(finding.Finding)))
	if words := p.affects(finding.Affected); words != "" {
		p.item(level+1, "%s", escape(words))
	}
	lines, more := p.evidence(finding.Finding, maxEvidence)
	for _, line := range lines {
		p.item(level+1, "%s", code(line))
	}
	if more > 0 {
		p.item(level+1, "%s", p.Translate("… %d more", more))
	}
	if remedy := p.message(finding.Remedy); remedy != "" && level == 0 {
		p.item(level+1, "**%s** %s", p.Translate("Remedy:"), escape(remedy))
	}
	if len(finding.explains) > 0 {
		p.item(level+1, "%s", p.Translate("explains"))
	}
	for _, e := range finding.explains {
		p.findingNode(e, level+2)
	}
}

func emoji(m tone) string {
	switch m {
	case good:
		return "✅"
	case bad:
		return "❌"
	case warn:
		return "⚠️"
	case note:
		return "ℹ️"
	default:
		return "❔"
	}
}

// escape returns clean text as Markdown that shows it literally.
func escape(s string) string { return wire.MarkdownText(s) }

// code returns clean text as a code span.
func code(s string) string { return wire.MarkdownCode(s) }

// markdownColumns is the width of timelines in a comment. A phone shows it without
// scrolling.
const markdownColumns = 60

// watch writes the watch of a deployment.
func (p *page) watch(report gate.Report) {
	p.block("#### %s %s: %s", emoji(toneOfVerdict(report.Verdict())), p.Translate("Deployment"), escape(strings.TrimSpace(join(p.watchSpans(report)[1:]))))
	for _, guarantee := range report.Guarantees {
		spans := p.guaranteeSpans(guarantee)
		m := spans[0].tone
		line := escape(p.phrase(guarantee.Name))
		if len(spans) > 1 {
			line += ": " + escape(strings.TrimSpace(spans[1].text))
		}
		p.item(0, "%s %s", emoji(m), line)
	}
	for _, f := range p.watchFacts(report) {
		if f.label != "guarantee" {
			p.item(0, "%s: %s", p.Translate(f.label), escape(join(f.spans)))
		}
	}
	p.WriteString("\n")
	p.clientTimelines(report)
}

// clientTimelines writes the timelines in a block of preformatted text.
func (p *page) clientTimelines(w gate.Report) {
	if len(w.Clients) == 0 {
		return
	}
	legend := newTimelineLegend(w)
	p.WriteString("```text\n")
	for i, client := range w.Clients {
		if i == maxClients {
			break
		}
		p.WriteString(strings.ReplaceAll(pad(p.clientName(client), maxWord)+"  "+join(legend.draw(client, w.Span, markdownColumns)), "`", "'") + "\n")
	}
	p.WriteString(strings.ReplaceAll(legend.text(w.To.Sub(w.From)/time.Duration(markdownColumns), p.formatter), "`", "'") + "\n```\n\n")
}
