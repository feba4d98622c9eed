package main

import (
	"strings"
	"time"

	"stickwatch/internal/gate"
)

// markdownColumns is how wide lanes are in a comment: as much as a phone shows
// without scrolling.
const markdownColumns = 60

// watch writes what became of users during a deployment.
func (p *page) watch(w gate.Report) {
	p.block("#### %s Deployment: %s", emoji(toneOfVerdict(w.Verdict())), escape(strings.TrimSpace(join(watchSpans(w)[1:]))))
	for _, guarantee := range w.Guarantees {
		spans := guaranteeSpans(guarantee)
		m := spans[0].tone
		line := escape(guarantee.Name)
		if len(spans) > 1 {
			line += ": " + escape(strings.TrimSpace(spans[1].text))
		}
		p.item(0, "%s %s", emoji(m), line)
	}
	for _, f := range watchFacts(w) {
		if f.label != "promise" {
			p.item(0, "%s: %s", f.label, escape(join(f.spans)))
		}
	}
	p.WriteString("\n")
	p.clientTimelines(w)
}

// clientTimelines are drawn as text of equal width.
func (p *page) clientTimelines(w gate.Report) {
	if len(w.Clients) == 0 {
		return
	}
	k := newTimelineLegend(w)
	p.WriteString("```text\n")
	for i, client := range w.Clients {
		if i == maxClients {
			break
		}
		p.WriteString(strings.ReplaceAll(pad(clientName(client), maxCell)+"  "+join(k.draw(client, w.Span, markdownColumns)), "`", "'") + "\n")
	}
	p.WriteString(strings.ReplaceAll(k.legend(w.To.Sub(w.From)/time.Duration(markdownColumns)), "`", "'") + "\n```\n\n")
}
