package web

import (
	"cmp"
	"strings"

	"stickwatch/checks"
)

// A calendar is a target's uptime by day.
type calendar struct {
	strip
	Name    string
	Kind    string
	Percent string // over all days; "–": nothing is known
}

// Uptimes from which a day is good, or at least not an outage. At a probe in
// three seconds 99.9 % forgives a minute and a half.
const (
	goodDay = 0.999
	poorDay = 0.99
)

func (v viewer) calendar(days []checks.Uptime, whole checks.Uptime) calendar {
	c := calendar{Name: v.targetName(whole.Target), Kind: v.kind(whole.Kind), Percent: "–"}
	marks := make([]mark, len(days))
	worst := checks.Uptime{Ratio: 1}
	for i, day := range days {
		marks[i] = markOfDay(day)
		if day.Probes > 0 && day.Ratio < worst.Ratio {
			worst = day
		}
	}
	c.Slots, c.Paths = max(1, len(days)), drawn(marks)
	if whole.Probes > 0 {
		c.Percent = v.percent(whole.Ratio)
	}
	c.Label = v.say("%s in %d days", c.Percent, len(days))
	if worst.Probes > 0 {
		c.Label += v.say("; worst: %s with %s", v.day(worst.From), v.percent(worst.Ratio))
	}
	return c
}

func markOfDay(u checks.Uptime) mark {
	switch {
	case u.Probes == 0:
		return unsure
	case u.Ratio >= goodDay:
		return good
	case u.Ratio >= poorDay:
		return worse
	default:
		return trouble
	}
}

// calendars of a record, in the order in which the record tells uptimes.
func (v viewer) calendars(r *record) []calendar {
	var all []calendar
	for _, u := range r.uptimes {
		if days, ok := r.days[u.Target]; ok {
			all = append(all, v.calendar(days, u))
		}
	}
	return all
}

// targetName leaves a balancer's address away: its URL comes first and says
// enough, and where two addresses share one, the full name is in the API.
func (v viewer) targetName(of checks.Target) string {
	if of.Kind == checks.TargetBalancer {
		url, _, _ := strings.Cut(of.Name, " ")
		return word(url)
	}
	return word(of.Name)
}

func (v viewer) kind(k checks.TargetKind) string {
	return v.say(cmp.Or(map[checks.TargetKind]string{
		checks.TargetNode:       "node",
		checks.TargetBalancer:   "balancer",
		checks.TargetDependency: "dependency",
		checks.TargetCanary:     "canary",
	}[k], "target"))
}
