package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"stickwatch/checks"
)

// A uptimeBar is a row of slots of time, drawn as one path for each mark that
// occurs, and nothing where nothing is known. A slot is the higher the worse it
// was, so a strip reads without colours as well.
type uptimeBar struct {
	Buckets int
	Paths   []barPath
	Label   string // what it shows, in words
	AllGood bool   // it is good all over: the stylesheet draws it, as most of a page's are
}

type barPath struct {
	Class tone
	D     string // SVG path data, in a box of Slots by 8
}

// toneLineY is where a mark's line runs, which the stylesheet makes so wide that it
// stands on the lower edge of the box: good 3, worse 6, trouble 8.
var toneLineY = map[tone]string{toneOK: "6.5", toneWarning: "5", toneCritical: "4"}

// barPaths turns one mark a slot into paths.
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

// hours is a target's last hours.
func (v viewContext) hours(points []checks.Point, span checks.Span) uptimeBar {
	tones := make([]tone, barBuckets)
	for i := range tones {
		tones[i] = toneUnknown
	}
	for _, p := range points {
		if i := bucketOf(span, p.At); i >= 0 && p.Probes > 0 {
			tones[i] = toneOfPoint(p)
		}
	}
	calm := !slices.ContainsFunc(tones, func(m tone) bool { return m != toneOK })
	return uptimeBar{Buckets: barBuckets, Paths: barPaths(tones), Label: v.describeHours(tones, span), AllGood: calm}
}

// toneOfPoint: a slot in which hardly anything was answered was an outage; one
// failure among many is not.
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

// maxOutagesInLabel is how many stretches of trouble a label tells.
const maxOutagesInLabel = 3

// describeHours tells when there was trouble.
func (v viewContext) describeHours(tones []tone, span checks.Span) string {
	var told []string
	known := false
	for i := 0; i < len(tones); {
		to := i + 1
		for to < len(tones) && tones[to] == tones[i] {
			to++
		}
		known = known || tones[i] != toneUnknown
		if tones[i] == toneCritical || tones[i] == toneWarning {
			told = append(told, v.translate("%s %s to %s", v.troubleText(tones[i]), v.bucketStart(span, i), v.bucketStart(span, to)))
		}
		i = to
	}
	switch {
	case !known:
		return v.translate("nothing known")
	case len(told) == 0:
		return v.translate("no failures")
	case len(told) > maxOutagesInLabel:
		return strings.Join(told[len(told)-maxOutagesInLabel:], ", ") + v.translate(", and %d more", len(told)-maxOutagesInLabel)
	default:
		return strings.Join(told, ", ")
	}
}

func (v viewContext) troubleText(m tone) string {
	if m == toneCritical {
		return v.translate("failing")
	}
	return v.translate("failing at times")
}

// bucketStart is the time of day at which a slot begins.
func (v viewContext) bucketStart(span checks.Span, bucket int) string {
	return v.timeOfDay(span.From.Add(time.Duration(bucket)*bucketWidth(span)), span)
}

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
