package render

import (
	"fmt"
	"strings"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/gate"
	"stickwatch/probes"
)

// A fact is a labelled line about a watch.
type fact struct {
	label string
	spans []span
}

// watch writes the watch of a deployment.
func (s *Text) watch(w gate.Report) {
	s.labelled("watch", watchSpans(w)...)
	s.clientTimelines(w)
	for _, f := range watchFacts(w) {
		s.labelled(f.label, f.spans...)
	}
}

// watchSpans returns the totals of a watch.
func watchSpans(w gate.Report) []span {
	t := toneOfVerdict(w.Verdict())
	spans := []span{
		toned(t, roundDuration(w.To.Sub(w.From))),
		{plain, "  " + Count(w.Requests, "request", "requests") + ", "},
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

// toneOfCount returns t for any count but 0.
func toneOfCount(n int, t tone) tone {
	if n == 0 {
		return plain
	}
	return t
}

// watchFacts returns the events of a watch, then the outages that clients met, then
// the guarantees.
func watchFacts(report gate.Report) []fact {
	var list []fact
	for _, n := range report.Nodes {
		if spans := nodeSpans(n); len(spans) > 0 {
			list = append(list, fact{"node", spans})
		}
	}
	shown := report.Moves[:min(len(report.Moves), maxShownMoves)]
	for _, m := range shown {
		list = append(list, fact{moveLabel(m), moveSpans(m)})
	}
	if more := report.Moved + report.Lost - len(shown); len(report.Moves) > len(shown) {
		list = append(list, fact{"moved", []span{{dim, fmt.Sprintf("… and %d more moves and losses", more)}}})
	}
	list = append(list, fact{"outage", outageSpans("sessions", report.Session)}, fact{"outage", outageSpans("new clients", report.NewClient)})
	for _, g := range report.Guarantees {
		list = append(list, fact{"guarantee", guaranteeSpans(g)})
	}
	for _, d := range report.Doubts {
		list = append(list, fact{"doubt", []span{toned(doubt, CleanSentence(d))}})
	}
	return list
}

// maxShownMoves bounds how many moves are shown.
const maxShownMoves = 20

// nodeSpans returns the interruptions of a node and its change of version; none if
// there was neither.
func nodeSpans(node gate.NodeReport) []span {
	var parts []string
	for i, d := range node.Downs {
		if i == 3 {
			parts = append(parts, fmt.Sprintf("and %d more times", len(node.Downs)-i))
			break
		}
		until := "to " + clockTime(d.FirstGood)
		if d.Ongoing {
			until = "until the end of the watch"
		}
		parts = append(parts, "did not answer from "+clockTime(d.FirstBad)+" "+until)
	}
	if len(parts) == 0 && !node.Restarted.IsZero() {
		parts = append(parts, "was restarted")
	}
	if node.Before != node.After && node.After != "" {
		parts = append(parts, cleanWord(node.Before)+" → "+cleanWord(node.After))
	}
	if len(parts) == 0 {
		return nil
	}
	return []span{{bold, CleanName(node.Node)}, {plain, "  " + strings.Join(parts, ", ")}}
}

func moveLabel(m gate.Move) string {
	if m.Lost() {
		return "lost"
	}
	return "moved"
}

// moveSpans returns the time of a move, its nodes, the outcome and the cause.
func moveSpans(move gate.Move) []span {
	nodes := "on " + CleanName(move.From)
	if move.Moved() {
		nodes = CleanName(move.From) + " → " + CleanName(move.To)
	}
	outcome := toned(good, "kept")
	switch move.SessionOutcome {
	case probes.SessionLost:
		outcome = toned(bad, "lost")
	case probes.SessionStale:
		outcome = toned(bad, "rolled back")
	case probes.SessionUnknown:
		outcome = toned(doubt, "outcome unknown")
	}
	reason := span{plain, "  " + CleanSentence(move.Reason)}
	if move.Cause == gate.CauseUnexplained {
		reason.tone = bad
	}
	return []span{
		{dim, clockTime(move.At) + "  "}, {plain, nodes + "  "}, outcome, reason, {dim, "  " + string(move.Session)},
	}
}

func outageSpans(clients string, outage gate.Outage) []span {
	if outage.IsZero() {
		return []span{toned(good, clients+": no outage")}
	}
	text := fmt.Sprintf("%s: outage of %s to %s", clients, formatDuration(outage.AtLeast()), formatDuration(outage.AtMost()))
	if outage.Ongoing {
		text = fmt.Sprintf("%s: outage ongoing, %s until the end of the watch", clients, formatDuration(outage.AtMost()))
	}
	details := clockTime(outage.FirstBad) + ", " + Count(outage.Failed, "request", "requests")
	if outage.Node != "" {
		details += ", on " + CleanName(outage.Node)
	}
	switch {
	case outage.Error != "":
		details += ": " + Clean(outage.Error, maxError)
	case outage.Status != 0:
		details += fmt.Sprintf(": HTTP %d", outage.Status)
	}
	return []span{toned(warn, text), {dim, "  " + details}}
}

// guaranteeSpans returns a guarantee, and why it was not kept.
func guaranteeSpans(g gate.Guarantee) []span {
	t := toneOf(g.Kept)
	if g.Kept == checks.No {
		t = toneOfSeverity(g.Severity)
	}
	spans := []span{toned(t, g.Name)}
	if len(g.Reasons) == 0 {
		return spans
	}
	text := "  " + CleanSentence(g.Reasons[0])
	if more := len(g.Reasons) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return append(spans, span{dim, text})
}

func clockTime(t time.Time) string { return t.UTC().Format("15:04:05.000") }

// answerText returns a summary as one line: "6 sessions lost, 12 moved; longest outage
// 3.4 s".
func answerText(a gate.Summary) string {
	text := fmt.Sprintf("%s lost, %d moved", Count(a.Lost, "session", "sessions"), a.Moved)
	if a.Sessions == 0 {
		text = "no session was watched"
	}
	if a.LongestOutage > 0 {
		text += "; longest outage " + formatDuration(a.LongestOutage)
	} else {
		text += "; no outage"
	}
	if a.Incomplete {
		text += "; incomplete (see the doubts)"
	}
	return text
}

// answerSpan returns answerText with its tone.
func answerSpan(a gate.Summary) span {
	t := good
	switch {
	case a.Lost > 0:
		t = bad
	case a.Sessions == 0 || a.Incomplete:
		t = doubt
	case a.LongestOutage > 0:
		t = warn
	}
	return toned(t, answerText(a))
}

// WatchSummary returns the sessions and nodes that a watch has begun to watch.
func WatchSummary(r gate.Report) string {
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
	text := "watching " + CleanName(r.Cluster) + ": "
	switch {
	case sessions == 0:
		return text + "new clients, and no sessions"
	case len(nodes) == 0:
		return text + Count(sessions, "session", "sessions") + " and new clients"
	default:
		return text + Count(sessions, "session", "sessions") + " on " + CleanNames(nodes) + ", and new clients"
	}
}

// WatchCounts returns the totals of a watch.
func WatchCounts(r gate.Report) string {
	return fmt.Sprintf("%s, %d failed, %s moved, %d lost",
		Count(r.Requests, "request", "requests"), r.Failed, Count(r.Moved, "session", "sessions"), r.Lost)
}

// A Progress turns successive reports of a watch into lines of a log. The zero value is
// ready for use.
type Progress struct {
	moves  int
	outage bool // its beginning was returned
}

// Update returns the moves, losses and outages since the previous report.
func (p *Progress) Update(r gate.Report) []string {
	var list []string
	for ; p.moves < len(r.Moves); p.moves++ {
		list = append(list, r.Moves[p.moves].Describe())
	}
	o := r.Session
	if r.NewClient.Ongoing && !o.Ongoing {
		o = r.NewClient
	}
	switch {
	case o.Ongoing && !p.outage:
		list = append(list, o.String())
	case !o.Ongoing && p.outage:
		list = append(list, CleanName(r.Cluster)+" answers again: "+WatchCounts(r))
	}
	p.outage = o.Ongoing
	return list
}
