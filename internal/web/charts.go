package web

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// windows are the spans of charts. The first is the default; the others are for clusters with
// a short history. Their buckets are aligned to 1970, as points are.
var windows = []time.Duration{6 * time.Hour, 2 * time.Hour, 30 * time.Minute, 6 * time.Minute}

// spanUntil returns the window of whole buckets whose last bucket contains now.
func spanUntil(now time.Time, window time.Duration) checks.Span {
	width := window / time.Duration(buckets(window))
	to := now.Add(width - time.Duration(now.UnixNano())%width)
	return checks.Span{From: to.Add(-window), To: to}
}

// buckets returns the number of buckets of a window. Those of days have whole hours or days, of which the
// history has sums.
func buckets(window time.Duration) int {
	const day = 24 * time.Hour
	switch {
	case window == 7*day:
		return int(window / (2 * time.Hour))
	case window > 30*day && window%day == 0:
		return int(window / day)
	default:
		return barBuckets
	}
}

func bucketsIn(span checks.Span) int { return buckets(span.To.Sub(span.From)) }

// bucketWidth returns the length of a bucket.
func bucketWidth(span checks.Span) time.Duration {
	return span.To.Sub(span.From) / time.Duration(bucketsIn(span))
}

// window returns the label of a span.
func (v viewContext) window(span checks.Span) string {
	length := span.To.Sub(span.From)
	switch {
	case length < time.Hour:
		return v.translate("Last %d minutes", int(length.Minutes()))
	case length == time.Hour:
		return v.translate("Last hour")
	case length <= 24*time.Hour:
		return v.translate("Last %d hours", int(length.Hours()))
	default:
		return v.translate("Last %d days", int(length.Hours()/24))
	}
}

// timeOfDay formats a time with the precision of a span's chart.
func (v viewContext) timeOfDay(t time.Time, span checks.Span) string {
	switch length := span.To.Sub(span.From); {
	case length < time.Hour:
		return t.In(v.zone).Format("15:04:05")
	case length <= 24*time.Hour:
		return t.In(v.zone).Format("15:04")
	case bucketWidth(span) >= 24*time.Hour:
		return t.In(v.zone).Format("01-02")
	default:
		return t.In(v.zone).Format("01-02 15:04")
	}
}

// bucketOf returns the index of the bucket that contains a time; -1: none.
func bucketOf(span checks.Span, at time.Time) int {
	if at.Before(span.From) || !at.Before(span.To) {
		return -1
	}
	return int(at.Sub(span.From) / bucketWidth(span))
}

// xOf returns the x coordinate of a time in a drawing of drawingWidth, clamped to its edges.
func xOf(span checks.Span, at time.Time) int {
	return int(shareOf(span, at) * drawingWidth)
}

// ticks returns the labels of the time axis, from edge to edge.
func (v viewContext) ticks(span checks.Span) []string {
	const intervals = 4
	ticks := make([]string, 0, intervals+1)
	for i := range intervals + 1 {
		at := span.From.Add(time.Duration(i) * span.To.Sub(span.From) / intervals)
		ticks = append(ticks, v.timeOfDay(at, span))
	}
	return ticks
}

// charts are small charts side by side on one scale, so that a slow target stands out.
type charts struct {
	Top    string // latency at the upper edge
	Ticks  []string
	Width  int    // of the drawings: a bucket is 1 wide
	Events string // SVG path of vertical lines
	Charts []chart
	// Unknown: the percentiles are not of all answers.
	Unknown bool
}

// A chart is the latency of a target over the last hours.
type chart struct {
	Name    string
	Kind    string
	Newest  string // mean of the newest bucket with a response
	Slowest string
	percentiles
	Area    string // SVG path of the maximum, in a box of charts.Width by chartHeight
	Line    string // SVG path of the mean
	Through string // SVG path of the node's mean through the balancer; "": not probed
}

const chartHeight = 100

// charts returns the charts of the nodes, each with the latency of its canary, and of the
// balancer.
func (v viewContext) charts(s Snapshot, history *clusterHistory) charts {
	var drawn []chart
	top := scaleMax(history)
	for _, n := range s.Cluster.Nodes {
		node := checks.Target{Cluster: s.Cluster.Name, Kind: checks.TargetNode, Name: n.ID}
		canary := checks.Target{Cluster: s.Cluster.Name, Kind: checks.TargetCanary, Name: n.ID}
		c := v.chart(node, history, top)
		c.Through = linePath(history.points[canary], history.span, top)
		drawn = append(drawn, c)
	}
	for _, u := range history.uptimes {
		if u.Kind == checks.TargetBalancer {
			drawn = append(drawn, v.chart(u.Target, history, top))
		}
	}
	return charts{
		Top: v.latency(top), Ticks: v.ticks(history.span), Charts: drawn,
		Width: bucketsIn(history.span), Events: eventLines(history, bucketsIn(history.span), chartHeight),
		Unknown: slices.ContainsFunc(history.latencies, func(l checks.Latency) bool { return l.Unknown > 0 }),
	}
}

func (v viewContext) chart(of checks.Target, h *clusterHistory, top time.Duration) chart {
	points := h.points[of]
	c := chart{
		Name: v.targetName(of), Kind: v.kind(of.Kind), Newest: "–",
		Area: areaPath(points, h.span, top),
		Line: linePath(points, h.span, top),
	}
	var slowest time.Duration
	for _, p := range points {
		slowest = max(slowest, p.Max)
		if p.Mean > 0 {
			c.Newest = v.latency(p.Mean)
		}
	}
	c.Slowest = v.latency(slowest)
	c.percentiles = v.percentiles(h.latency(of))
	return c
}

// percentiles are those of a latency in words.
type percentiles struct {
	P50, P95, P99 string // "–": not known
	Unknown       bool   // they are not of all answers
}

func (v viewContext) percentiles(l checks.Latency) percentiles {
	return percentiles{v.latency(l.P50), v.latency(l.P95), v.latency(l.P99), l.Unknown > 0}
}

// latency returns the percentiles of a target, 0 without data.
func (c *clusterHistory) latency(of checks.Target) checks.Latency {
	for _, l := range c.latencies {
		if l.Target == of {
			return l
		}
	}
	return checks.Latency{Target: of}
}

// scaleMax returns the upper end of the scale: a round number above the highest mean. Single
// slow responses may exceed it; the number beside the chart includes them.
func scaleMax(h *clusterHistory) time.Duration {
	var slowest time.Duration
	for _, points := range h.points {
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

// linePath draws the mean of points. There is a gap where nothing was answered.
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
			// A single point is a line of length 0, which round line caps draw as a dot.
			fmt.Fprintf(&d, "M%d %dh0", x, yOf(p.Mean, top))
		}
		last = x
	}
	return d.String()
}

// areaPath fills the area below the maximum of points.
func areaPath(points []checks.Point, span checks.Span, top time.Duration) string {
	var d strings.Builder
	for _, p := range points {
		if x := bucketOf(span, p.At); x >= 0 && p.Max > 0 {
			fmt.Fprintf(&d, "M%d %dV%dh1V%dz", x, chartHeight, yOf(p.Max, top), chartHeight)
		}
	}
	return d.String()
}

// yOf returns the distance of a value from the upper edge.
func yOf(value, top time.Duration) int {
	return chartHeight - int(min(value, top)*chartHeight/top)
}

// A nodeTimeline shows the last hours of a cluster: one row with an uptime bar for each node,
// and each session move as a line between two rows.
type nodeTimeline struct {
	Rows   []timelineRow
	Height int // of the drawing, in pixels
	Ticks  []string
	Kept   string // SVG path of lines for kept sessions
	KeptTo string // SVG path of dots at their ends
	Lost   string // SVG path for lost sessions
	LostTo string
	Bands  []deploymentBand
	Events string // SVG path of vertical lines
	Moves  []moveView
	Count  string // number of moves, or "more than 200"
	// Undrawn is the time of the oldest drawn move if there are earlier ones; "": all are drawn.
	Undrawn string
	More    int // number of moves that are not listed
}

type timelineRow struct {
	Name      string
	UptimeBar uptimeBar
	LineY     int // y coordinate of line ends, from the top of the drawing
}

// A deploymentBand is the span of a deployment in the drawing, in thousandths of its width.
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

// Dimensions of the drawing. Uptime bars are at the bottom of their rows, so that lines do not
// cross them.
const (
	rowHeight    = 40 // also in the stylesheet
	lineOffset   = 13
	drawingWidth = 1000
	listedMoves  = 20
)

func (v viewContext) nodeTimeline(snapshot Snapshot, history *clusterHistory) nodeTimeline {
	timeline := nodeTimeline{Height: rowHeight * len(snapshot.Cluster.Nodes), Ticks: v.ticks(history.span), Count: strconv.Itoa(len(history.moves)), More: max(0, len(history.moves)-listedMoves)}
	if history.moreMoves {
		last := len(history.moves) - 1
		timeline.Count, timeline.Undrawn = v.translate("more than %d", last+1), v.timeOfDay(history.moves[last].At, history.span)
	}
	for i, n := range snapshot.Cluster.Nodes {
		points := history.points[checks.Target{Cluster: snapshot.Cluster.Name, Kind: checks.TargetNode, Name: n.ID}]
		timeline.Rows = append(timeline.Rows, timelineRow{Name: word(n.ID), UptimeBar: v.hours(history.span, points), LineY: lineY(i)})
	}
	for _, d := range history.deployments {
		from := xOf(history.span, d.From)
		to := drawingWidth
		if !d.To.IsZero() {
			to = xOf(history.span, d.To)
		}
		timeline.Bands = append(timeline.Bands, deploymentBand{X: from, Width: max(2, to-from), Name: word(d.Name)})
	}
	timeline.Events = eventLines(history, drawingWidth, timeline.Height)
	timeline.draw(snapshot, history)
	for _, m := range history.moves[:min(len(history.moves), listedMoves)] {
		timeline.Moves = append(timeline.Moves, v.move(m))
	}
	return timeline
}

// draw computes the lines. A move from or to an unknown node has no row, so it is only in the
// list.
func (n *nodeTimeline) draw(s Snapshot, h *clusterHistory) {
	var kept, keptTo, lost, lostTo strings.Builder
	for _, m := range h.moves {
		from, to := nodeIndex(s, m.From), nodeIndex(s, m.To)
		if from < 0 || to < 0 || from == to {
			continue
		}
		x, y1, y2 := xOf(h.span, m.At), lineY(from), lineY(to)
		lines, dots := &kept, &keptTo
		if !m.Kept {
			lines, dots = &lost, &lostTo
		}
		fmt.Fprintf(lines, "M%d %dV%d", x, y1, y2)
		fmt.Fprintf(dots, "M%d %dh0", x, y2)
	}
	n.Kept, n.KeptTo, n.Lost, n.LostTo = kept.String(), keptTo.String(), lost.String(), lostTo.String()
}

// lineY returns the y coordinate of line ends of row i.
func lineY(i int) int { return i*rowHeight + lineOffset }

// nodeIndex returns the index of a node, which is also its row; -1: none.
func nodeIndex(s Snapshot, node string) int {
	return slices.IndexFunc(s.Cluster.Nodes, func(n probes.Node) bool { return n.ID == node })
}

func (v viewContext) move(m checks.Move) moveView {
	return moveView{
		At: v.timestamp(m.At), From: word(m.From), To: word(m.To), Kept: m.Kept,
		Session: string(m.Session), Cause: v.sentence(m.Cause),
	}
}
