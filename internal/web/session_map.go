package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"stickwatch/checks"
)

// A sessionMap shows where the sessions of each node were served: one row for each owner at
// each address of the balancer, and the events that explain what changed. A full bar is the
// owner, a low bar is another node; so the drawing is readable without colors.
type sessionMap struct {
	Rows       []mapRow
	Height     int // of the drawing, in pixels
	TipY       int // baseline of the text of the focused element
	Ticks      []string
	Bands      []mapBand
	Events     []mapEvent
	Nodes      []mapNode // the legend
	Met        clientsMet
	Placements []placementView // newest first
	More       int             // number of placements that are not listed
}

// A mapNode is a node with its color.
type mapNode struct {
	Name  string
	Color int
}

// A mapRow is the row of the sessions of one node at one address.
type mapRow struct {
	Name   string
	Blocks []mapBlock
}

// A mapBlock is a placement in a row. X and Width are percentages, so that text is not
// stretched.
type mapBlock struct {
	X, Width  string
	Y, Height int
	Class     string // color of the node
	Label     string // name of the node; "": no room
	LabelY    int
	Mark      string // of a loss or an error; "": none
	MarkY     int
	Tip       string
	Focus     bool // reachable by keyboard
}

// A mapBand is a deployment, and a mapEvent a change of a node or of the balancer.
type mapBand struct{ X, Width, Tip string }

type mapEvent struct{ X, Letter, Tip string }

// A placementView is a row of the list of placements.
type placementView struct {
	From, To timestamp
	Row      string
	Node     string
	Outcome  string
	Harmful  bool
}

// Dimensions of the map. Letters of events are above the rows, and the text of the focused
// element is below them.
const (
	mapTop       = 18
	mapRowHeight = 28 // also in the stylesheet
	fullBar      = 20
	lowBar       = 10
	mapFooter    = 20
	phoneWidth   = 280 // of the map on a phone, in pixels
	maxFocus     = 60
	mapColors    = 8
	listedRows   = 30
	maxMapRows   = 3000
	mapFineness  = 150 // blocks in a row that are shorter than this part of the span are joined
)

// sessionMap returns the session map of a cluster; nil: nothing is known of its sessions.
func (v viewContext) sessionMap(s Snapshot, h *clusterHistory) *sessionMap {
	if len(h.placements) == 0 && h.met == nil {
		return nil
	}
	sessions := &sessionMap{Ticks: v.ticks(h.span), Met: v.clientsMet(h)}
	for i, n := range s.Cluster.Nodes {
		sessions.Nodes = append(sessions.Nodes, mapNode{word(n.ID), i % mapColors})
	}
	sessions.addRows(v, s, h)
	sessions.Height = mapTop + len(sessions.Rows)*mapRowHeight + mapFooter
	sessions.TipY = sessions.Height - mapFooter/3
	sessions.addEvents(v, h)
	newest := h.placements[:min(len(h.placements), listedRows)]
	sessions.More = len(h.placements) - len(newest)
	several, seen := severalAddresses(h.placements), map[string]bool{}
	for _, placement := range newest {
		to := v.timestamp(placement.To)
		row := v.rowName(placement, true)
		if !seen[row] && v.now.Sub(placement.To) <= checks.PlacementGap {
			to = timestamp{Text: v.translate("now")} // as the map draws it
		}
		seen[row] = true
		sessions.Placements = append(sessions.Placements, placementView{
			From: v.timestamp(placement.From), To: to, Row: v.rowName(placement, several),
			Node: v.servedBy(placement.Node), Outcome: v.outcome(placement.Outcome), Harmful: placement.Outcome.Harmful(),
		})
	}
	return sessions
}

// addRows adds the rows in the order of the nodes.
func (m *sessionMap) addRows(view viewContext, s Snapshot, history *clusterHistory) {
	type key struct {
		owner    int
		balancer string
	}
	rows := make(map[key][]checks.Placement)
	for _, placement := range slices.Backward(history.placements) {
		if owner := nodeIndex(s, placement.Owner); owner >= 0 {
			k := key{owner, placement.Balancer}
			rows[k] = append(rows[k], placement)
		}
	}
	keys := make([]key, 0, len(rows))
	for k := range rows {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.balancer, b.balancer), cmp.Compare(a.owner, b.owner))
	})
	several, focus := severalAddresses(history.placements), 0
	for i, k := range keys {
		placed := joinShort(rows[k], history.span)
		row := mapRow{Name: view.rowName(placed[0], several)}
		for n, placement := range placed {
			block := view.block(s, placement, drawnEnd(placed, n, view.now), history.span, mapTop+i*mapRowHeight)
			block.Focus = block.Focus && focus < maxFocus
			if block.Focus {
				focus++
			}
			row.Blocks = append(row.Blocks, block)
		}
		m.Rows = append(m.Rows, row)
	}
}

// drawnEnd returns where the ith block ends: where the next one begins, or now, unless there
// was no request for long.
func drawnEnd(placed []checks.Placement, i int, now time.Time) time.Time {
	next := now
	if i+1 < len(placed) {
		next = placed[i+1].From
	}
	if next.Sub(placed[i].To) > checks.PlacementGap {
		return placed[i].To
	}
	return next
}

// joinShort joins placements in a row that would be too narrow to see. A short one between
// long ones remains, because it is what the map is for.
func joinShort(placed []checks.Placement, span checks.Span) []checks.Placement {
	least := span.To.Sub(span.From) / mapFineness
	short := func(p checks.Placement) bool { return p.To.Sub(p.From) < least }
	joined := placed[:0:0]
	for _, next := range placed {
		last := len(joined) - 1
		if last < 0 || !short(next) || !short(joined[last]) || next.From.Sub(joined[last].From) >= least {
			joined = append(joined, next)
			continue
		}
		if joined[last].Node != next.Node {
			joined[last].Node = checks.SeveralNodes
		}
		if next.Outcome.WorseThan(joined[last].Outcome) {
			joined[last].Outcome = next.Outcome
		}
		joined[last].To = next.To
	}
	return joined
}

func (v viewContext) block(s Snapshot, placement checks.Placement, end time.Time, span checks.Span, top int) mapBlock {
	from, to := shareOf(span, placement.From), shareOf(span, end)
	block := mapBlock{
		X: percentOf(from), Width: percentOf(max(0, to-from)), Y: top + (mapRowHeight-fullBar)/2, Height: fullBar,
		MarkY: top + mapRowHeight/2 + 5, Class: "s-none", Focus: placement.Outcome != checks.OutcomeServed || placement.Node != placement.Owner,
	}
	switch node := nodeIndex(s, placement.Node); {
	case node >= 0:
		block.Class = fmt.Sprintf("s%d", node%mapColors)
	case placement.Node != "":
		block.Class = "s-other"
	}
	if placement.Node != placement.Owner && placement.Node != "" {
		block.Y, block.Height = block.Y+fullBar-lowBar, lowBar
	}
	if label := v.servedBy(placement.Node); placement.Node != "" && to-from >= labelWidth(label)/phoneWidth {
		block.Label, block.LabelY = label, block.Y+block.Height/2+4
	}
	switch {
	case placement.Outcome == checks.OutcomeError:
		block.Mark = "!"
	case placement.Outcome.Harmful():
		block.Mark = "×"
	}
	block.Tip = v.translate("%s, %s to %s: %s, %s", v.rowName(placement, false), v.timeOfDay(placement.From, span), v.timeOfDay(placement.To, span),
		v.servedBy(placement.Node), v.outcome(placement.Outcome))
	return block
}

// shareOf returns a time as a share of a span, in [0, 1].
func shareOf(span checks.Span, at time.Time) float64 {
	return min(max(float64(at.Sub(span.From))/float64(span.To.Sub(span.From)), 0), 1)
}

func percentOf(share float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.2f", 100*share), ".00") + "%"
}

func severalAddresses(placed []checks.Placement) bool {
	return slices.ContainsFunc(placed, func(p checks.Placement) bool { return p.Balancer != placed[0].Balancer })
}

// rowName returns the name of a row: its owner, and its address if there are several.
func (v viewContext) rowName(p checks.Placement, several bool) string {
	if !several {
		return word(p.Owner)
	}
	_, address, found := strings.Cut(p.Balancer, " ")
	if !found {
		address = p.Balancer
	}
	return v.translate("%s through %s", word(p.Owner), word(address))
}

func (v viewContext) servedBy(node string) string {
	switch node {
	case "":
		return v.translate("no node known")
	case checks.SeveralNodes:
		return v.translate("several nodes in turn")
	default:
		return word(node)
	}
}

func (v viewContext) outcome(o checks.Outcome) string {
	return v.translate(map[checks.Outcome]string{
		checks.OutcomeServed: "served", checks.OutcomeMoved: "moved and kept", checks.OutcomeLost: "session lost",
		checks.OutcomeStale: "older values", checks.OutcomeForeign: "another client's session",
		checks.OutcomeWrongPage: "another page", checks.OutcomeError: "errors", checks.OutcomeUnknown: "not known",
	}[o])
}

// eventLetters are the findings that the map shows as vertical lines, with their letters.
var eventLetters = map[checks.Code]string{
	checks.NodeRestarted: "R", checks.NodeDown: "D", checks.NodeEjected: "E",
	checks.BalancerRemapped: "M", checks.StoreFailover: "F",
}

// shownEvents returns the changes that the map shows. Those of nodes are about one node: what
// restarts cost together is found later than they happened.
func shownEvents(h *clusterHistory) (shown []checks.Change) {
	ofNodes := []checks.Code{checks.NodeRestarted, checks.NodeDown}
	for _, c := range h.changes {
		if eventLetters[c.Code] != "" && c.Kind == checks.Appeared && (c.Node != "" || !slices.Contains(ofNodes, c.Code)) {
			shown = append(shown, c)
		}
	}
	return shown
}

func (m *sessionMap) addEvents(v viewContext, h *clusterHistory) {
	for _, d := range h.deployments {
		to := 1.0
		if !d.To.IsZero() {
			to = shareOf(h.span, d.To)
		}
		from := shareOf(h.span, d.From)
		m.Bands = append(m.Bands, mapBand{percentOf(from), percentOf(max(to-from, 0.002)), v.translate("deployment %s", word(d.Name))})
	}
	for _, c := range shownEvents(h) {
		m.Events = append(m.Events, mapEvent{
			percentOf(shareOf(h.span, c.At)), eventLetters[c.Code], v.timeOfDay(c.At, h.span) + " " + v.sentence(c.Summary),
		})
	}
}

// eventLines returns the events and the ends of deployments as vertical lines, as a path in a
// box of a width and height.
func eventLines(h *clusterHistory, width, height int) string {
	var d strings.Builder
	line := func(at time.Time) {
		if !at.Before(h.span.From) && at.Before(h.span.To) {
			fmt.Fprintf(&d, "M%.1f 0V%d", shareOf(h.span, at)*float64(width), height)
		}
	}
	for _, c := range shownEvents(h) {
		line(c.At)
	}
	for _, deployment := range h.deployments {
		line(deployment.From)
		line(deployment.To)
	}
	return d.String()
}

// labelWidth is the width of a label in pixels. Chinese characters are wider.
func labelWidth(label string) float64 {
	const latin, chinese, margin = 7, 12, 8
	width := margin
	for _, r := range label {
		if r < utf8.RuneSelf {
			width += latin
		} else {
			width += chinese
		}
	}
	return float64(width)
}
