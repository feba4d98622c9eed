package importer

import (
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

// insert replaces imports of snippets by their directives.
func (s snippets) insert(tree []directive) ([]directive, error) {
	left := maxInserted
	var insert func(tree []directive, args []string, depth int) ([]directive, error)
	insert = func(tree []directive, args []string, depth int) ([]directive, error) {
		if tree == nil {
			return nil, nil
		}
		out := make([]directive, 0, len(tree))
		for _, d := range tree {
			if left--; left < 0 {
				return nil, d.errorf("the snippets come to more than %d lines", maxInserted)
			}
			d.args = withArguments(d.args, args)
			block, given := d.block, args
			snippet, known := s[d.arg(0)]
			known = known && d.name == "import"
			if known {
				block, given = snippet, d.args[1:]
			}
			if depth > maxDepth {
				return nil, d.errorf("more than %d blocks or snippets in each other", maxDepth)
			}
			block, err := insert(block, given, depth+1)
			if err != nil {
				return nil, err
			}
			if known {
				out = append(out, block...)
				continue
			}
			d.block = block
			out = append(out, d)
		}
		return out, nil
	}
	return insert(tree, nil, 0)
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
			return nil, d.errorf("a \"{\" ends its line, and a \"}\" stands alone on its own")
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
