package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// maxListed bounds the incidents, moves and deployments that a table lists.
const maxListed = 20

// clusterHistory writes what was of a cluster.
func (s *textReport) clusterHistory(p clusterHistory, days calendar) {
	s.paragraph("", "  ", span{bold, name(p.cluster)},
		span{plain, fmt.Sprintf("  %s to %s", days.minute(p.span.From), days.minute(p.span.To))},
		span{dim, days.now.Format(" MST")})
	s.uptimes(p.uptimes)
	s.incidents(p.incidents, days)
	s.moves(p.moves, days)
	s.deployments(p.deployments, days)
}

// heading begins a part of a past.
func (s *textReport) heading(title string, spans ...span) {
	s.blank()
	s.paragraph("", "  ", append([]span{{bold, title}}, spans...)...)
}

func (s *textReport) uptimes(uptimes []checks.Uptime) {
	if len(uptimes) == 0 {
		s.heading("Uptime", span{plain, "  nothing was probed"})
		return
	}
	s.heading("Uptime")
	rows := make([][]span, len(uptimes))
	for i, u := range uptimes {
		m := good
		if u.Failed > 0 {
			m = warn
		}
		// One cell: on a narrow terminal the first stands before what is folded.
		rows[i] = []span{{plain, pad(string(u.Kind), labelWidth) + targetName(u.Target)}, toned(m, percent(u)), {dim, failures(u)}}
	}
	s.matrix(rows)
	if checks.SessionsUnrecorded(uptimes) {
		s.paragraph("  ", "    ", span{plain, pad(string(checks.TargetSession), labelWidth) + "no data"},
			span{dim, "  the uptime of sessions is recorded from this version of stickwatch on, where sessions are followed"})
	}
}

// targetName is a target's name; sessions may have no known owner.
func targetName(of checks.Target) string {
	if of.Kind == checks.TargetSession && of.Name == "" {
		return "(owner unknown)"
	}
	return name(of.Name)
}

// failures says how many probes there were, and what became of them. A session's
// probes are what its client asked for.
func failures(u checks.Uptime) string {
	detail, failed := count(u.Probes, "probe", "probes"), "failed"
	if u.Kind == checks.TargetSession {
		detail, failed = count(u.Probes, "request", "requests"), "failed or lost their session"
	}
	if u.Failed == 0 {
		return detail
	}
	detail = fmt.Sprintf("%d of %s %s", u.Failed, detail, failed)
	if u.Longest > 0 {
		detail += ", for " + formatDuration(u.Longest) + " at the longest"
	}
	return detail
}

// percent is how much of the probes were answered well. It is 100 only if all
// were.
func percent(u checks.Uptime) string {
	share := math.Floor(u.Ratio*100_000) / 1000
	if u.Failed > 0 {
		share = min(share, 99.999)
	}
	return strconv.FormatFloat(share, 'f', -1, 64) + " %"
}

func (s *textReport) incidents(incidents []alerting.Incident, days calendar) {
	open := 0
	for _, i := range incidents {
		if i.State != alerting.Resolved {
			open++
		}
	}
	s.heading("Incidents", span{plain, "  " + total(len(incidents), countedPart(open, "going on"))})
	for _, i := range first(incidents) {
		spans := append(title(i.Cause), span{plain, "  " + subject(i.Cause)})
		s.paragraph("  ", "    ", spans...)
		s.paragraph("    ", "    ", span{plain, strings.Join(incidentNotes(i, days), ", ")}, span{dim, "  " + i.ID})
	}
	s.more(len(incidents))
}

// incidentNotes is how an incident went, in a few words.
func incidentNotes(i alerting.Incident, days calendar) []string {
	words := []string{days.at(i.Started), "lasted " + formatDuration(i.Duration(days.now))}
	if i.State != alerting.Resolved {
		words = []string{"since " + words[0], string(i.State) + " for " + formatDuration(i.Duration(days.now))}
	}
	if affected := alerting.English.Affected(i.Affected()); affected != "" {
		words = append(words, "affected "+affected)
	}
	if i.Flapping {
		words = append(words, "came and went")
	}
	if i.Silenced != "" {
		words = append(words, "silenced")
	}
	if i.MergedInto != "" {
		words = append(words, "part of "+i.MergedInto)
	}
	if i.Fired.IsZero() && i.State == alerting.Resolved {
		words = append(words, "nobody was told")
	}
	return words
}

func (s *textReport) moves(moves []checks.Move, days calendar) {
	lost := 0
	for _, m := range moves {
		if !m.Kept {
			lost++
		}
	}
	s.heading("Sessions that moved", span{plain, "  " + total(len(moves), countedPart(lost, "lost"))})
	for _, m := range first(moves) {
		outcome := toned(good, "kept")
		if !m.Kept {
			outcome = toned(bad, "lost")
		}
		s.paragraph("  ", "    ", span{plain, fmt.Sprintf("%s  %s → %s  ", days.at(m.At), name(m.From), name(m.To))},
			outcome, span{dim, "  " + string(m.Session)}, span{plain, "  " + words(m.Cause)})
	}
	s.more(len(moves))
}

func (s *textReport) deployments(deployments []checks.Deployment, days calendar) {
	s.heading("Deployments", span{plain, "  " + total(len(deployments), "")})
	newest := slices.Clone(deployments)
	slices.Reverse(newest)
	for _, d := range first(newest) {
		length := "goes on"
		if !d.To.IsZero() {
			length = formatDuration(d.To.Sub(d.From))
		}
		s.paragraph("  ", "    ", span{plain, fmt.Sprintf("%s  %s", days.at(d.From), cleanSentence(d.Name))}, span{dim, "  " + length})
	}
	s.more(len(deployments))
}

// first are the elements of a list that a table shows.
func first[T any](list []T) []T { return list[:min(len(list), maxListed)] }

// more tells how many elements of n a table does not show.
func (s *textReport) more(n int) {
	if n > maxListed {
		s.paragraph("  ", "  ", span{dim, fmt.Sprintf("… and %d more: -o json tells all", n-maxListed)})
	}
}

// maxRead is how many rows a history reads of a list.
const maxRead = 10_000

// total is how many there are, and which part of them; "": none worth telling.
func total(n int, part string) string {
	switch {
	case n == 0:
		return "none"
	case n >= maxRead:
		part = "the newest; there may be more"
	}
	if part == "" {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%d (%s)", n, part)
}

// countedPart counts what there is of a kind; "": nothing.
func countedPart(n int, what string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d %s", n, what)
}
