package extract

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// names recognises labels.
type names struct {
	alone    *regexp.Regexp // a text that is a label and nothing else
	assigned *regexp.Regexp // a label and the sign that announces its value
}

const (
	gap  = `[ \x1f]*`
	sign = gap + `[` + signs + `]` + gap
)

func newNames(list []string) names {
	var quoted []string
	for _, name := range list {
		if words := strings.Fields(regexp.QuoteMeta(strings.ToValidUTF8(name, ""))); len(words) > 0 {
			quoted = append(quoted, strings.Join(words, " +"))
		}
	}
	if len(quoted) == 0 {
		quoted = []string{`[^\s\S]`} // matches nothing
	}
	name := `(?:` + strings.Join(quoted, "|") + `)`
	label := `(?i:` + name + `(?:` + gap + `[(（] *` + name + ` *[)）])?)`
	return names{
		alone:    regexp.MustCompile(`^` + gap + `["']?` + label + `["']?(?:` + sign + `)?` + gap + `$`),
		assigned: regexp.MustCompile(`["']?` + label + `["']?` + sign),
	}
}

// isLabel bounds what it looks at: no label is long.
func (n names) isLabel(s string) bool { return len(s) <= 256 && n.alone.MatchString(s) }

var bullet = regexp.MustCompile(`^` + gap + `(?:[-*•·>]|\d{1,3}[.)、])$`)

// mayStart reports whether a label can stand after what precedes it in its
// line: nothing, an element, a comma and the like, a bullet, or the value of a
// label before it. "primary node: 2" is no value of "node".
func mayStart(before string) bool {
	trimmed := strings.TrimRight(before, " ")
	if trimmed == "" || endsIn(trimmed, openers) {
		return true
	}
	if trimmed == before {
		return false
	}
	if len(trimmed) < 8 && bullet.MatchString(trimmed) {
		return true
	}
	last := trimmed[strings.LastIndexAny(trimmed, " "+string(edge))+1:]
	earlier := strings.TrimRight(strings.TrimSuffix(trimmed, last), blanks)
	return strings.ContainsAny(last, signs) || endsIn(earlier, signs)
}

const (
	openers = ",;|&{[(，；、。（｜" + string(edge)
	signs   = ":=：＝"
)

func endsIn(s, set string) bool {
	r, size := utf8.DecodeLastRuneInString(s)
	return size > 0 && strings.ContainsRune(set, r)
}
