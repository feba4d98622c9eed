package render

import (
	"strings"

	"stickwatch/checks"
	"stickwatch/internal/gate"
	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// A fact is a labelled line about a watch.
type fact struct {
	label string
	spans []span
}

// watch writes the watch of a deployment.
func (t *Text) watch(w gate.Report) {
	t.labelled("watch", t.watchSpans(w)...)
	t.clientTimelines(w)
	for _, f := range t.watchFacts(w) {
		t.labelled(f.label, f.spans...)
	}
}

// watchSpans returns the totals of a watch.
func (v formatter) watchSpans(w gate.Report) []span {
	t := toneOfVerdict(w.Verdict())
	spans := []span{
		toned(t, roundDuration(w.To.Sub(w.From))),
		{plain, "  " + v.Count(w.Requests, "request", "requests") + v.Say(", ")},
		{toneOfCount(w.Failed, warn), v.Say("%d failed", w.Failed)},
		{plain, v.Say(", ") + v.Say("%d moved", w.Moved) + v.Say(", ")},
		{toneOfCount(w.Lost, bad), v.Say("%d lost", w.Lost)},
	}
	if w.Slowest > 0 {
		spans = append(spans, span{dim, "  " + v.Say("slowest answer %s", length(w.Slowest))})
	}
	return spans
}

// toneOfCount returns t for any count but 0.
func toneOfCount(n int, t tone) tone {
	if n == 0 {
		return plain
	}
	return t
}

// watchFacts returns the events of a watch, then the outages that clients met, then
// the guarantees.
func (v formatter) watchFacts(report gate.Report) []fact {
	var list []fact
	for _, n := range report.Nodes {
		if spans := v.nodeSpans(n); len(spans) > 0 {
			list = append(list, fact{"node", spans})
		}
	}
	shown := report.Moves[:min(len(report.Moves), maxShownMoves)]
	for _, m := range shown {
		list = append(list, fact{moveLabel(m), v.moveSpans(m)})
	}
	if more := report.Moved + report.Lost - len(shown); len(report.Moves) > len(shown) {
		list = append(list, fact{"moved", []span{{dim, v.Say("… and %d more moves and losses", more)}}})
	}
	list = append(list, fact{"outage", v.outageSpans(v.Say("sessions"), report.Session)}, fact{"outage", v.outageSpans(v.Say("new clients"), report.NewClient)})
	for _, g := range report.Guarantees {
		list = append(list, fact{"guarantee", v.guaranteeSpans(g)})
	}
	for _, d := range report.Doubts {
		list = append(list, fact{"doubt", []span{toned(doubt, v.phrase(d))}})
	}
	return list
}

// maxShownMoves bounds how many moves are shown.
const maxShownMoves = 20

// nodeSpans returns the interruptions of a node and its change of version; none if
// there was neither.
func (v formatter) nodeSpans(node gate.NodeReport) []span {
	var parts []string
	for i, d := range node.Downs {
		if i == 3 {
			parts = append(parts, v.Say("and %d more times", len(node.Downs)-i))
			break
		}
		if d.Ongoing {
			parts = append(parts, v.Say("did not answer from %s until the end of the watch", d.FirstBad))
		} else {
			parts = append(parts, v.Say("did not answer from %s to %s", d.FirstBad, d.FirstGood))
		}
	}
	if len(parts) == 0 && !node.Restarted.IsZero() {
		parts = append(parts, v.Say("was restarted"))
	}
	if node.Before != node.After && node.After != "" {
		parts = append(parts, cleanWord(node.Before)+" → "+cleanWord(node.After))
	}
	if len(parts) == 0 {
		return nil
	}
	return []span{{bold, CleanName(node.Node)}, {plain, "  " + strings.Join(parts, v.Say(", "))}}
}

func moveLabel(m gate.Move) string {
	if m.Lost() {
		return "lost"
	}
	return "moved"
}

// moveSpans returns the time of a move, its nodes, the outcome and the cause.
func (v formatter) moveSpans(move gate.Move) []span {
	nodes := v.Say("on %s", CleanName(move.From))
	if move.Moved() {
		nodes = CleanName(move.From) + " → " + CleanName(move.To)
	}
	outcome := toned(good, v.Say("kept"))
	switch move.SessionOutcome {
	case probes.SessionLost:
		outcome = toned(bad, v.Say("lost"))
	case probes.SessionStale:
		outcome = toned(bad, v.Say("rolled back"))
	case probes.SessionUnknown:
		outcome = toned(doubt, v.Say("outcome unknown"))
	}
	reason := span{plain, "  " + v.phrase(move.Reason)}
	if move.Cause == gate.CauseUnexplained {
		reason.tone = bad
	}
	return []span{
		{dim, v.Say("%s", move.At) + "  "}, {plain, nodes + "  "}, outcome, reason, {dim, "  " + string(move.Session)},
	}
}

func (v formatter) outageSpans(clients string, outage gate.Outage) []span {
	if outage.IsZero() {
		return []span{toned(good, v.Say("%s: no outage", clients))}
	}
	text := v.Say("%s: outage of %s to %s", clients, length(outage.AtLeast()), length(outage.AtMost()))
	if outage.Ongoing {
		text = v.Say("%s: outage ongoing, %s until the end of the watch", clients, length(outage.AtMost()))
	}
	details := v.Say("%s", outage.FirstBad) + v.Say(", ") + v.Count(outage.Failed, "request", "requests")
	if outage.Node != "" {
		details += v.Say(", ") + v.Say("on %s", CleanName(outage.Node))
	}
	switch {
	case outage.Error != "":
		details = v.Say("%s: %s", details, v.reason(outage.Error))
	case outage.Status != 0:
		details = v.Say("%s: HTTP %d", details, outage.Status)
	}
	return []span{toned(warn, text), {dim, "  " + details}}
}

// guaranteeSpans returns a guarantee, and why it was not kept.
func (v formatter) guaranteeSpans(g gate.Guarantee) []span {
	t := toneOf(g.Kept)
	if g.Kept == checks.No {
		t = toneOfSeverity(g.Severity)
	}
	spans := []span{toned(t, v.phrase(g.Name))}
	if len(g.Reasons) == 0 {
		return spans
	}
	text := "  " + v.phrase(g.Reasons[0])
	if more := len(g.Reasons) - 1; more > 0 {
		text += " " + v.Say("(and %d more)", more)
	}
	return append(spans, span{dim, text})
}

// answerText returns a summary as one line: "6 sessions lost, 12 moved; longest outage
// 3.4 s".
func (v formatter) answerText(a gate.Summary) string {
	text := v.Say("%s lost, %d moved", v.Count(a.Lost, "session", "sessions"), a.Moved)
	if a.Sessions == 0 {
		text = v.Say("no session was watched")
	}
	if a.LongestOutage > 0 {
		text = v.Say("%s; longest outage %s", text, length(a.LongestOutage))
	} else {
		text = v.Say("%s; no outage", text)
	}
	if a.Incomplete {
		text = v.Say("%s; incomplete (see the doubts)", text)
	}
	return text
}

// answerSpan returns answerText with its tone.
func (v formatter) answerSpan(a gate.Summary) span {
	t := good
	switch {
	case a.Lost > 0:
		t = bad
	case a.Sessions == 0 || a.Incomplete:
		t = doubt
	case a.LongestOutage > 0:
		t = warn
	}
	return toned(t, v.answerText(a))
}

// WatchSummary returns the sessions and nodes that a watch has begun to watch.
func WatchSummary(r gate.Report, reader phrase.Reader) string {
	on := make(map[string]bool)
	var nodes []string
	sessions := 0
	for _, s := range r.Clients {
		if s.Kind != gate.KindSession {
			continue
		}
		sessions++
		if s.Node != "" && !on[s.Node] {
			on[s.Node] = true
			nodes = append(nodes, s.Node)
		}
	}
	cluster, held := CleanName(r.Cluster), reader.Count(sessions, "session", "sessions")
	switch {
	case sessions == 0:
		return reader.Say("watching %s: new clients, and no sessions", cluster)
	case len(nodes) == 0:
		return reader.Say("watching %s: %s and new clients", cluster, held)
	default:
		return reader.Say("watching %s: %s on %s, and new clients", cluster, held, CleanNames(nodes))
	}
}

// WatchCounts returns the totals of a watch.
func WatchCounts(r gate.Report, reader phrase.Reader) string {
	return reader.Say("%s, %d failed, %s moved, %d lost",
		reader.Count(r.Requests, "request", "requests"), r.Failed, reader.Count(r.Moved, "session", "sessions"), r.Lost)
}

// A Progress turns successive reports of a watch into lines of a log. The zero value is
// ready for use.
type Progress struct {
	Reader phrase.Reader

	moves  int
	outage bool // its beginning was returned
}

// Update returns the moves, losses and outages since the previous report.
func (p *Progress) Update(r gate.Report) []string {
	var list []string
	for ; p.moves < len(r.Moves); p.moves++ {
		list = append(list, r.Moves[p.moves].Describe().In(p.Reader))
	}
	o := r.Session
	if r.NewClient.Ongoing && !o.Ongoing {
		o = r.NewClient
	}
	switch {
	case o.Ongoing && !p.outage:
		list = append(list, o.Describe().In(p.Reader))
	case !o.Ongoing && p.outage:
		list = append(list, p.Reader.Say("%s answers again: %s", CleanName(r.Cluster), WatchCounts(r, p.Reader)))
	}
	p.outage = o.Ongoing
	return list
}
