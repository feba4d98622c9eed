package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// at adds a problem at a line and column of the file, from 1; 0 is unknown.
func (doc *document) at(line, column int, key keyPath, message string) {
	doc.problems = append(doc.problems, Problem{File: doc.file, Line: line, Column: column, Key: string(key), Message: message})
}

// reported returns all problems in the order of the file, with their lines. Only at
// this stage it is known which text must be hidden.
func (doc *document) reported() Problems {
	ps := doc.problems.sorted()
	const manyHidden = 100 // with more hidden texts no line is shown
	if len(doc.hidden) > manyHidden {
		return ps
	}
	spans := map[int][]span{}
	for i, p := range ps {
		if p.Line < 1 || p.Line > len(doc.lines) {
			continue
		}
		if _, ok := spans[p.Line]; !ok {
			spans[p.Line] = secretSpans(doc.lines[p.Line-1], doc.hidden)
		}
		ps[i].Source, ps[i].caret = doc.excerpt(p, spans[p.Line])
	}
	return ps
}

// excerpt returns the line of a problem with secrets masked, and the position of the
// problem in it.
func (doc *document) excerpt(p Problem, secrets []span) (string, int) {
	if inSecret(doc.lines, p.Line-1) {
		return redacted, 0
	}
	masked, caret := mask(doc.lines[p.Line-1], max(p.Column-1, 0), secrets)
	return window(strings.TrimRight(strings.Map(keepTab, masked), " \t\r"), caret)
}

func keepTab(r rune) rune {
	if r == '\t' {
		return r
	}
	return printable(r)
}

// window cuts a long line around its character at caret.
func window(line string, caret int) (string, int) {
	const before, after = 60, 100
	runes := []rune(line)
	if len(runes) <= before+after {
		return line, caret
	}
	from := max(0, caret-before)
	to := min(len(runes), from+before+after)
	return string(runes[min(from, to):to]), caret - from
}

// markBroken adds a problem of the value at a path, and suppresses problems that follow
// from it.
func (doc *document) markBroken(n *yaml.Node, at keyPath, message string) {
	doc.add(n, at, message)
	doc.suppress(at)
}

// suppress suppresses later problems of a path and its parents.
func (doc *document) suppress(at keyPath) {
	doc.broken[at] = true
	for p := at; p != ""; {
		p = p.parent()
		if _, known := doc.broken[p]; !known {
			doc.broken[p] = false
		}
	}
}

// suppressed reports whether the value at a path, a value in it, or its parent could
// not be decoded.
func (doc *document) suppressed(at keyPath) bool {
	if _, ok := doc.broken[at]; ok {
		return true
	}
	for p := at; p != ""; {
		p = p.parent()
		if doc.broken[p] {
			return true
		}
	}
	return false
}

// problem adds a problem of the value at a path, even a missing one, unless it could
// not be decoded and was reported already.
func (doc *document) problem(at keyPath, format string, args ...any) {
	if !doc.suppressed(at) {
		doc.add(doc.nearest(at), at, fmt.Sprintf(format, args...))
	}
}

// nearest returns the value at a path, else the nearest parent.
func (doc *document) nearest(at keyPath) *yaml.Node {
	for p := at; p != ""; p = p.parent() {
		if n, ok := doc.nodes[p]; ok {
			return n
		}
	}
	return doc.root
}

func (doc *document) add(n *yaml.Node, at keyPath, message string) {
	if doc.flags == nil {
		doc.at(n.Line, n.Column, at, message)
		return
	}
	for p := at; ; p = p.parent() {
		flag, ok := doc.flags[p]
		if ok || p == "" {
			doc.problems = append(doc.problems, Problem{Key: flag, Message: message})
			return
		}
	}
}

// valueText quotes the value at a path for a message. A value from the environment is
// quoted as written in the file, because it may be a secret.
func (doc *document) valueText(at keyPath, value string) string {
	if n := doc.nodes[at]; n != nil {
		value = doc.written(n, value)
	}
	if isURL(at) {
		return quoteURL(value)
	}
	return quote(value)
}

// written returns a value as written in the file if it contains variables, else text.
func (doc *document) written(n *yaml.Node, text string) string {
	if doc.expanded[n] {
		return n.Value
	}
	return text
}
