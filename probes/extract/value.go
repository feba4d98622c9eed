package extract

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"stickwatch/probes"
)

// clean makes a value fit to be shown, compared and kept: valid UTF-8, white
// space as single blanks, nothing that moves a cursor or reorders text, and at
// most probes.MaxValue bytes. What is empty then is no value.
func clean(s string) (string, bool) {
	s = strings.Map(visible, strings.ToValidUTF8(s, string(utf8.RuneError)))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > probes.MaxValue {
		end := probes.MaxValue
		for !utf8.RuneStart(s[end]) {
			end--
		}
		s = strings.TrimSpace(s[:end])
	}
	return s, s != ""
}

// visible keeps what can be seen, blanks for white space, and drops the rest:
// controls, and format characters such as a right-to-left override.
func visible(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp):
		return -1
	default:
		return r
	}
}

const (
	quotes   = "\"'“”‘’「」"
	brackets = "(（[【"
)

// leading returns the value a text begins with, and what follows it. A value has no
// white space in it; it ends with its element, at quotes, at a comma and the
// like, and at all punctuation that is not ASCII.
func leading(s string) (value, rest string, ok bool) {
	s = strings.TrimLeft(s, blanks)
	s = s[:min(len(s), 4*probes.MaxValue)] // labels may be many, and each looks ahead
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

// whole returns the value that a text consists of, but for a remark in brackets
// after it. A text that goes on in any other way is a sentence.
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

// plausible tells values from words around them. A name has a letter or digit
// of ASCII; one with others too, as Chinese nodes may have, is told from a
// sentence by its digit. What ends with a colon is the next label.
func plausible(s string) bool {
	switch strings.ToLower(s) {
	case "null", "undefined", "n/a":
		return false
	}
	ascii := strings.IndexFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) < 0
	return !strings.HasSuffix(s, ":") && (hasDigit(s) || ascii && strings.ContainsFunc(s, unicode.IsLetter))
}

func hasDigit(s string) bool { return strings.ContainsAny(s, "0123456789") }
