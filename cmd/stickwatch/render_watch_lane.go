package main

import (
	"fmt"
	"strings"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/gate"
)

// A key is how lanes are drawn: a letter for each node, and signs for what else
// there is. It needs no colour.
type key struct {
	nodes []string
	signs map[string]rune
}

// Signs of a lane that are no node's, in the order of what they outweigh.
const (
	signNothing = '·'
	signSeveral = '*'
	signOther   = '?'
	signFailed  = '×'
	signLost    = '!'
)

// nodeSigns stand for the nodes in their order.
const nodeSigns = "123456789abcdefghijklmnopqrstuvwxyz"

func newKey(w gate.Report) key {
	k := key{signs: make(map[string]rune)}
	for i, n := range w.Nodes {
		if i < len(nodeSigns) {
			k.nodes = append(k.nodes, n.Node)
			k.signs[n.Node] = rune(nodeSigns[i])
		}
	}
	return k
}

// legend explains the signs.
func (k key) legend(column time.Duration) string {
	var parts []string
	for _, n := range k.nodes {
		parts = append(parts, string(k.signs[n])+" "+cell(n))
	}
	parts = append(parts, "* several", "× failed", "! lost")
	return fmt.Sprintf("%s; a column is %s", strings.Join(parts, "  "), spell(column))
}

// draw is a lane in so many columns of equal time.
func (k key) draw(s gate.Story, during checks.Span, columns int) []span {
	signs := make([]rune, columns)
	at := func(t time.Time) int {
		i := int(int64(columns) * int64(t.Sub(during.From)) / max(1, int64(during.To.Sub(during.From))))
		return min(max(i, 0), columns-1)
	}
	for _, p := range s.Pieces {
		if p.To.Before(during.From) {
			signs[0] = k.sign(p)
			continue
		}
		for i := at(p.From); i <= at(p.To); i++ {
			signs[i] = outweigh(signs[i], k.sign(p))
		}
	}
	last := signNothing
	for i, r := range signs {
		switch r {
		case 0:
			signs[i] = last
		case signLost: // what follows is another session
			last = signNothing
		default:
			last = r
		}
	}
	return inked(signs)
}

func (k key) sign(p gate.Piece) rune {
	sign, listed := k.signs[p.Node]
	switch {
	case !p.Good:
		return signFailed
	case p.Lost:
		return signLost
	case p.Node == "":
		return signNothing
	case !listed:
		return signOther
	default:
		return sign
	}
}

// outweigh is the sign of a column in which there were two.
func outweigh(a, b rune) rune {
	switch {
	case a == 0 || a == b:
		return b
	case a == signLost || b == signLost:
		return signLost
	case a == signFailed || b == signFailed:
		return signFailed
	default:
		return signSeveral
	}
}

// inked gives signs in a row their mark.
func inked(signs []rune) []span {
	mark := func(r rune) mark {
		switch r {
		case signLost:
			return bad
		case signFailed:
			return warn
		case signNothing:
			return faint
		default:
			return plain
		}
	}
	var spans []span
	for _, r := range signs {
		m := mark(r)
		if n := len(spans); n > 0 && spans[n-1].mark == m {
			spans[n-1].text += string(r)
			continue
		}
		spans = append(spans, span{m, string(r)})
	}
	return spans
}
