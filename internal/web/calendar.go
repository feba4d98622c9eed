package web

import (
	"cmp"
	"strings"

	"stickwatch/checks"
)

// A calendar is a target's uptime by day.
type calendar struct {
	uptimeBar
	Name    string
	Kind    string
	Percent string // over all days; "–": nothing is known
}

// Uptimes from which a day is good, or at least not an outage. At a probe in
// three seconds 99.9 % forgives a minute and a half.
const (
	goodUptime = 0.999
	poorUptime = 0.99
)

func (v viewContext) calendar(days []checks.Uptime, whole checks.Uptime) calendar {
	c := calendar{Name: v.targetName(whole.Target), Kind: v.kind(whole.Kind), Percent: v.uptimeShare(whole)}
	tones := make([]tone, len(days))
	worst := checks.Uptime{Ratio: 1}
	for i, day := range days {
		tones[i] = toneOfDay(day)
		if day.Probes > 0 && day.Ratio < worst.Ratio {
			worst = day
		}
	}
	c.Buckets, c.Paths = max(1, len(days)), barPaths(tones)
	c.Label = v.translate("%s in %d days", c.Percent, len(days))
	if worst.Probes > 0 {
		c.Label += v.translate("; worst: %s with %s", v.day(worst.From), v.percent(worst.Ratio))
	}
	return c
}

func toneOfDay(u checks.Uptime) tone {
	switch {
	case u.Probes == 0:
		return toneUnknown
	case u.Ratio >= goodUptime:
		return toneOK
	case u.Ratio >= poorUptime:
		return toneWarning
	default:
		return toneCritical
	}
}

// calendars of a record, in the order in which the record tells uptimes. The
// sessions that a node owns follow the node.
func (v viewContext) calendars(r *clusterHistory) []calendar {
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
func (r *clusterHistory) uptime(of checks.Target) checks.Uptime {
	for _, u := range r.uptimes {
		if u.Target == of {
			return u
		}
	}
	return checks.Uptime{Target: of}
}

// available is the share of an uptime; "–": nothing is known. It has no mark: what
// failed in the past is nothing to look after now.
func (v viewContext) uptimeShare(u checks.Uptime) string {
	if u.Probes == 0 {
		return "–"
	}
	return v.percent(u.Ratio)
}

// targetName leaves a balancer's address away: its URL comes first and says
// enough, and where two addresses share one, the full name is in the API.
func (v viewContext) targetName(of checks.Target) string {
	switch {
	case of.Kind == checks.TargetBalancer:
		url, _, _ := strings.Cut(of.Name, " ")
		return word(url)
	case of.Kind == checks.TargetSession && of.Name == "":
		return v.translate("owner unknown")
	default:
		return word(of.Name)
	}
}

func (v viewContext) kind(k checks.TargetKind) string {
	return v.translate(cmp.Or(map[checks.TargetKind]string{
		checks.TargetNode:       "node",
		checks.TargetBalancer:   "balancer",
		checks.TargetDependency: "dependency",
		checks.TargetCanary:     "canary",
		checks.TargetSession:    "sessions",
	}[k], "target"))
}
