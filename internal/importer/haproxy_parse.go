package importer

import (
	"slices"
	"strings"
)

// haproxySections are the keywords that begin a section.
var haproxySections = []string{
	"global", "defaults", "frontend", "backend", "listen", "peers", "resolvers", "userlist", "mailers", "program",
	"cache", "http-errors", "ring", "fcgi-app", "log-forward", "log-profile", "crt-store", "traces", "acme", "healthcheck",
}

// parseHAProxy parses a haproxy.cfg: sections with their lines as blocks. HAProxy has
// no includes.
func parseHAProxy(file, text string) ([]directive, error) {
	var out []directive
	for i, line := range strings.Split(text, "\n") {
		at := position{file, i + 1}
		words, err := haproxyWords(at, line)
		switch {
		case err != nil:
			return nil, err
		case len(words) == 0 || strings.HasPrefix(words[0], "."): // .if and similar
			continue
		}
		d := directive{position: at, name: words[0], args: words[1:]}
		if slices.Contains(haproxySections, d.name) {
			if needsName(d.name) && len(d.args) == 0 {
				return nil, at.errorf("%s needs a name", d.name)
			}
			out = append(out, d)
			continue
		}
		if len(out) == 0 {
			return nil, at.errorf("%s is outside of a section: expected global, defaults, frontend, backend or listen", quoted(d.name))
		}
		section := &out[len(out)-1]
		section.block = append(section.block, d)
	}
	return out, nil
}

func needsName(section string) bool {
	return section == "frontend" || section == "backend" || section == "listen"
}

// haproxyWords splits a line as HAProxy does: quotes may occur anywhere in a word, and
// a backslash escapes the next character except within '...'.
func haproxyWords(at position, line string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, quote := false, byte(0)
	end := func() {
		if inWord {
			words = append(words, word.String())
		}
		word.Reset()
		inWord = false
	}
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == quote && quote != 0:
			quote = 0
		case c == '\\' && quote != '\'' && i+1 < len(line):
			i++
			word.WriteByte(line[i])
			inWord = true
		case quote != 0:
			word.WriteByte(c)
		case c == '"' || c == '\'':
			quote, inWord = c, true
		case c == '#':
			end()
			return words, nil
		case c == ' ' || c == '\t' || c == '\r':
			end()
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, at.errorf("the quote %c is never closed", quote)
	}
	end()
	return words, nil
}
