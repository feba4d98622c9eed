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
type lanes struct {
	Lanes  []lane
	Height int // of the drawing, in pixels, as its lanes' names are
	Ticks  []string
	Kept   string // path data of lines for sessions that went along
	KeptTo string // and of dots where they arrived
	Lost   string // for those that did not
	LostTo string
	Bands  []band // deployments
	Moves  []moveView
	Count  int // of moves
	More   int // of them that are not listed
}

type lane struct {
	Name  string
	Strip strip
	Rail  int // where its lines begin and end, from the top of the drawing
}

// A band is a stretch of the drawing, in the width of a thousand.
type band struct {
	X, Width int
	Name     string
}

type moveView struct {
	At       moment
	From, To string
	Kept     bool
	Session  string
	Cause    string
}

// The drawing's measures. Strips lie at the bottom of their lanes, so that lines
// do not run through them.
const (
	laneHeight  = 40 // the stylesheet says so too
	laneRail    = 13
	laneWidth   = 1000
	listedMoves = 20
)

func (v viewer) lanes(p Picture, r *record) lanes {
	l := lanes{Height: laneHeight * len(p.Cluster.Nodes), Ticks: v.ticks(r.span), Count: len(r.moves), More: max(0, len(r.moves)-listedMoves)}
	for i, n := range p.Cluster.Nodes {
		points := r.points[checks.Target{Cluster: p.Cluster.Name, Kind: checks.TargetNode, Name: n.ID}]
		l.Lanes = append(l.Lanes, lane{Name: word(n.ID), Strip: v.hours(points, r.span), Rail: rail(i)})
	}
	for _, d := range r.deployments {
		from := across(r.span, d.From)
		to := laneWidth
		if !d.To.IsZero() {
			to = across(r.span, d.To)
		}
		l.Bands = append(l.Bands, band{X: from, Width: max(2, to-from), Name: word(d.Name)})
	}
	l.draw(p, r)
	for _, m := range r.moves[:min(len(r.moves), listedMoves)] {
		l.Moves = append(l.Moves, v.move(m))
	}
	return l
}

// draw makes the lines. A move from or to a stranger has no lane to begin or
// end in: it is in the list alone.
func (l *lanes) draw(p Picture, r *record) {
	var kept, keptTo, lost, lostTo strings.Builder
	for _, m := range r.moves {
		from, to := laneOf(p, m.From), laneOf(p, m.To)
		if from < 0 || to < 0 || from == to {
			continue
		}
		x, y1, y2 := across(r.span, m.At), rail(from), rail(to)
		lines, dots := &kept, &keptTo
		if !m.Kept {
			lines, dots = &lost, &lostTo
		}
		fmt.Fprintf(lines, "M%d %dV%d", x, y1, y2)
		fmt.Fprintf(dots, "M%d %dh0", x, y2)
	}
	l.Kept, l.KeptTo, l.Lost, l.LostTo = kept.String(), keptTo.String(), lost.String(), lostTo.String()
}

// rail is where the lines of the i-th lane begin and end.
func rail(i int) int { return i*laneHeight + laneRail }

// laneOf is the number of a node's lane; -1: it has none.
func laneOf(p Picture, node string) int {
	return slices.IndexFunc(p.Cluster.Nodes, func(n probes.Node) bool { return n.ID == node })
}

func (v viewer) move(m checks.Move) moveView {
	return moveView{
		At: v.moment(m.At), From: word(m.From), To: word(m.To), Kept: m.Kept,
		Session: string(m.Session), Cause: v.sentence(m.Cause),
	}
}
