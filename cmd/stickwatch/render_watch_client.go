package main

import (
	"fmt"
	"strings"
	"time"

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
		parts = append(parts, string(k.symbols[n])+" "+cell(n))
	}
	parts = append(parts, "* several", "× failed", "! lost")
	return fmt.Sprintf("%s; a column is %s", strings.Join(parts, "  "), formatDuration(column))
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
