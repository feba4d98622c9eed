package importer

import (
	"regexp"
	"strings"
)

// A caddyWord is a token of a Caddyfile.
type caddyWord struct {
	text      string
	line, end int // first and last line; they differ for tokens of several lines
	quoted    bool
}

// is reports whether w is an unquoted mark.
func (w caddyWord) is(mark string) bool { return !w.quoted && w.text == mark }

// caddyWords splits a file into tokens as Caddy does: white space separates tokens,
// quotes and backquotes count only at the beginning of a token, a backslash at the end
// of a line joins lines, and <<NAME starts a text that ends at NAME.
func caddyWords(file, text string) ([]caddyWord, error) {
	text = fallbacks(text)
	var words []caddyWord
	for line := 1; text != ""; {
		at := position{file, line}
		switch c := text[0]; {
		case c == '\n':
			line++
			text = text[1:]
		case c == ' ' || c == '\t' || c == '\r':
			text = text[1:]
		case strings.HasPrefix(text, "\\\n"), strings.HasPrefix(text, "\\\r\n"):
			_, text, _ = strings.Cut(text, "\n")
			line++
			if len(words) > 0 {
				words[len(words)-1].end = line
			}
		case c == '#':
			text = text[lineLength([]byte(text)):]
		default:
			word, rest, err := caddyWordOf(at, text)
			if err != nil {
				return nil, err
			}
			line += strings.Count(text[:len(text)-len(rest)], "\n")
			word.line, word.end = at.line, line
			words = append(words, word)
			text = rest
		}
	}
	return words, nil
}

// caddyWordOf returns the first token of text.
func caddyWordOf(at position, text string) (w caddyWord, rest string, err error) {
	switch {
	case text[0] == '"':
		end := closingQuote(text)
		if end < 0 {
			return w, "", at.errorf("the quote \" is never closed")
		}
		return caddyWord{text: httpdUnescape(text[1:end], `"`), quoted: true}, text[end+1:], nil
	case text[0] == '`':
		inside, rest, ok := strings.Cut(text[1:], "`")
		if !ok {
			return w, "", at.errorf("the quote ` is never closed")
		}
		return caddyWord{text: inside, quoted: true}, rest, nil
	}
	end := strings.IndexAny(text, " \t\r\n")
	if end < 0 {
		end = len(text)
	}
	word := text[:end]
	if !heredoc.MatchString(word) {
		return caddyWord{text: word}, text[end:], nil
	}
	mark := word[2:]
	body := text[end:]
	found := regexp.MustCompile(`(?m)^[ \t]*` + regexp.QuoteMeta(mark) + `\b`).FindStringIndex(body)
	if found == nil {
		return w, "", at.errorf("the text that %s begins is never ended by %s", quoted(word), quotedBare(mark))
	}
	return caddyWord{text: strings.TrimSpace(body[:found[0]]), quoted: true}, body[found[1]:], nil
}

var (
	heredoc     = regexp.MustCompile(`^<<[A-Za-z0-9_-]+$`)
	environment = regexp.MustCompile(`\{\$([A-Za-z_][A-Za-z0-9_]*):([^{}\n]*)\}`)
)

// fallbacks replaces {$NAME:DEFAULT} by the default, because Caddy's environment is not
// available here. A variable without a default is kept.
func fallbacks(text string) string { return environment.ReplaceAllString(text, "$2") }
