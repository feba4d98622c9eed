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
	p.block("#### %s Deployment: %s", emoji(markOfVerdict(w.Verdict())), escape(strings.TrimSpace(join(watchSpans(w)[1:]))))
	for _, promise := range w.Promises {
		spans := promiseSpans(promise)
		m := spans[0].mark
		line := escape(promise.Name)
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
	p.lanes(w)
}

// lanes are drawn as text of equal width.
func (p *page) lanes(w gate.Report) {
	if len(w.Lanes) == 0 {
		return
	}
	k := newKey(w)
	p.WriteString("```text\n")
	for i, lane := range w.Lanes {
		if i == maxLanes {
			break
		}
		p.WriteString(strings.ReplaceAll(pad(laneName(lane), maxCell)+"  "+join(k.draw(lane, w.Span, markdownColumns)), "`", "'") + "\n")
	}
	p.WriteString(strings.ReplaceAll(k.legend(w.To.Sub(w.From)/time.Duration(markdownColumns)), "`", "'") + "\n```\n\n")
}
