package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// A Problem is one mistake in a configuration. No field of it ever holds a
// secret.
type Problem struct {
	File    string // "": the mistake is in flags
	Line    int    // from 1; 0: about the file as a whole
	Column  int    // from 1, in characters
	Key     string // path of the key, such as clusters[0].nodes[1].url; or the flag, such as --node
	Message string // what is wrong and what was expected
	Source  string // the line it is on, secrets masked; "": there is none to show

	caret int // characters of Source before the mistake; masking may have moved it
}

// Error is the problem on one line: file:line:column: key: message.
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

// Excerpt is Error with two lines more: the line of the file and a caret below
// the mistake. It ends without a newline.
func (p Problem) Excerpt() string {
	if p.Source == "" {
		return p.Error()
	}
	before := []rune(p.Source)
	before = before[:min(p.caret, len(before))]
	return fmt.Sprintf("%s\n  %s\n  %s^", p.Error(), p.Source, strings.Map(blank, string(before)))
}

// blank is the space as wide as r on a terminal, so that the caret stands
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

// Problems are all mistakes of a configuration, in the order of its lines.
type Problems []Problem

// Error is a line a problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Excerpt is every problem's Excerpt, an empty line between them.
func (ps Problems) Excerpt() string {
	parts := make([]string, len(ps))
	for i, p := range ps {
		parts[i] = p.Excerpt()
	}
	return strings.Join(parts, "\n\n")
}

// maxProblems bounds what is told: who has more opened the wrong file.
const maxProblems = 100

// sorted is ps in the order of the file, each once, cut at maxProblems.
func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	ps = slices.Compact(ps) // what all clusters share is told for each
	if len(ps) <= maxProblems {
		return ps
	}
	rest := Problem{File: ps[0].File, Message: "and more problems: repair these first"}
	return append(ps[:maxProblems:maxProblems], rest)
}
