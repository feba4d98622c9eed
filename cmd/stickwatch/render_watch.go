package main

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"stickwatch/checks"
	"stickwatch/internal/gate"
	"stickwatch/probes"
)

// A fact is a line about a watch behind its label.
type fact struct {
	label string
	spans []span
}

// watch writes what became of users during a deployment.
func (s *textReport) watch(w gate.Report) {
	s.labelled("watch", watchSpans(w)...)
	s.clientTimelines(w)
	for _, f := range watchFacts(w) {
		s.labelled(f.label, f.spans...)
	}
}

// watchSpans are the watch in one line.
func watchSpans(w gate.Report) []span {
	m := toneOfVerdict(w.Verdict())
	spans := []span{
		toned(m, took(w.To.Sub(w.From))),
		{plain, "  " + count(w.Requests, "request", "requests") + ", "},
		{toneOfCount(w.Failed, warn), fmt.Sprintf("%d failed", w.Failed)},
		{plain, ", "},
		{plain, fmt.Sprintf("%d moved, ", w.Moved)},
		{toneOfCount(w.Lost, bad), fmt.Sprintf("%d lost", w.Lost)},
	}
	if w.Slowest > 0 {
		spans = append(spans, span{dim, "  slowest answer " + formatDuration(w.Slowest)})
	}
	return spans
}

// toneOfCount is m for anything but none.
func toneOfCount(n int, m tone) tone {
	if n == 0 {
		return plain
	}
	return m
}

// watchFacts are everything else, as it matters: what happened, what users saw
// of it, and what that broke.
func watchFacts(w gate.Report) []fact {
	var list []fact
	for _, n := range w.Nodes {
		if spans := nodeSpans(n); len(spans) > 0 {
			list = append(list, fact{"node", spans})
		}
	}
	shown := w.Moves[:min(len(w.Moves), maxShownMoves)]
	for _, m := range shown {
		list = append(list, fact{moveLabel(m), moveSpans(m)})
	}
	if more := w.Moved + w.Lost - len(shown); len(w.Moves) > len(shown) {
		list = append(list, fact{"moved", []span{{dim, fmt.Sprintf("… and %d more moves and losses", more)}}})
	}
	list = append(list, fact{"outage", outageSpans("a session", w.Session)}, fact{"outage", outageSpans("a newcomer", w.NewClient)})
	for _, p := range w.Guarantees {
		list = append(list, fact{"promise", guaranteeSpans(p)})
	}
	for _, d := range w.Doubts {
		list = append(list, fact{"doubt", []span{toned(doubt, cleanSentence(d))}})
	}
	return list
}

// maxShownMoves bounds how many moves people are shown.
const maxShownMoves = 20

// nodeSpans is what a node went through; none for one that was well.
func nodeSpans(n gate.NodeReport) []span {
	var parts []string
	for i, d := range n.Downs {
		if i == 3 {
			parts = append(parts, fmt.Sprintf("and %d more times", len(n.Downs)-i))
			break
		}
		until := "to " + clockTime(d.FirstGood)
		if d.Ongoing {
			until = "to the end"
		}
		parts = append(parts, "did not answer from "+clockTime(d.FirstBad)+" "+until)
	}
	if len(parts) == 0 && !n.Restarted.IsZero() {
		parts = append(parts, "was restarted")
	}
	if n.Before != n.After && n.After != "" {
		parts = append(parts, cell(n.Before)+" → "+cell(n.After))
	}
	if len(parts) == 0 {
		return nil
	}
	return []span{{bold, name(n.Node)}, {plain, "  " + strings.Join(parts, ", ")}}
}

func moveLabel(m gate.Move) string {
	if m.Lost() {
		return "lost"
	}
	return "moved"
}

// moveSpans is a move: when, from where to where, what became of it, and why.
func moveSpans(m gate.Move) []span {
	way := "on " + name(m.From)
	if m.Moved() {
		way = name(m.From) + " → " + name(m.To)
	}
	outcome := toned(good, "kept")
	switch m.SessionOutcome {
	case probes.SessionLost:
		outcome = toned(bad, "lost")
	case probes.SessionStale:
		outcome = toned(bad, "came back older")
	case probes.SessionUnknown:
		outcome = toned(doubt, "kept or not, its answers do not tell")
	}
	why := span{plain, "  " + cleanSentence(m.Reason)}
	if m.Cause == gate.CauseUnexplained {
		why.tone = bad
	}
	return []span{
		{dim, clockTime(m.At) + "  "}, {plain, way + "  "}, outcome, why, {dim, "  " + string(m.Session)},
	}
}

func outageSpans(who string, o gate.Outage) []span {
	if o.IsZero() {
		return []span{toned(good, who+" was always answered")}
	}
	text := fmt.Sprintf("%s: %s between good answers, %s of it surely", who, formatDuration(o.AtMost()), formatDuration(o.AtLeast()))
	if o.Ongoing {
		text = fmt.Sprintf("%s: no good answer for %s, up to the end", who, formatDuration(o.AtMost()))
	}
	details := clockTime(o.FirstBad) + ", " + count(o.Failed, "request", "requests")
	if o.Node != "" {
		details += ", on " + name(o.Node)
	}
	switch {
	case o.Error != "":
		details += ": " + clean(o.Error, maxError)
	case o.Status != 0:
		details += fmt.Sprintf(": HTTP %d", o.Status)
	}
	return []span{toned(warn, text), {dim, "  " + details}}
}

// guaranteeSpans is a promise, and why it is not kept.
func guaranteeSpans(p gate.Guarantee) []span {
	m := toneOf(p.Kept)
	if p.Kept == checks.No {
		m = toneOfSeverity(p.Severity)
	}
	spans := []span{toned(m, p.Name)}
	if len(p.Reasons) == 0 {
		return spans
	}
	text := "  " + cleanSentence(p.Reasons[0])
	if more := len(p.Reasons) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return append(spans, span{dim, text})
}

func clockTime(t time.Time) string { return t.UTC().Format("15:04:05.000") }

// clientTimelines draws every client's way over time: a line each, a column a moment.
func (s *textReport) clientTimelines(w gate.Report) {
	width := 0
	for _, client := range w.Clients {
		width = max(width, lipgloss.Width(clientName(client)))
	}
	columns := max(s.width-2-labelWidth-width-2, narrowest/2)
	k := newTimelineLegend(w)
	for i, client := range w.Clients {
		if i == maxClients {
			s.labelled("lane", span{dim, fmt.Sprintf("… and %d more", len(w.Clients)-i)})
			break
		}
		s.labelled("lane", append([]span{{plain, pad(clientName(client), width) + "  "}}, k.draw(client, w.Span, columns)...)...)
	}
	if len(w.Clients) > 0 {
		s.labelled("", span{dim, k.legend(w.To.Sub(w.From) / time.Duration(columns))})
	}
}

// maxClients bounds how many clients are drawn.
const maxClients = 24

func clientName(s gate.ClientReport) string {
	switch {
	case s.Kind == gate.KindNewClient && s.Node != "":
		return "newcomers to " + cell(s.Node)
	case s.Kind == gate.KindNewClient:
		return "newcomers"
	case s.Node == "":
		return "session"
	default:
		return "session on " + cell(s.Node)
	}
}
