package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// windows are how far back pages look, the first as a rule, the others while a
// cluster is new. Their slots divide the time since 1970, as points do.
var windows = []time.Duration{6 * time.Hour, 2 * time.Hour, 30 * time.Minute, 6 * time.Minute}

// spanUntil is a window of whole slots, the last of which a time is in.
func spanUntil(now time.Time, window time.Duration) checks.Span {
	to := now.Truncate(window / barBuckets).Add(window / barBuckets)
	return checks.Span{From: to.Add(-window), To: to}
}

// bucketWidth is how long a slot of a window is.
func bucketWidth(span checks.Span) time.Duration { return span.To.Sub(span.From) / barBuckets }

// window tells how far back a span reaches.
func (v viewContext) window(span checks.Span) string {
	length := span.To.Sub(span.From)
	if length < time.Hour {
		return v.translate("Last %d minutes", int(length.Minutes()))
	}
	return v.translate("Last %d hours", int(length.Hours()))
}

// timeOfDay tells a time as exactly as a span's drawing can.
func (v viewContext) timeOfDay(t time.Time, span checks.Span) string {
	if span.To.Sub(span.From) < time.Hour {
		return t.In(v.zone).Format("15:04:05")
	}
	return t.In(v.zone).Format("15:04")
}

// bucketOf is the slot of a strip or chart that a time is in; -1: none.
func bucketOf(span checks.Span, at time.Time) int {
	if at.Before(span.From) || !at.Before(span.To) {
		return -1
	}
	return int(at.Sub(span.From) / bucketWidth(span))
}

// across is where a time is in a drawing of drawingWidth, within its edges.
func xOf(span checks.Span, at time.Time) int {
	share := float64(at.Sub(span.From)) / float64(span.To.Sub(span.From))
	return int(min(max(share, 0), 1) * drawingWidth)
}

// ticks are times below a drawing, from edge to edge.
func (v viewContext) ticks(span checks.Span) []string {
	const intervals = 4
	ticks := make([]string, 0, intervals+1)
	for i := range intervals + 1 {
		at := span.From.Add(time.Duration(i) * span.To.Sub(span.From) / intervals)
		ticks = append(ticks, v.timeOfDay(at, span))
	}
	return ticks
}

// Charts are small ones side by side on one scale, so that the slow one shows.
type charts struct {
	Top    string // the latency at the upper edge
	Ticks  []string
	Charts []chart
}

// A chart is how long a target took over the last hours.
type chart struct {
	Name    string
	Kind    string
	Newest  string // mean of the newest slot with an answer
	Slowest string
	Area    string // path data, in a box of slots by chartHeight: the slowest
	Line    string // the mean
	Through string // the mean of the same node through the balancer; "": not probed
}

const chartHeight = 100

// charts of the nodes, each with its canary's latency, and of the balancer.
func (v viewContext) charts(p Snapshot, r *clusterHistory) charts {
	var drawn []chart
	top := scaleMax(r)
	for _, n := range p.Cluster.Nodes {
		node := checks.Target{Cluster: p.Cluster.Name, Kind: checks.TargetNode, Name: n.ID}
		canary := checks.Target{Cluster: p.Cluster.Name, Kind: checks.TargetCanary, Name: n.ID}
		c := v.chart(node, r, top)
		c.Through = linePath(r.points[canary], r.span, top)
		drawn = append(drawn, c)
	}
	for _, u := range r.uptimes {
		if u.Kind == checks.TargetBalancer {
			drawn = append(drawn, v.chart(u.Target, r, top))
		}
	}
	return charts{Top: v.latency(top), Ticks: v.ticks(r.span), Charts: drawn}
}

func (v viewContext) chart(of checks.Target, r *clusterHistory, top time.Duration) chart {
	points := r.points[of]
	c := chart{
		Name: v.targetName(of), Kind: v.kind(of.Kind), Newest: "–",
		Area: areaPath(points, r.span, top),
		Line: linePath(points, r.span, top),
	}
	var slowest time.Duration
	for _, p := range points {
		slowest = max(slowest, p.Max)
		if p.Mean > 0 {
			c.Newest = v.latency(p.Mean)
		}
	}
	c.Slowest = v.latency(slowest)
	return c
}

// scaleMax is the scale: a round number not below the slowest mean. Single slow
// answers may leave the box; the number beside the chart tells them.
func scaleMax(r *clusterHistory) time.Duration {
	var slowest time.Duration
	for _, points := range r.points {
		for _, p := range points {
			slowest = max(slowest, p.Mean)
		}
	}
	for unit := time.Millisecond; ; unit *= 10 {
		for _, n := range []time.Duration{1, 2, 5} {
			if n*unit >= slowest*5/4 {
				return n * unit
			}
		}
	}
}

// linePath draws the mean of points, with a gap where nothing was answered.
func linePath(points []checks.Point, span checks.Span, top time.Duration) string {
	var d strings.Builder
	last := -2
	for _, p := range points {
		x := bucketOf(span, p.At)
		switch {
		case x < 0 || p.Mean <= 0:
			continue
		case x == last+1:
			fmt.Fprintf(&d, "L%d %d", x, yOf(p.Mean, top))
		default:
			// A point with gaps on both sides is a line of no length, which round
			// ends make a dot.
			fmt.Fprintf(&d, "M%d %dh0", x, yOf(p.Mean, top))
		}
		last = x
	}
	return d.String()
}

// area fills what is below the slowest answers.
func areaPath(points []checks.Point, span checks.Span, top time.Duration) string {
	var d strings.Builder
	for _, p := range points {
		if x := bucketOf(span, p.At); x >= 0 && p.Max > 0 {
			fmt.Fprintf(&d, "M%d %dV%dh1V%dz", x, chartHeight, yOf(p.Max, top), chartHeight)
		}
	}
	return d.String()
}

// yOf is the distance of a value from the upper edge.
func yOf(value, top time.Duration) int {
	return chartHeight - int(min(value, top)*chartHeight/top)
}

// Lanes show the last hours of a cluster: a lane a node, with its strip, and
// every session that moved as a line from the lane that it left to the lane
// where it went on.
type nodeTimeline struct {
	Rows   []timelineRow
	Height int // of the drawing, in pixels, as its lanes' names are
	Ticks  []string
	Kept   string // path data of lines for sessions that went along
	KeptTo string // and of dots where they arrived
	Lost   string // for those that did not
	LostTo string
	Bands  []deploymentBand // deployments
	Moves  []moveView
	Count  int // of moves
	More   int // of them that are not listed
}

type timelineRow struct {
	Name      string
	UptimeBar uptimeBar
	LineY     int // where its lines begin and end, from the top of the drawing
}

// A deploymentBand is a stretch of the drawing, in the width of a thousand.
type deploymentBand struct {
	X, Width int
	Name     string
}

type moveView struct {
	At       timestamp
	From, To string
	Kept     bool
	Session  string
	Cause    string
}

// The drawing's measures. Strips lie at the bottom of their lanes, so that lines
// do not run through them.
const (
	rowHeight    = 40 // the stylesheet says so too
	lineOffset   = 13
	drawingWidth = 1000
	listedMoves  = 20
)

func (v viewContext) nodeTimeline(p Snapshot, r *clusterHistory) nodeTimeline {
	l := nodeTimeline{Height: rowHeight * len(p.Cluster.Nodes), Ticks: v.ticks(r.span), Count: len(r.moves), More: max(0, len(r.moves)-listedMoves)}
	for i, n := range p.Cluster.Nodes {
		points := r.points[checks.Target{Cluster: p.Cluster.Name, Kind: checks.TargetNode, Name: n.ID}]
		l.Rows = append(l.Rows, timelineRow{Name: word(n.ID), UptimeBar: v.hours(points, r.span), LineY: lineY(i)})
	}
	for _, d := range r.deployments {
		from := xOf(r.span, d.From)
		to := drawingWidth
		if !d.To.IsZero() {
			to = xOf(r.span, d.To)
		}
		l.Bands = append(l.Bands, deploymentBand{X: from, Width: max(2, to-from), Name: word(d.Name)})
	}
	l.draw(p, r)
	for _, m := range r.moves[:min(len(r.moves), listedMoves)] {
		l.Moves = append(l.Moves, v.move(m))
	}
	return l
}

// draw makes the lines. A move from or to a stranger has no lane to begin or
// end in: it is in the list alone.
func (l *nodeTimeline) draw(p Snapshot, r *clusterHistory) {
	var kept, keptTo, lost, lostTo strings.Builder
	for _, m := range r.moves {
		from, to := rowOf(p, m.From), rowOf(p, m.To)
		if from < 0 || to < 0 || from == to {
			continue
		}
		x, y1, y2 := xOf(r.span, m.At), lineY(from), lineY(to)
		lines, dots := &kept, &keptTo
		if !m.Kept {
			lines, dots = &lost, &lostTo
		}
		fmt.Fprintf(lines, "M%d %dV%d", x, y1, y2)
		fmt.Fprintf(dots, "M%d %dh0", x, y2)
	}
	l.Kept, l.KeptTo, l.Lost, l.LostTo = kept.String(), keptTo.String(), lost.String(), lostTo.String()
}

// lineY is where the lines of the i-th lane begin and end.
func lineY(i int) int { return i*rowHeight + lineOffset }

// rowOf is the number of a node's lane; -1: it has none.
func rowOf(p Snapshot, node string) int {
	return slices.IndexFunc(p.Cluster.Nodes, func(n probes.Node) bool { return n.ID == node })
}

func (v viewContext) move(m checks.Move) moveView {
	return moveView{
		At: v.timestamp(m.At), From: word(m.From), To: word(m.To), Kept: m.Kept,
		Session: string(m.Session), Cause: v.sentence(m.Cause),
	}
}
