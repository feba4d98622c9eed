package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// A keyPath is the path of a key: clusters[0].nodes[1].url; "" is the file.
type keyPath string

func (p keyPath) key(name string) keyPath {
	if p == "" {
		return keyPath(name)
	}
	return p + "." + keyPath(name)
}

func (p keyPath) item(i int) keyPath { return p + keyPath("["+strconv.Itoa(i)+"]") }

// parent returns the path of the value that contains p; "" for "".
func (p keyPath) parent() keyPath {
	return p[:max(0, strings.LastIndexAny(string(p), ".["))]
}

// last returns the name of the key, without its parents and without an index.
func (p keyPath) last() string {
	name := string(p[strings.LastIndex(string(p), ".")+1:])
	name, _, _ = strings.Cut(name, "[")
	return name
}

// A Problem is one mistake in a configuration. No field contains a secret.
type Problem struct { //nolint:errname // a line of a report, and an error only as a whole
	File    string // "": the mistake is in flags
	Line    int    // from 1; 0: the file as a whole
	Column  int    // from 1, in characters
	Key     string // path of the key, such as clusters[0].nodes[1].url; or the flag, such as --node
	Message string // the mistake and the expected value
	Source  string // the line, secrets masked; "": none

	caret int // number of characters of Source before the mistake, after masking
}

// Error formats the problem on one line: file:line:column: key: message.
func (p Problem) Error() string {
	parts := make([]string, 0, 3)
	if p.File != "" {
		parts = append(parts, p.position())
	}
	if p.Key != "" {
		parts = append(parts, p.Key)
	}
	return strings.Join(append(parts, p.Message), ": ")
}

func (p Problem) position() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// excerpt is Error with two further lines: the line of the file, and a caret below the
// mistake. It ends without a newline.
func (p Problem) excerpt() string {
	if p.Source == "" {
		return p.Error()
	}
	before := []rune(p.Source)
	before = before[:min(p.caret, len(before))]
	return fmt.Sprintf("%s\n  %s\n  %s^", p.Error(), p.Source, strings.Map(blank, string(before)))
}

// blank returns the space that is as wide as r on a terminal, so that the caret is
// below its character in Chinese text, too.
func blank(r rune) rune {
	switch {
	case r == '\t':
		return '\t'
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul),
		'\u3000' <= r && r <= '\u303f', '\uff01' <= r && r <= '\uff60':
		return '\u3000'
	case unicode.Is(unicode.Mn, r):
		return -1
	default:
		return ' '
	}
}

// Problems are all mistakes of a configuration, sorted by line.
type Problems []Problem //nolint:errname // see Problem

// Error formats one line per problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Excerpt joins the problems' excerpts by empty lines.
func (ps Problems) Excerpt() string {
	parts := make([]string, len(ps))
	for i, p := range ps {
		parts[i] = p.excerpt()
	}
	return strings.Join(parts, "\n\n")
}

// maxProblems limits the problems reported: a file with more is the wrong file.
const maxProblems = 100

// sorted returns ps in the order of the file, without duplicates, cut at maxProblems.
func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	ps = slices.Compact(ps) // shared settings are reported by each cluster
	if len(ps) <= maxProblems {
		return ps
	}
	rest := Problem{File: ps[0].File, Message: "and more problems: repair these first"}
	return append(ps[:maxProblems:maxProblems], rest)
}

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
