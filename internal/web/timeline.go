package web

import (
	"fmt"
	"slices"
	"strings"

	"stickwatch/checks"
	"stickwatch/probes"
)

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
