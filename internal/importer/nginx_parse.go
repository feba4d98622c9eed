package importer

import (
	"path/filepath"
	"strings"

	"github.com/tufanbarisyildirim/gonginx/config"
	"github.com/tufanbarisyildirim/gonginx/parser"

	"stickwatch/probes"
)

// loadNginx reads nginx.conf and what it includes, or the output of `nginx -T`.
func loadNginx(src source, file string) (tree []directive, notes noteList, err error) {
	text, err := src.read(file)
	if err != nil {
		return nil, nil, err
	}
	if main, files := dump(text); main != "" {
		src, file = files, main
	} else if file == standardInput {
		src = overlay{src, file, text} // it cannot be read twice
	}
	l := &loader{source: src}
	l.parse = func(file, text string) ([]directive, error) {
		tree, notes, err := parseNginx(file, text)
		l.noteList = append(l.noteList, notes...)
		return tree, err
	}
	l.included = func(d directive) []string {
		if d.name != "include" || len(d.args) == 0 {
			return nil
		}
		if pattern := d.args[0]; filepath.IsAbs(pattern) {
			return []string{pattern}
		}
		return []string{filepath.Join(filepath.Dir(file), d.args[0])}
	}
	tree, err = l.load(file)
	return tree, l.noteList, err
}

// An overlay is a source in which one file has been read already.
type overlay struct {
	source
	name, text string
}

func (o overlay) read(name string) (string, error) {
	if name == o.name {
		return o.text, nil
	}
	return o.source.read(name)
}

// parseNginx is the tree of one file.
func parseNginx(file, text string) ([]directive, noteList, error) {
	checked, begins, notes, err := checkNginx(file, text)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := parser.NewStringParser(checked, parser.WithSkipValidDirectivesErr(), parser.WithSkipComments()).Parse()
	if err != nil {
		return nil, nil, position{file: file}.errorf("parsing: %s", probes.Clean(err.Error(), maxNote)) // it quotes the file
	}
	c := nginxConverter{file, begins}
	return c.block(parsed.GetDirectives()), notes, nil
}

// An nginxConverter makes directives of the parser's, with the lines where blocks
// begin.
type nginxConverter struct {
	file   string
	begins nginxBegins // of the blocks that are still to come
}

func (c *nginxConverter) block(from []config.IDirective) []directive {
	var out []directive
	for _, d := range from {
		out = append(out, c.directive(d))
	}
	return out
}

func (c *nginxConverter) directive(from config.IDirective) directive {
	out := directive{position: position{c.file, from.GetLine()}, name: unquote(from.GetName())}
	for _, p := range from.GetParameters() {
		out.args = append(out.args, unquote(p.GetValue()))
	}
	block := from.GetBlock()
	if block == nil {
		return out
	}
	out.block = c.block(block.GetDirectives())
	end := nginxBlock{out.name, out.line}
	if lines := c.begins[end]; len(lines) > 0 {
		out.line, c.begins[end] = lines[0], lines[1:]
	}
	return out
}

// unquote takes the quotes off a word: the parser keeps them.
func unquote(word string) string {
	if len(word) < 2 || word[0] != '"' && word[0] != '\'' || word[len(word)-1] != word[0] {
		return word
	}
	quote := word[:1]
	return strings.ReplaceAll(word[1:len(word)-1], `\`+quote, quote)
}
