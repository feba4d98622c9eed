package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"stickwatch/checks"
)

// An uptimeBar is a row of time buckets, drawn as one SVG path for each tone. Unknown buckets
// are empty. Worse buckets are taller, so that the bar is readable without colors.
type uptimeBar struct {
	Buckets int
	Paths   []barPath
	Label   string // text alternative
	AllGood bool   // all buckets are good, which the stylesheet draws
}

type barPath struct {
	Class tone
	D     string // SVG path data, in a box of Buckets by 8
}

// toneLineY is the y coordinate of a tone's line. The stylesheet sets the line widths, so that
// lines stand on the lower edge of the box: 3 for good, 6 for warning, 8 for critical.
var toneLineY = map[tone]string{toneOK: "6.5", toneWarning: "5", toneCritical: "4"}

// barPaths converts one tone for each bucket to paths.
func barPaths(buckets []tone) []barPath {
	var paths []barPath
	for _, class := range []tone{toneOK, toneWarning, toneCritical} {
		var d strings.Builder
		for from := 0; from < len(buckets); {
			to := from + 1
			for to < len(buckets) && buckets[to] == buckets[from] {
				to++
			}
			if buckets[from] == class {
				fmt.Fprintf(&d, "M%d %sh%d", from, toneLineY[class], to-from)
			}
			from = to
		}
		if d.Len() > 0 {
			paths = append(paths, barPath{class, d.String()})
		}
	}
	return paths
}

// hours returns the bar of the last hours of targets: the worst of them in each bucket.
func (v viewContext) hours(span checks.Span, targets ...[]checks.Point) uptimeBar {
	tones := make([]tone, bucketsIn(span))
	for i := range tones {
		tones[i] = toneUnknown
	}
	for _, p := range slices.Concat(targets...) {
		if i := bucketOf(span, p.At); i >= 0 && p.Probes > 0 && rank(toneOfPoint(p)) > rank(tones[i]) {
			tones[i] = toneOfPoint(p)
		}
	}
	calm := !slices.ContainsFunc(tones, func(m tone) bool { return m != toneOK })
	return uptimeBar{Buckets: len(tones), Paths: barPaths(tones), Label: v.describeHours(tones, span), AllGood: calm}
}

// toneOfPoint returns the tone of a bucket. A bucket with hardly any response is an outage; a
// single failure among many is not.
func toneOfPoint(p checks.Point) tone {
	switch {
	case p.Failed == 0:
		return toneOK
	case 2*p.Failed >= p.Probes:
		return toneCritical
	default:
		return toneWarning
	}
}

// maxOutagesInLabel is the number of outages in a label.
const maxOutagesInLabel = 3

// describeHours lists the outages.
func (v viewContext) describeHours(tones []tone, span checks.Span) string {
	var outages []string
	known := false
	for i := 0; i < len(tones); {
		to := i + 1
		for to < len(tones) && tones[to] == tones[i] {
			to++
		}
		known = known || tones[i] != toneUnknown
		if tones[i] == toneCritical || tones[i] == toneWarning {
			outages = append(outages, v.translate("%s %s to %s", v.troubleText(tones[i]), v.bucketStart(span, i), v.bucketStart(span, to)))
		}
		i = to
	}
	switch {
	case !known:
		return v.translate("nothing known")
	case len(outages) == 0:
		return v.translate("no failures")
	case len(outages) > maxOutagesInLabel:
		return strings.Join(outages[len(outages)-maxOutagesInLabel:], ", ") + v.translate(", and %d more", len(outages)-maxOutagesInLabel)
	default:
		return strings.Join(outages, ", ")
	}
}

func (v viewContext) troubleText(m tone) string {
	if m == toneCritical {
		return v.translate("failing")
	}
	return v.translate("failing at times")
}

// bucketStart returns the time of day of the start of a bucket.
func (v viewContext) bucketStart(span checks.Span, bucket int) string {
	return v.timeOfDay(span.From.Add(time.Duration(bucket)*bucketWidth(span)), span)
}

// A calendar shows a target's uptime by day.
type calendar struct {
	uptimeBar
	Name    string
	Kind    string
	Percent string // over all days; "–": no data
}

// Minimum ratios of good and acceptable days. With a probe every three seconds, 99.9 % allows
// for 86 seconds of failures.
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

// sessionCalendar returns the calendar of the sessions of all owners together; nil: no data.
func (v viewContext) sessionCalendar(h *clusterHistory) *calendar {
	whole := checks.SessionUptime(h.uptimes)
	if whole.Probes == 0 {
		return nil
	}
	var owners [uptimeDays][]checks.Uptime // by day
	known := 0
	for target, days := range h.days {
		if target.Kind != checks.TargetSession {
			continue
		}
		for i, day := range days[:min(len(days), uptimeDays)] {
			owners[i] = append(owners[i], day)
			known = max(known, i+1)
		}
	}
	days := make([]checks.Uptime, known)
	for i := range days {
		days[i] = checks.SessionUptime(owners[i])
	}
	c := v.calendar(days, whole)
	c.Name, c.Kind = v.translate("all sessions"), ""
	return &c
}

// calendars returns the calendars of a history: all sessions together, and then those of its
// uptimes in their order. The calendar of a node's sessions follows the node.
func (v viewContext) calendars(h *clusterHistory) []calendar {
	var all []calendar
	if sessions := v.sessionCalendar(h); sessions != nil {
		all = append(all, *sessions)
	}
	shown := make(map[checks.Target]bool)
	show := func(u checks.Uptime) {
		if days, ok := h.days[u.Target]; ok && !shown[u.Target] {
			shown[u.Target] = true
			all = append(all, v.calendar(days, u))
		}
	}
	for _, u := range h.uptimes {
		show(u)
		if u.Kind == checks.TargetNode {
			show(h.uptime(checks.Target{Cluster: u.Cluster, Kind: checks.TargetSession, Name: u.Name}))
		}
	}
	return all
}

// uptime returns the uptime of a target, without probes if there is no data.
func (c *clusterHistory) uptime(of checks.Target) checks.Uptime {
	for _, u := range c.uptimes {
		if u.Target == of {
			return u
		}
	}
	return checks.Uptime{Target: of}
}

// uptimeShare formats an uptime; "–": no data. It has no tone, because past failures need no
// attention.
func (v viewContext) uptimeShare(u checks.Uptime) string {
	if u.Probes == 0 {
		return "–"
	}
	return v.percent(u.Ratio)
}

// targetName omits the address of a balancer, because its URL identifies it. The API has the
// full name.
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
