package importer

import (
	"path/filepath"
	"strings"

	"github.com/tufanbarisyildirim/gonginx/config"
	"github.com/tufanbarisyildirim/gonginx/parser"

	"stickwatch/probes"
)

// loadNginx loads nginx.conf with its includes, or the output of `nginx -T`.
func loadNginx(src source, file string) (tree []directive, notes noteList, err error) {
	text, err := src.read(file)
	if err != nil {
		return nil, nil, err
	}
	if main, files := dump(text); main != "" {
		src, file = files, main
	} else if file == standardInput {
		src = overlay{src, file, text} // standard input cannot be read twice
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

// An overlay is a source with one file in memory.
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

// parseNginx parses one file.
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

// An nginxConverter converts the parser's directives, and adds the lines where blocks
// begin.
type nginxConverter struct {
	file   string
	begins nginxBegins // of the remaining blocks
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

// unquote removes the quotes that the parser keeps.
func unquote(word string) string {
	if len(word) < 2 || word[0] != '"' && word[0] != '\'' || word[len(word)-1] != word[0] {
		return word
	}
	quote := word[:1]
	return strings.ReplaceAll(word[1:len(word)-1], `\`+quote, quote)
}
