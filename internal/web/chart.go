package web

import (
	"fmt"
	"strings"
	"time"

	"stickwatch/checks"
)

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
