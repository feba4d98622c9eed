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
	c := calendar{Name: v.targetName(whole.Target), Kind: v.kind(whole.Kind), Percent: v.available(whole)}
	marks := make([]mark, len(days))
	worst := checks.Uptime{Ratio: 1}
	for i, day := range days {
		marks[i] = markOfDay(day)
		if day.Probes > 0 && day.Ratio < worst.Ratio {
			worst = day
		}
	}
	c.Slots, c.Paths = max(1, len(days)), drawn(marks)
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

// calendars of a record, in the order in which the record tells uptimes. The
// sessions that a node owns follow the node.
func (v viewer) calendars(r *record) []calendar {
	var all []calendar
	shown := make(map[checks.Target]bool)
	show := func(u checks.Uptime) {
		if days, ok := r.days[u.Target]; ok && !shown[u.Target] {
			shown[u.Target] = true
			all = append(all, v.calendar(days, u))
		}
	}
	for _, u := range r.uptimes {
		show(u)
		if u.Kind == checks.TargetNode {
			show(r.uptime(checks.Target{Cluster: u.Cluster, Kind: checks.TargetSession, Name: u.Name}))
		}
	}
	return all
}

// uptime of a target; without probes where nothing is known.
func (r *record) uptime(of checks.Target) checks.Uptime {
	for _, u := range r.uptimes {
		if u.Target == of {
			return u
		}
	}
	return checks.Uptime{Target: of}
}

// available is the share of an uptime; "–": nothing is known. It has no mark: what
// failed in the past is nothing to look after now.
func (v viewer) available(u checks.Uptime) string {
	if u.Probes == 0 {
		return "–"
	}
	return v.percent(u.Ratio)
}

// targetName leaves a balancer's address away: its URL comes first and says
// enough, and where two addresses share one, the full name is in the API.
func (v viewer) targetName(of checks.Target) string {
	switch {
	case of.Kind == checks.TargetBalancer:
		url, _, _ := strings.Cut(of.Name, " ")
		return word(url)
	case of.Kind == checks.TargetSession && of.Name == "":
		return v.say("owner unknown")
	default:
		return word(of.Name)
	}
}

func (v viewer) kind(k checks.TargetKind) string {
	return v.say(cmp.Or(map[checks.TargetKind]string{
		checks.TargetNode:       "node",
		checks.TargetBalancer:   "balancer",
		checks.TargetDependency: "dependency",
		checks.TargetCanary:     "canary",
		checks.TargetSession:    "sessions",
	}[k], "target"))
}
