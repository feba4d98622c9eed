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
func (s *sheet) watch(w gate.Report) {
	s.labelled("watch", watchSpans(w)...)
	s.lanes(w)
	for _, f := range watchFacts(w) {
		s.labelled(f.label, f.spans...)
	}
}

// watchSpans are the watch in one line.
func watchSpans(w gate.Report) []span {
	m := markOfVerdict(w.Verdict())
	spans := []span{
		marked(m, took(w.To.Sub(w.From))),
		{plain, "  " + count(w.Requests, "request", "requests") + ", "},
		{markOfCount(w.Failed, warn), fmt.Sprintf("%d failed", w.Failed)},
		{plain, ", "},
		{plain, fmt.Sprintf("%d moved, ", w.Moved)},
		{markOfCount(w.Lost, bad), fmt.Sprintf("%d lost", w.Lost)},
	}
	if w.Slowest > 0 {
		spans = append(spans, span{faint, "  slowest answer " + spell(w.Slowest)})
	}
	return spans
}

// markOfCount is m for anything but none.
func markOfCount(n int, m mark) mark {
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
		if spans := passageSpans(n); len(spans) > 0 {
			list = append(list, fact{"node", spans})
		}
	}
	shown := w.Moves[:min(len(w.Moves), maxShownMoves)]
	for _, m := range shown {
		list = append(list, fact{moveLabel(m), moveSpans(m)})
	}
	if more := w.Moved + w.Lost - len(shown); len(w.Moves) > len(shown) {
		list = append(list, fact{"moved", []span{{faint, fmt.Sprintf("… and %d more moves and losses", more)}}})
	}
	list = append(list, fact{"outage", outageSpans("a session", w.Session)}, fact{"outage", outageSpans("a newcomer", w.Newcomer)})
	for _, p := range w.Promises {
		list = append(list, fact{"promise", promiseSpans(p)})
	}
	for _, d := range w.Doubts {
		list = append(list, fact{"doubt", []span{marked(doubt, prose(d))}})
	}
	return list
}

// maxShownMoves bounds how many moves people are shown.
const maxShownMoves = 20

// passageSpans is what a node went through; none for one that was well.
func passageSpans(n gate.Passage) []span {
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
	return []span{{strong, name(n.Node)}, {plain, "  " + strings.Join(parts, ", ")}}
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
	fate := marked(good, "kept")
	switch m.Fate {
	case probes.FateLost:
		fate = marked(bad, "lost")
	case probes.FateRolledBack:
		fate = marked(bad, "came back older")
	case probes.FateUntold:
		fate = marked(doubt, "kept or not, its answers do not tell")
	}
	why := span{plain, "  " + prose(m.Why)}
	if m.Cause == gate.CauseUnexplained {
		why.mark = bad
	}
	return []span{
		{faint, clockTime(m.At) + "  "}, {plain, way + "  "}, fate, why, {faint, "  " + string(m.Session)},
	}
}

func outageSpans(who string, o gate.Outage) []span {
	if o.IsZero() {
		return []span{marked(good, who+" was always answered")}
	}
	text := fmt.Sprintf("%s: %s between good answers, %s of it surely", who, spell(o.AtMost()), spell(o.AtLeast()))
	if o.Ongoing {
		text = fmt.Sprintf("%s: no good answer for %s, up to the end", who, spell(o.AtMost()))
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
	return []span{marked(warn, text), {faint, "  " + details}}
}

// promiseSpans is a promise, and why it is not kept.
func promiseSpans(p gate.Promise) []span {
	m := markOf(p.Kept)
	if p.Kept == checks.No {
		m = markOfSeverity(p.Severity)
	}
	spans := []span{marked(m, p.Name)}
	if len(p.Reasons) == 0 {
		return spans
	}
	text := "  " + prose(p.Reasons[0])
	if more := len(p.Reasons) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return append(spans, span{faint, text})
}

func clockTime(t time.Time) string { return t.UTC().Format("15:04:05.000") }

// lanes draws every client's way over time: a line each, a column a moment.
func (s *sheet) lanes(w gate.Report) {
	width := 0
	for _, lane := range w.Lanes {
		width = max(width, lipgloss.Width(laneName(lane)))
	}
	columns := max(s.width-2-labelWidth-width-2, narrowest/2)
	k := newKey(w)
	for i, lane := range w.Lanes {
		if i == maxLanes {
			s.labelled("lane", span{faint, fmt.Sprintf("… and %d more", len(w.Lanes)-i)})
			break
		}
		s.labelled("lane", append([]span{{plain, pad(laneName(lane), width) + "  "}}, k.draw(lane, w.Span, columns)...)...)
	}
	if len(w.Lanes) > 0 {
		s.labelled("", span{faint, k.legend(w.To.Sub(w.From) / time.Duration(columns))})
	}
}

// maxLanes bounds how many clients are drawn.
const maxLanes = 24

func laneName(s gate.Story) string {
	switch {
	case s.Kind == gate.KindNewcomer && s.Node != "":
		return "newcomers to " + cell(s.Node)
	case s.Kind == gate.KindNewcomer:
		return "newcomers"
	case s.Node == "":
		return "session"
	default:
		return "session on " + cell(s.Node)
	}
}
