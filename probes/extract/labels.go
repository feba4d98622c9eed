package extract

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"stickwatch/probes"
)

// LabelsIn returns an extractor of the value that a page for people shows next to one
// of these labels, in a table, a list, a line of text or JSON. The page is in charset,
// whatever it declares; "" is the declared one. An unknown charset is an error.
//
// A label is one of the names, in any case, or one with another in brackets after it:
// 当前节点（node）. It must be at the start of a line or element, or after a comma or
// similar, and a value must follow: after a colon or an equals sign (ASCII or
// full-width), in the next cell, below it in a table with a heading, or in the next
// inline element. Text that only mentions a label, and labels without a value next to
// them, have no value.
func LabelsIn(charset string, names ...string) (probes.Extractor, error) {
	if err := checkCharset(charset); err != nil {
		return nil, err
	}
	return labels{charset, newNames(names)}, nil
}

type labels struct {
	charset string
	names   names
}

func (l labels) Extract(doc probes.Document) (string, bool) {
	text := strings.TrimSpace(decode(doc, l.charset))
	if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		if root, ok := parseJSON(text); ok {
			return l.names.inJSON(root)
		}
	}
	rows := probes.Derived(doc, rowsIn(l.charset), func() []row { return readRows(text, isPlain(doc, text)) })
	v, ok := l.names.inRows(rows)
	if !ok {
		v, ok = l.names.stacked(rows)
	}
	if !ok {
		return "", false
	}
	return clean(v)
}

// A rowsIn is the key of the rows of a page in a charset.
type rowsIn string

// inRows finds a label and the value next to it.
func (n names) inRows(rows []row) (string, bool) {
	for i, r := range rows {
		var below row
		if i+1 < len(rows) {
			below = rows[i+1]
		}
		for column, c := range r {
			if n.isLabel(c.text) {
				if v, ok := beside(r, below, column); ok {
					return v, true
				}
			}
			if v, ok := n.inLines(c.lines()); ok {
				return v, true
			}
		}
	}
	return "", false
}

// beside finds the value of a label that is a cell: to its right, or below if the row
// is a heading. A heading of ordinary cells is recognised by digits in the cell below,
// because names of nodes and ids of sessions have digits and words do not.
func beside(r, below row, column int) (string, bool) {
	right, under := r.value(column+1), below.value(column)
	if !r.heading() && !hasDigit(under) {
		under = ""
	}
	if right != "" && (under == "" || hasDigit(right)) {
		return right, true
	}
	return under, under != ""
}

// inLines finds a label and its value in one line, or in two if the first ends with a
// colon.
func (n names) inLines(lines []string) (string, bool) {
	for i, line := range lines {
		for _, at := range n.assigned.FindAllStringIndex(line, -1) {
			if !mayStart(line[:at[0]]) {
				continue
			}
			v, _, ok := leading(line[at[1]:])
			if at[1] == len(line) && i+1 < len(lines) {
				v, ok = whole(lines[i+1])
			}
			if ok {
				return v, true
			}
		}
		if v, ok := n.inPairs(line); ok {
			return v, true
		}
	}
	return "", false
}

// inPairs finds a label and its value in adjacent elements. The line may contain
// nothing but labels and values, because a sentence may also have words in bold.
func (n names) inPairs(line string) (string, bool) {
	if !strings.ContainsRune(line, edge) {
		return "", false
	}
	parts := slices.DeleteFunc(strings.Split(line, string(edge)), blank)
	if len(parts)%2 != 0 {
		return "", false
	}
	value, found := "", false
	for pair := range slices.Chunk(parts, 2) {
		v, ok := whole(pair[1])
		if !ok {
			return "", false
		}
		if !found && n.isLabel(pair[0]) {
			value, found = v, true
		}
	}
	return value, found
}

// stacked finds a label and its value in lines of their own, without a sign. Headings
// and menus have the same form, so the value must have a digit.
func (n names) stacked(rows []row) (string, bool) {
	for _, r := range rows {
		for _, c := range r {
			lines := c.lines()
			for i := 1; i < len(lines); i++ {
				if !n.isLabel(lines[i-1]) {
					continue
				}
				if v, ok := whole(lines[i]); ok && hasDigit(v) {
					return v, true
				}
			}
		}
	}
	return "", false
}

// inJSON finds a member named as a label, at the top or one level down. Elements of an
// array are on the level of the array.
func (n names) inJSON(root any) (string, bool) {
	level := []any{root}
	for range 2 {
		var deeper []any
		for i := 0; i < len(level); i++ {
			switch v := level[i].(type) {
			case []any:
				level = append(level, v...)
			case *object:
				if s, ok := n.member(v); ok {
					return s, true
				}
				for _, key := range v.keys {
					deeper = append(deeper, v.values[key])
				}
			}
		}
		level = deeper
	}
	return "", false
}

func (n names) member(o *object) (string, bool) {
	for _, key := range o.keys {
		v := o.values[key]
		if _, flag := v.(bool); flag || !n.isLabel(key) {
			continue // whether there is a session does not show its id
		}
		if s, ok := scalar(v); ok {
			if s, ok = clean(s); ok && plausible(s) {
				return s, true
			}
		}
	}
	return "", false
}

// names recognises labels.
type names struct {
	alone    *regexp.Regexp // a text that is only a label
	assigned *regexp.Regexp // a label and the sign before its value
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

// isLabel reports whether s is a label. Labels are short, so it bounds the length.
func (n names) isLabel(s string) bool { return len(s) <= 256 && n.alone.MatchString(s) }

var bullet = regexp.MustCompile(`^` + gap + `(?:[-*•·>]|\d{1,3}[.)、])$`)

// mayStart reports whether a label may follow the text before it in its line: nothing,
// an element, a comma or similar, a bullet, or the value of an earlier label. "primary
// node: 2" has no value of "node".
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

const (
	quotes   = "\"'“”‘’「」"
	brackets = "(（[【"
)

// leading returns the value at the beginning of a text, and the text after it. A value
// has no white space; it ends with its element, at quotes, at a comma or similar, and
// at punctuation outside ASCII.
func leading(s string) (value, rest string, ok bool) {
	s = strings.TrimLeft(s, blanks)
	s = s[:min(len(s), 4*probes.MaxValue)] // there may be many labels, and each reads ahead
	quoted := strings.TrimLeft(s, quotes)
	end := strings.IndexFunc(quoted, ends)
	if end < 0 {
		end = len(quoted)
	}
	value, rest = quoted[:end], quoted[end:]
	if len(quoted) < len(s) {
		rest = strings.TrimLeft(rest, quotes)
	}
	value = trimBracket(strings.TrimRight(value, "."))
	return value, rest, plausible(value)
}

// whole returns the value if a text consists of it, except for a remark in brackets
// after it. A text with more words is a sentence.
func whole(s string) (string, bool) {
	value, rest, ok := leading(s)
	rest = strings.TrimLeft(rest, blanks)
	remark, _ := utf8.DecodeRuneInString(rest)
	return value, ok && (rest == "" || strings.ContainsRune(brackets, remark))
}

func ends(r rune) bool {
	return r == ' ' || r == '\n' || r == edge ||
		strings.ContainsRune(`"',;<>|&{}`, r) || r > unicode.MaxASCII && unicode.In(r, unicode.P, unicode.S)
}

// trimBracket drops a bracket that was opened before the value.
func trimBracket(s string) string {
	for _, pair := range []string{"()", "[]"} {
		if strings.HasSuffix(s, pair[1:]) && !strings.Contains(s, pair[:1]) {
			s = s[:len(s)-1]
		}
	}
	return s
}

// plausible distinguishes values from words. A name has a letter or digit of ASCII. A
// name that has other characters too, as Chinese nodes may have, is distinguished from
// a sentence by a digit. A text that ends with a colon is the next label.
func plausible(s string) bool {
	switch strings.ToLower(s) {
	case "null", "undefined", "n/a":
		return false
	}
	ascii := strings.IndexFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) < 0
	return !strings.HasSuffix(s, ":") && (hasDigit(s) || ascii && strings.ContainsFunc(s, unicode.IsLetter))
}

func hasDigit(s string) bool { return strings.ContainsAny(s, "0123456789") }
