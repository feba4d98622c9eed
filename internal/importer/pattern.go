package importer

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"stickwatch/internal/phrase"
)

// A pattern is a regular expression of a balancer. The balancers use PCRE; a pattern
// that Go cannot compile matches nothing here.
type pattern struct {
	text string
	re   *regexp.Regexp // nil: not understood
}

func newPattern(text string, ignoreCase bool) pattern {
	flags := ""
	if ignoreCase {
		flags = "(?i)"
	}
	re, err := regexp.Compile(flags + text)
	if err != nil || len(text) > maxPattern {
		return pattern{text, nil}
	}
	return pattern{text, re}
}

// maxPattern limits patterns that are understood, in bytes.
const maxPattern = 1000

func (p pattern) matches(text string) bool { return p.re != nil && p.re.MatchString(text) }

// sample returns a path that the pattern matches; "": none is known.
func (p pattern) sample() string {
	least := p.shortest()
	for _, path := range []string{least, "/" + least, "/index" + least, strings.Replace(least, "/.", "/index.", 1)} {
		if p.re != nil && strings.HasPrefix(path, "/") && !strings.Contains(path, "/.") && isValidPath(path) && p.re.MatchString(path) {
			return path
		}
	}
	return ""
}

// shortest returns a short text that the pattern matches; "" if none is found.
func (p pattern) shortest() string {
	if p.re == nil {
		return ""
	}
	tree, err := syntax.Parse(p.text, syntax.Perl)
	if err != nil {
		return ""
	}
	return leastMatch(tree)
}

// leastMatch returns a short text that a regular expression matches, apart from
// assertions.
func leastMatch(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		return string(re.Rune)
	case syntax.OpCharClass:
		return sampleOf(re.Rune)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return "x"
	case syntax.OpCapture, syntax.OpPlus:
		return leastMatch(re.Sub[0])
	case syntax.OpRepeat:
		return strings.Repeat(leastMatch(re.Sub[0]), min(re.Min, maxPattern))
	case syntax.OpAlternate:
		return leastMatch(re.Sub[0])
	case syntax.OpConcat:
		var out strings.Builder
		for _, part := range re.Sub {
			if out.Len() < maxPattern {
				out.WriteString(leastMatch(part))
			}
		}
		return out.String()
	}
	return ""
}

// sampleOf returns a character of a class, given as pairs of bounds.
func sampleOf(bounds []rune) string {
	for _, c := range "a1/-_." {
		for pair := range slices.Chunk(bounds, 2) {
			if pair[0] <= c && c <= pair[1] {
				return string(c)
			}
		}
	}
	return ""
}

// route returns a route of the paths that the pattern matches. It returns false if none
// is known.
func (p pattern) route(at position) (route, bool) {
	path := p.sample()
	r := route{position: at, path: path, to: path}
	r.exact = !strings.HasSuffix(path, "/") || !p.matches(path+pathBelow)
	if !p.determines(path) {
		r.guess = phrase.New("one of the paths that match %s: write a page that exists", p.text)
	}
	return r, path != ""
}

// determines reports whether the pattern leaves no choice of the path: it is the only one, or the
// beginning of all, as in a location without a pattern.
func (p pattern) determines(path string) bool {
	tree, err := syntax.Parse(p.text, syntax.Perl)
	return err == nil && leavesNoChoice(tree) && strings.TrimPrefix(path, "/") == strings.TrimPrefix(leastMatch(tree), "/")
}

// leavesNoChoice reports whether every text that a regular expression matches begins with its
// leastMatch.
func leavesNoChoice(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral, syntax.OpEmptyMatch, syntax.OpStar, syntax.OpQuest, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText:
		return true
	case syntax.OpCapture:
		return leavesNoChoice(re.Sub[0])
	case syntax.OpConcat:
		for i, part := range re.Sub {
			if !leavesNoChoice(part) || leastMatch(part) != "" && slices.ContainsFunc(re.Sub[:i], hasOptional) {
				return false
			}
		}
		return true
	}
	return false
}

// hasOptional reports whether a part of a regular expression may be absent.
func hasOptional(re *syntax.Regexp) bool {
	return re.Op == syntax.OpStar || re.Op == syntax.OpQuest || slices.ContainsFunc(re.Sub, hasOptional)
}

// pathBelow stands for any path below a prefix.
const pathBelow = "x/y.z"

// mapped returns the route of the paths that the pattern matches, which are replaced by
// a text with $0 to $9: a prefix where it maps all paths below it alike, else a single
// path. It returns false if no path is known.
func (p pattern) mapped(at position, replacement string) (route, bool) {
	r, ok := p.route(at)
	if !ok || strings.Contains(numbered.ReplaceAllString(replacement, ""), "$") {
		return route{}, false
	}
	r.to = p.replace(r.path, replacement)
	if !r.exact && p.replace(r.path+pathBelow, replacement) != r.to+pathBelow {
		r.exact = true
	}
	return r, strings.HasPrefix(r.to, "/")
}

// numbered matches references to groups.
var numbered = regexp.MustCompile(`\$([0-9])`)

// replace returns the replacement for a path, with the groups that the pattern matched.
func (p pattern) replace(path, replacement string) string {
	groups := p.re.FindStringSubmatchIndex(path)
	return string(p.re.ExpandString(nil, numbered.ReplaceAllString(replacement, "$${$1}"), path, groups))
}

// backReference matches HAProxy's references to groups.
var backReference = regexp.MustCompile(`\\([0-9])`)

// substitute replaces the first match of the pattern in a path, or the whole path, as
// HAProxy's regsub and replace-path do, with a text that has \0 to \9.
func (p pattern) substitute(path, replacement string, whole bool) string {
	groups := p.re.FindStringSubmatchIndex(path)
	if groups == nil {
		return path
	}
	replaced := string(p.re.ExpandString(nil, backReference.ReplaceAllString(replacement, "$${$1}"), path, groups))
	if whole {
		return replaced
	}
	return path[:groups[0]] + replaced + path[groups[1]:]
}
