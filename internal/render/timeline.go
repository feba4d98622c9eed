package render

import (
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"stickwatch/checks"
	"stickwatch/internal/gate"
)

// A timelineLegend assigns a symbol to each node. Timelines are drawn with these
// symbols, so that they need no colour.
type timelineLegend struct {
	nodes   []string
	symbols map[string]rune
}

// Symbols that stand for no node. dominantSymbol decides which one wins.
const (
	symbolNothing = '·'
	symbolSeveral = '*'
	symbolOther   = '?'
	symbolFailed  = '×'
	symbolLost    = '!'
)

// nodeSymbols are the symbols of nodes, in their order.
const nodeSymbols = "123456789abcdefghijklmnopqrstuvwxyz"

func newTimelineLegend(w gate.Report) timelineLegend {
	l := timelineLegend{symbols: make(map[string]rune)}
	for i, n := range w.Nodes {
		if i < len(nodeSymbols) {
			l.nodes = append(l.nodes, n.Node)
			l.symbols[n.Node] = rune(nodeSymbols[i])
		}
	}
	return l
}

// text explains the symbols and the duration of a column.
func (l timelineLegend) text(column time.Duration, f formatter) string {
	var parts []string
	for _, n := range l.nodes {
		parts = append(parts, string(l.symbols[n])+" "+cleanWord(n))
	}
	parts = append(parts, "* "+f.Translate("several"), "× "+f.Translate("failed"), "! "+f.Translate("lost"))
	return f.Translate("%s; a column is %s", strings.Join(parts, "  "), durationPhrase(column))
}

// draw returns the timeline of a client in columns of equal duration.
func (l timelineLegend) draw(c gate.ClientReport, during checks.Span, columns int) []span {
	symbols := make([]rune, columns)
	at := func(t time.Time) int {
		i := int(int64(columns) * int64(t.Sub(during.From)) / max(1, int64(during.To.Sub(during.From))))
		return min(max(i, 0), columns-1)
	}
	for _, p := range c.Segments {
		if p.To.Before(during.From) {
			symbols[0] = l.symbol(p)
			continue
		}
		for i := at(p.From); i <= at(p.To); i++ {
			symbols[i] = dominantSymbol(symbols[i], l.symbol(p))
		}
	}
	last := symbolNothing
	for i, r := range symbols {
		switch r {
		case 0:
			symbols[i] = last
		case symbolLost: // a new session follows
			last = symbolNothing
		default:
			last = r
		}
	}
	return coloredSpans(symbols)
}

func (l timelineLegend) symbol(p gate.Segment) rune {
	symbol, listed := l.symbols[p.Node]
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

// dominantSymbol returns the symbol of a column that contains two.
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

// coloredSpans groups equal tones into spans.
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
		t := tone(r)
		if n := len(spans); n > 0 && spans[n-1].tone == t {
			spans[n-1].text += string(r)
			continue
		}
		spans = append(spans, span{t, string(r)})
	}
	return spans
}

// clientTimelines writes the timeline of each client, a line each.
func (t *Text) clientTimelines(report gate.Report) {
	width := 0
	for _, client := range report.Clients {
		width = max(width, lipgloss.Width(t.clientName(client)))
	}
	columns := max(t.width-2-labelWidth-width-2, narrowest/2)
	legend := newTimelineLegend(report)
	for i, client := range report.Clients {
		if i == maxClients {
			t.labelled("client", span{dim, t.Translate("… and %d more", len(report.Clients)-i)})
			break
		}
		t.labelled("client", append([]span{{plain, pad(t.clientName(client), width) + "  "}}, legend.draw(client, report.Span, columns)...)...)
	}
	if len(report.Clients) > 0 {
		t.labelled("", span{dim, legend.text(report.To.Sub(report.From)/time.Duration(columns), t.formatter)})
	}
}

// maxClients bounds how many clients are drawn.
const maxClients = 24

func (f formatter) clientName(c gate.ClientReport) string {
	switch {
	case c.Kind == gate.KindNewClient && c.Node != "":
		return f.Translate("new clients of %s", cleanWord(c.Node))
	case c.Kind == gate.KindNewClient:
		return f.Translate("new clients")
	case c.Node == "":
		return f.Translate("session")
	default:
		return f.Translate("session on %s", cleanWord(c.Node))
	}
}
