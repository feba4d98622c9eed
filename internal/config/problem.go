package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// A Problem is one mistake in a configuration. No field contains a secret.
type Problem struct {
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

// Excerpt is Error with two further lines: the line of the file, and a caret below the
// mistake. It ends without a newline.
func (p Problem) Excerpt() string {
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
type Problems []Problem

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
		parts[i] = p.Excerpt()
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
