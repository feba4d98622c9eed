package sim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A ScoreSummary adds up the scores of many simulations.
type ScoreSummary struct {
	Simulated time.Duration
	Total     Score
	Setups    map[string]*Score // by Setup.Name
}

// Add adds a simulation.
func (ss *ScoreSummary) Add(s Schedule, score Score) {
	if ss.Setups == nil {
		ss.Setups = make(map[string]*Score)
	}
	name := s.Setup.Name()
	if ss.Setups[name] == nil {
		ss.Setups[name] = new(Score)
	}
	ss.Simulated += s.Length
	ss.Total.plus(score)
	ss.Setups[name].plus(score)
}

// plus adds another summary.
func (ss *ScoreSummary) plus(o ScoreSummary) {
	if ss.Setups == nil {
		ss.Setups = make(map[string]*Score)
	}
	ss.Simulated += o.Simulated
	ss.Total.plus(o.Total)
	for name, score := range o.Setups {
		if ss.Setups[name] == nil {
			ss.Setups[name] = new(Score)
		}
		ss.Setups[name].plus(*score)
	}
}

func (s *Score) plus(o Score) {
	s.Counterexamples = append(s.Counterexamples, o.Counterexamples...)
	s.Operations += o.Operations
	s.Deserving += o.Deserving
	s.Due += o.Due
	s.Incidents += o.Incidents
	s.Criticals += o.Criticals
	s.Harms += o.Harms
	s.Delays = append(s.Delays, o.Delays...)
}

// PerDeserving returns the number of incidents per operation that required one.
func (s Score) PerDeserving() float64 {
	if s.Deserving == 0 {
		return 0
	}
	return float64(s.Due) / float64(s.Deserving)
}

// WrongShare returns the share of incidents with a wrong node or cause.
func (s Score) WrongShare() float64 {
	if s.Incidents == 0 {
		return 0
	}
	return float64(s.Count(Wrong)) / float64(s.Incidents)
}

// Delay returns a quantile of the time from the first harm to the notification.
func (s Score) Delay(share float64) time.Duration {
	if len(s.Delays) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s.Delays))
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))].Round(100 * time.Millisecond)
}

// Table formats the measures as Markdown, with the list of what is not met.
func (ss ScoreSummary) Table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%.0f hours in virtual time with %d operations and faults, at the default intervals and rules, compared with\n"+
		"reference users by the scale of harm (`internal/sim`).\n\n", ss.Simulated.Hours(), ss.Total.Operations)
	b.WriteString("| cluster | operations | harms | without notification | criticals | without harm | incidents | wrong node or cause | incidents per operation that deserves one | first harm to notification, p50 / p95 |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, name := range slices.Sorted(maps.Keys(ss.Setups)) {
		b.WriteString(ss.Setups[name].row(name))
	}
	b.WriteString(ss.Total.row("all"))
	b.WriteString("\n### Not met in simulation\n\n")
	b.WriteString(ss.Total.notMet())
	return b.String()
}

// notMet counts counterexamples by kind, the most frequent first.
func (s Score) notMet() string {
	counts := make(map[string]int)
	for _, x := range s.Counterexamples {
		counts[x.Kind()+", during "+x.While]++
	}
	if len(counts) == 0 {
		return "Users and notifications agreed everywhere.\n"
	}
	var b strings.Builder
	b.WriteString("| times | what |\n|--:|---|\n")
	for _, kind := range slices.SortedFunc(maps.Keys(counts), func(x, y string) int {
		return cmp.Or(counts[y]-counts[x], cmp.Compare(x, y))
	}) {
		fmt.Fprintf(&b, "| %d | %s |\n", counts[kind], kind)
	}
	return b.String()
}

func (s Score) row(name string) string {
	delays := "-"
	if len(s.Delays) > 0 {
		delays = fmt.Sprintf("%v / %v", s.Delay(0.5), s.Delay(0.95))
	}
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %d | %d | %.1f %% | %.2f | %s |\n", name, s.Operations, s.Harms, s.Count(Silent),
		s.Criticals, s.Count(False), s.Incidents, 100*s.WrongShare(), s.PerDeserving(), delays)
}

// Transcript formats the schedule, the harms, the notifications and the counterexamples
// as text.
func (r Result) Transcript() string {
	var b strings.Builder
	b.WriteString(r.Schedule.String())
	harms := r.harms()
	slices.SortStableFunc(harms, func(x, y harm) int { return x.first.Compare(y.first) })
	b.WriteString("users met\n")
	for _, h := range harms {
		fmt.Fprintf(&b, "  %v %s, must be notified: %t\n", r.since(h.first), h, h.certain)
	}
	b.WriteString("notified\n")
	for _, n := range r.Notifications {
		fmt.Fprintf(&b, "  %v %s %s %s, since %v: %s\n", r.since(n.At), n.Kind, n.Incident.Severity, n.Incident.Cause.Key(), r.since(n.Incident.Started), n.Incident.Cause.Summary)
	}
	b.WriteString("counterexamples\n")
	for _, c := range r.Score().Counterexamples {
		fmt.Fprintf(&b, "  %s\n", c)
	}
	return b.String()
}

func (r Result) since(at time.Time) time.Duration {
	return at.Sub(r.Began).Round(10 * time.Millisecond)
}
