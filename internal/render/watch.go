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
func (f formatter) watchSpans(w gate.Report) []span {
	t := toneOfVerdict(w.Verdict())
	spans := []span{
		toned(t, roundDuration(w.To.Sub(w.From))),
		{plain, "  " + f.Count(w.Requests, "request", "requests") + f.Translate(", ")},
		{toneOfCount(w.Failed, warn), f.Translate("%d failed", w.Failed)},
		{plain, f.Translate(", ") + f.Translate("%d moved", w.Moved) + f.Translate(", ")},
		{toneOfCount(w.Lost, bad), f.Translate("%d lost", w.Lost)},
	}
	if w.Slowest > 0 {
		spans = append(spans, span{dim, "  " + f.Translate("slowest answer %s", durationPhrase(w.Slowest))})
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
func (f formatter) watchFacts(report gate.Report) []fact {
	var list []fact
	for _, n := range report.Nodes {
		if spans := f.nodeSpans(n); len(spans) > 0 {
			list = append(list, fact{"node", spans})
		}
	}
	shown := report.Moves[:min(len(report.Moves), maxShownMoves)]
	for _, m := range shown {
		list = append(list, fact{moveLabel(m), f.moveSpans(m)})
	}
	if more := report.Moved + report.Lost - len(shown); len(report.Moves) > len(shown) {
		list = append(list, fact{"moved", []span{{dim, f.Translate("… and %d more moves and losses", more)}}})
	}
	list = append(list, fact{"outage", f.outageSpans(f.Translate("sessions"), report.Session)}, fact{"outage", f.outageSpans(f.Translate("new clients"), report.NewClient)})
	for _, g := range report.Guarantees {
		list = append(list, fact{"guarantee", f.guaranteeSpans(g)})
	}
	for _, d := range report.Doubts {
		list = append(list, fact{"doubt", []span{toned(doubt, f.phrase(d))}})
	}
	return list
}

// maxShownMoves bounds how many moves are shown.
const maxShownMoves = 20

// nodeSpans returns the interruptions of a node and its change of version; none if
// there was neither.
func (f formatter) nodeSpans(node gate.NodeReport) []span {
	var parts []string
	for i, d := range node.Downs {
		if i == 3 {
			parts = append(parts, f.Translate("and %d more times", len(node.Downs)-i))
			break
		}
		if d.Ongoing {
			parts = append(parts, f.Translate("did not answer from %s until the end of the watch", d.FirstBad))
		} else {
			parts = append(parts, f.Translate("did not answer from %s to %s", d.FirstBad, d.FirstGood))
		}
	}
	if len(parts) == 0 && !node.Restarted.IsZero() {
		parts = append(parts, f.Translate("was restarted"))
	}
	if node.Before != node.After && node.After != "" {
		parts = append(parts, cleanWord(node.Before)+" → "+cleanWord(node.After))
	}
	if len(parts) == 0 {
		return nil
	}
	return []span{{bold, CleanName(node.Node)}, {plain, "  " + strings.Join(parts, f.Translate(", "))}}
}

func moveLabel(m gate.Move) string {
	if m.Lost() {
		return "lost"
	}
	return "moved"
}

// moveSpans returns the time of a move, its nodes, the outcome and the cause.
func (f formatter) moveSpans(move gate.Move) []span {
	nodes := f.Translate("on %s", CleanName(move.From))
	if move.Moved() {
		nodes = CleanName(move.From) + " → " + CleanName(move.To)
	}
	outcome := toned(good, f.Translate("kept"))
	switch move.SessionOutcome {
	case probes.SessionLost:
		outcome = toned(bad, f.Translate("lost"))
	case probes.SessionStale:
		outcome = toned(bad, f.Translate("rolled back"))
	case probes.SessionUnknown:
		outcome = toned(doubt, f.Translate("outcome unknown"))
	}
	reason := span{plain, "  " + f.phrase(move.Reason)}
	if move.Cause == gate.CauseUnexplained {
		reason.tone = bad
	}
	return []span{
		{dim, f.Translate("%s", move.At) + "  "}, {plain, nodes + "  "}, outcome, reason, {dim, "  " + string(move.Session)},
	}
}

func (f formatter) outageSpans(clients string, outage gate.Outage) []span {
	if outage.IsZero() {
		return []span{toned(good, f.Translate("%s: no outage", clients))}
	}
	text := f.Translate("%s: outage of %s to %s", clients, durationPhrase(outage.AtLeast()), durationPhrase(outage.AtMost()))
	if outage.Ongoing {
		text = f.Translate("%s: outage ongoing, %s until the end of the watch", clients, durationPhrase(outage.AtMost()))
	}
	details := f.Translate("%s", outage.FirstBad) + f.Translate(", ") + f.Count(outage.Failed, "request", "requests")
	if outage.Node != "" {
		details += f.Translate(", ") + f.Translate("on %s", CleanName(outage.Node))
	}
	switch {
	case outage.Error != "":
		details = f.Translate("%s: %s", details, f.reason(outage.Error))
	case outage.Status != 0:
		details = f.Translate("%s: HTTP %d", details, outage.Status)
	}
	return []span{toned(warn, text), {dim, "  " + details}}
}

// guaranteeSpans returns a guarantee, and why it was not kept.
func (f formatter) guaranteeSpans(g gate.Guarantee) []span {
	t := toneOf(g.Kept)
	if g.Kept == checks.No {
		t = toneOfSeverity(g.Severity)
	}
	spans := []span{toned(t, f.phrase(g.Name))}
	if len(g.Reasons) == 0 {
		return spans
	}
	text := "  " + f.phrase(g.Reasons[0])
	if more := len(g.Reasons) - 1; more > 0 {
		text += " " + f.Translate("(and %d more)", more)
	}
	return append(spans, span{dim, text})
}

// answerText returns a summary as one line: "6 sessions lost, 12 moved; longest outage
// 3.4 s".
func (f formatter) answerText(a gate.Summary) string {
	text := f.Translate("%s lost, %d moved", f.Count(a.Lost, "session", "sessions"), a.Moved)
	if a.Sessions == 0 {
		text = f.Translate("no session was watched")
	}
	if a.LongestOutage > 0 {
		text = f.Translate("%s; longest outage %s", text, durationPhrase(a.LongestOutage))
	} else {
		text = f.Translate("%s; no outage", text)
	}
	if a.Incomplete {
		text = f.Translate("%s; incomplete (see the doubts)", text)
	}
	return text
}

// answerSpan returns answerText with its tone.
func (f formatter) answerSpan(a gate.Summary) span {
	t := good
	switch {
	case a.Lost > 0:
		t = bad
	case a.Sessions == 0 || a.Incomplete:
		t = doubt
	case a.LongestOutage > 0:
		t = warn
	}
	return toned(t, f.answerText(a))
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
		return reader.Translate("watching %s: new clients, and no sessions", cluster)
	case len(nodes) == 0:
		return reader.Translate("watching %s: %s and new clients", cluster, held)
	default:
		return reader.Translate("watching %s: %s on %s, and new clients", cluster, held, CleanNames(nodes))
	}
}

// WatchCounts returns the totals of a watch.
func WatchCounts(r gate.Report, reader phrase.Reader) string {
	return reader.Translate("%s, %d failed, %s moved, %d lost",
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
		list = append(list, p.Reader.Translate("%s answers again: %s", CleanName(r.Cluster), WatchCounts(r, p.Reader)))
	}
	p.outage = o.Ongoing
	return list
}
