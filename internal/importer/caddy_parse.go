package importer

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// loadCaddy loads a Caddyfile with the files and snippets that it imports.
func loadCaddy(src source, file string) ([]directive, noteList, error) {
	known := snippets{}
	l := &loader{source: src}
	l.parse = func(file, text string) ([]directive, error) {
		if json.Valid([]byte(text)) {
			return nil, position{file, 1}.errorf("this is Caddy's JSON: give the Caddyfile from which it was adapted")
		}
		tree, err := parseCaddy(file, text)
		known.collect(tree)
		return tree, err
	}
	l.included = func(d directive) []string {
		if d.name != "import" || len(d.args) == 0 || known[d.arg(0)] != nil {
			return nil
		}
		if filepath.IsAbs(d.arg(0)) {
			return []string{d.arg(0)}
		}
		return []string{filepath.Join(filepath.Dir(d.file), d.arg(0))}
	}
	tree, err := l.load(file)
	if err != nil {
		return nil, nil, err
	}
	known.collect(tree) // again, because the imports of snippets are expanded now
	tree, err = known.insert(tree)
	return tree, l.noteList, err
}

// snippets are importable blocks by name.
type snippets map[string][]directive

func (s snippets) collect(tree []directive) {
	for _, d := range tree {
		if name, ok := strings.CutPrefix(d.name, "("); ok && strings.HasSuffix(name, ")") && d.block != nil {
			s[strings.TrimSuffix(name, ")")] = d.block
		}
	}
}

// maxInserted limits the directives that result from nested snippets.
const maxInserted = 50_000

// insert replaces imports of snippets by their directives, and in these {args[0]} and
// {block} by the arguments and the block of the import.
func (s snippets) insert(tree []directive) ([]directive, error) {
	left := maxInserted
	var insert func(tree []directive, from directive, depth int) ([]directive, error)
	insert = func(tree []directive, from directive, depth int) ([]directive, error) {
		if tree == nil {
			return nil, nil
		}
		out := make([]directive, 0, len(tree))
		for _, line := range tree {
			if left--; left < 0 {
				return nil, line.errorf("the snippets come to more than %d lines", maxInserted)
			}
			words := withArguments(append([]string{line.name}, line.args...), from.args)
			line.name, line.args = words[0], words[1:]
			block, given := line.block, from
			inner, replaced := from.blockOf(line.name)
			if snippet, ok := s[line.arg(0)]; ok && line.name == "import" {
				block, given, replaced = snippet, line, true
				given.args = line.args[1:]
			} else if replaced {
				block, given = inner, directive{}
			}
			if depth > maxDepth {
				return nil, line.errorf("more than %d blocks or snippets in each other", maxDepth)
			}
			block, err := insert(block, given, depth+1)
			if err != nil {
				return nil, err
			}
			if replaced {
				out = append(out, block...)
				continue
			}
			line.block = block
			out = append(out, line)
		}
		return out, nil
	}
	return insert(tree, directive{}, 0)
}

// blockOf returns the part of the block of an import for which {block} or {blocks.NAME}
// stands in its snippet.
func (d directive) blockOf(placeholder string) ([]directive, bool) {
	if placeholder == "{block}" {
		return d.block, true
	}
	name, ok := strings.CutPrefix(strings.TrimSuffix(placeholder, "}"), "{blocks.")
	if !ok {
		return nil, false
	}
	inner, _ := last(d.block, name)
	return inner.block, true
}

var argument = regexp.MustCompile(`\{args(?:\.|\[)(\d)\]?\}`)

// withArguments replaces the placeholders of a snippet's arguments.
func withArguments(words, args []string) []string {
	if len(args) == 0 {
		return words
	}
	var out []string
	for _, word := range words {
		if word == "{args[:]}" {
			out = append(out, args...)
			continue
		}
		out = append(out, argument.ReplaceAllStringFunc(word, func(placeholder string) string {
			i := int(argument.FindStringSubmatch(placeholder)[1][0] - '0')
			if i < len(args) {
				return args[i]
			}
			return placeholder
		}))
	}
	return out
}

// parseCaddy parses one file: a directive per line, with a block where the line ends in
// "{". The block of global options has the name "".
func parseCaddy(file, text string) ([]directive, error) {
	words, err := caddyWords(file, text)
	if err != nil {
		return nil, err
	}
	open := []directive{{position: position{file: file}, block: []directive{}}}
	for len(words) > 0 {
		line := caddyLine(words)
		words = words[len(line):]
		d := directive{position: position{file, line[0].line}}
		top := &open[len(open)-1]
		switch last := line[len(line)-1]; {
		case line[0].is("}"):
			if len(open) == 1 {
				return nil, d.errorf("unexpected \"}\": there is no block to close")
			}
			if len(line) > 1 {
				return nil, d.errorf("unexpected %s behind a \"}\"", quoted(line[1].text))
			}
			parent := &open[len(open)-2]
			parent.block = append(parent.block, *top)
			open = open[:len(open)-1]
		case last.is("{"):
			if len(open) > maxDepth {
				return nil, d.errorf("more than %d blocks in each other", maxDepth)
			}
			d.name, d.args = caddyStatement(line[:len(line)-1])
			d.block = []directive{}
			open = append(open, d)
		case slices.ContainsFunc(line, func(w caddyWord) bool { return w.is("{") || w.is("}") }):
			return nil, d.errorf("a \"{\" must end its line, and a \"}\" must be alone on its line")
		default:
			d.name, d.args = caddyStatement(line)
			top.block = append(top.block, d)
		}
	}
	if top := open[len(open)-1]; len(open) > 1 {
		return nil, top.errorf("the file ends where a \"}\" should close %s", quoted(top.name))
	}
	return open[0].block, nil
}

// caddyLine returns the words of the first statement: those of a line, and of the next
// one after a comma.
func caddyLine(words []caddyWord) []caddyWord {
	n := 1
	for n < len(words) && (words[n].line == words[n-1].end || strings.HasSuffix(words[n-1].text, ",")) {
		n++
	}
	return words[:n]
}

func caddyStatement(line []caddyWord) (name string, args []string) {
	for i, w := range line {
		text := strings.TrimSuffix(w.text, ",")
		if i == 0 {
			name = text
		} else if text != "" {
			args = append(args, text)
		}
	}
	return name, args
}

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
	switch text[0] {
	case '"':
		end := closingQuote(text)
		if end < 0 {
			return w, "", at.errorf("the quote \" is never closed")
		}
		return caddyWord{text: httpdUnescape(text[1:end], `"`), quoted: true}, text[end+1:], nil
	case '`':
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
