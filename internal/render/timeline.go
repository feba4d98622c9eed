package render

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"stickwatch/checks"
	"stickwatch/internal/gate"
)

// A timelineLegend is how lanes are drawn: a letter for each node, and signs for what else
// there is. It needs no colour.
type timelineLegend struct {
	nodes   []string
	symbols map[string]rune
}

// Signs of a lane that are no node's, in the order of what they outweigh.
const (
	symbolNothing = '·'
	symbolSeveral = '*'
	symbolOther   = '?'
	symbolFailed  = '×'
	symbolLost    = '!'
)

// nodeSymbols stand for the nodes in their order.
const nodeSymbols = "123456789abcdefghijklmnopqrstuvwxyz"

func newTimelineLegend(w gate.Report) timelineLegend {
	k := timelineLegend{symbols: make(map[string]rune)}
	for i, n := range w.Nodes {
		if i < len(nodeSymbols) {
			k.nodes = append(k.nodes, n.Node)
			k.symbols[n.Node] = rune(nodeSymbols[i])
		}
	}
	return k
}

// legend explains the signs.
func (k timelineLegend) legend(column time.Duration) string {
	var parts []string
	for _, n := range k.nodes {
		parts = append(parts, string(k.symbols[n])+" "+cleanWord(n))
	}
	parts = append(parts, "* several", "× failed", "! lost")
	return fmt.Sprintf("%s; a column is %s", strings.Join(parts, "  "), Duration(column))
}

// draw is a lane in so many columns of equal time.
func (k timelineLegend) draw(s gate.ClientReport, during checks.Span, columns int) []span {
	symbols := make([]rune, columns)
	at := func(t time.Time) int {
		i := int(int64(columns) * int64(t.Sub(during.From)) / max(1, int64(during.To.Sub(during.From))))
		return min(max(i, 0), columns-1)
	}
	for _, p := range s.Segments {
		if p.To.Before(during.From) {
			symbols[0] = k.symbol(p)
			continue
		}
		for i := at(p.From); i <= at(p.To); i++ {
			symbols[i] = dominantSymbol(symbols[i], k.symbol(p))
		}
	}
	last := symbolNothing
	for i, r := range symbols {
		switch r {
		case 0:
			symbols[i] = last
		case symbolLost: // what follows is another session
			last = symbolNothing
		default:
			last = r
		}
	}
	return coloredSpans(symbols)
}

func (k timelineLegend) symbol(p gate.Segment) rune {
	symbol, listed := k.symbols[p.Node]
	switch {
	case !p.Good:
		return symbolFailed
	case p.Lost:
		return symbolLost
	case p.Node == "":
		return symbolNothing
	case !listed:
		return symbolOther
	default:
		return symbol
	}
}

// dominantSymbol is the sign of a column in which there were two.
func dominantSymbol(a, b rune) rune {
	switch {
	case a == 0 || a == b:
		return b
	case a == symbolLost || b == symbolLost:
		return symbolLost
	case a == symbolFailed || b == symbolFailed:
		return symbolFailed
	default:
		return symbolSeveral
	}
}

// coloredSpans gives signs in a row their mark.
func coloredSpans(symbols []rune) []span {
	tone := func(r rune) tone {
		switch r {
		case symbolLost:
			return bad
		case symbolFailed:
			return warn
		case symbolNothing:
			return dim
		default:
			return plain
		}
	}
	var spans []span
	for _, r := range symbols {
		m := tone(r)
		if n := len(spans); n > 0 && spans[n-1].tone == m {
			spans[n-1].text += string(r)
			continue
		}
		spans = append(spans, span{m, string(r)})
	}
	return spans
}

// clientTimelines draws every client's way over time: a line each, a column a moment.
func (s *Text) clientTimelines(w gate.Report) {
	width := 0
	for _, client := range w.Clients {
		width = max(width, lipgloss.Width(clientName(client)))
	}
	columns := max(s.width-2-labelWidth-width-2, narrowest/2)
	k := newTimelineLegend(w)
	for i, client := range w.Clients {
		if i == maxClients {
			s.labelled("lane", span{dim, fmt.Sprintf("… and %d more", len(w.Clients)-i)})
			break
		}
		s.labelled("lane", append([]span{{plain, pad(clientName(client), width) + "  "}}, k.draw(client, w.Span, columns)...)...)
	}
	if len(w.Clients) > 0 {
		s.labelled("", span{dim, k.legend(w.To.Sub(w.From) / time.Duration(columns))})
	}
}

// maxClients bounds how many clients are drawn.
const maxClients = 24

func clientName(s gate.ClientReport) string {
	switch {
	case s.Kind == gate.KindNewClient && s.Node != "":
		return "newcomers to " + cleanWord(s.Node)
	case s.Kind == gate.KindNewClient:
		return "newcomers"
	case s.Node == "":
		return "session"
	default:
		return "session on " + cleanWord(s.Node)
	}
}
