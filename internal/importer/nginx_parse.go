package importer

import (
	"bytes"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

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

// An nginxParser reads tokens as ngx_conf_read_token does: a backslash escapes the next
// byte, quotes count only at the beginning of a word, and a "}" inside a word is part of
// it. The contents of Lua blocks are skipped, and placeholders of templates are words.
type nginxParser struct {
	file string
	text []byte
	at   int // position of the next byte
	line int

	words     []string // of the current statement
	startLine int      // first line of the current statement
	open      []directive
	notes     noteList
}

// parseNginx parses one file.
func parseNginx(file, text string) ([]directive, noteList, error) {
	n := &nginxParser{file: file, text: []byte(text), line: 1, open: []directive{{position: position{file: file}}}}
	for n.at < len(n.text) {
		if err := n.step(); err != nil {
			return nil, nil, err
		}
	}
	if len(n.words) > 0 {
		return nil, nil, n.start().errorf("the file ends where a \";\" should end %s", quoted(n.words[0]))
	}
	if d := n.top(); len(n.open) > 1 {
		return nil, nil, d.errorf("the file ends where a \"}\" should close %s", quoted(d.name))
	}
	return n.open[0].block, n.notes, nil
}

func (n *nginxParser) position() position { return position{n.file, n.line} }
func (n *nginxParser) start() position    { return position{n.file, n.startLine} }
func (n *nginxParser) top() *directive    { return &n.open[len(n.open)-1] }

// step reads one token.
func (n *nginxParser) step() error {
	switch c := n.text[n.at]; {
	case bytes.IndexByte([]byte(" \t\r\n"), c) >= 0:
		n.skip(1)
	case c == '#':
		n.comment()
	case c == ';':
		return n.end()
	case c == '{' && n.templateLength() == 0:
		return n.openBlock()
	case c == '}':
		return n.closeBlock()
	case c == '"' || c == '\'':
		return n.quoted(c)
	case c == '`':
		return n.position().errorf("a backquote, which nginx has no use for: is it left over from a document?")
	default:
		return n.word()
	}
	return nil
}

// maxComment is the length of a comment that may once have been several lines, in
// bytes.
const maxComment = 300

// comment skips a comment. If line ends were lost, it contains all that follows.
func (n *nginxParser) comment() {
	text := n.text[n.at : n.at+lineLength(n.text[n.at:])]
	if len(text) > maxComment && bytes.ContainsAny(text, "{}") && bytes.Contains(text, []byte(";")) {
		n.notes.note("%s: a comment of %d bytes has statements in it: were line ends lost?", n.position(), len(text))
	}
	n.skip(len(text))
}

// skip advances by a number of bytes, and counts lines.
func (n *nginxParser) skip(length int) {
	n.line += bytes.Count(n.text[n.at:n.at+length], []byte("\n"))
	n.at += length
}

func lineLength(text []byte) int {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return i
	}
	return len(text)
}

// statement returns the directive of the current words, and ends them.
func (n *nginxParser) statement() directive {
	d := directive{position: n.start(), name: n.words[0], args: n.words[1:]}
	n.words = nil
	return d
}

// end handles the ";" after a statement.
func (n *nginxParser) end() error {
	if len(n.words) == 0 {
		return n.position().errorf("unexpected \";\"")
	}
	if err := n.arity(false); err != nil {
		return err
	}
	n.top().block = append(n.top().block, n.statement())
	n.skip(1)
	return nil
}

func (n *nginxParser) openBlock() error {
	if len(n.words) == 0 {
		return n.position().errorf("unexpected \"{\": a block needs a name before it")
	}
	if len(n.open) > maxDepth {
		return n.position().errorf("more than %d blocks in each other", maxDepth)
	}
	if err := n.arity(true); err != nil {
		return err
	}
	d := n.statement()
	d.block = []directive{}
	n.open = append(n.open, d)
	n.skip(1)
	if strings.HasSuffix(d.name, "_by_lua_block") {
		return n.lua()
	}
	return nil
}

func (n *nginxParser) closeBlock() error {
	if len(n.words) > 0 {
		return n.start().errorf("there is a \"}\" where a \";\" should end %s", quoted(n.words[0]))
	}
	if len(n.open) == 1 {
		return n.position().errorf("unexpected \"}\": there is no block to close")
	}
	d := *n.top()
	n.open = n.open[:len(n.open)-1]
	n.top().block = append(n.top().block, d)
	n.skip(1)
	return nil
}

// arities are the numbers of arguments of directives that often lack a ";".
var arities = map[string]struct {
	block    bool
	min, max int
}{
	"http":       {true, 0, 0},
	"upstream":   {true, 1, 1},
	"location":   {true, 1, 2},
	"include":    {false, 1, 1},
	"ip_hash":    {false, 0, 0},
	"proxy_pass": {false, 1, 1},
	"listen":     {false, 1, 100},
}

// arity reports a statement with too few or too many arguments, which usually lacks a
// ";".
func (n *nginxParser) arity(block bool) error {
	want, known := arities[n.words[0]]
	got := len(n.words) - 1
	switch {
	case !known || want.block != block && n.words[0] != "http":
		return nil
	case got > want.max:
		return n.start().errorf("invalid number of arguments in %q: expected at most %d, got %d: is a \";\" missing?",
			n.words[0], want.max, got)
	case got < want.min:
		return n.start().errorf("invalid number of arguments in %q: expected at least %d, got %d", n.words[0], want.min, got)
	}
	return nil
}

// add adds a word that ends at a position of the text.
func (n *nginxParser) add(word string, end int) {
	if len(n.words) == 0 {
		n.startLine = n.line
	}
	n.words = append(n.words, nginxEscapes.Replace(word))
	n.skip(end - n.at)
}

// nginxEscapes are the escapes that nginx resolves; it keeps any other backslash.
var nginxEscapes = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\'`, `'`, `\t`, "\t", `\r`, "\r", `\n`, "\n")

// quoted reads a quoted word.
func (n *nginxParser) quoted(quote byte) error {
	for i := n.at + 1; i < len(n.text); i++ {
		switch n.text[i] {
		case '\\':
			i++
		case quote:
			n.add(string(n.text[n.at+1:i]), i+1)
			return nil
		}
	}
	return n.position().errorf("the quote %c is never closed", quote)
}

// word reads an unquoted word.
func (n *nginxParser) word() error {
	end := n.wordEnd()
	word := string(n.text[n.at:end])
	if strings.ContainsAny(word, "；｛｝") {
		return n.position().errorf("%s has a full-width punctuation mark, which is none to nginx", quoted(word))
	}
	if strings.ContainsAny(word, "\u00a0\u3000") {
		return n.position().errorf("%s has a blank that is none to nginx (U+00A0 or U+3000): is it left over from a document?", quoted(word))
	}
	if len(n.words) == 0 && len(word) > 2 && strings.Trim(word, ".…") == "" {
		n.notes.note("%s: %s is a placeholder for omitted text, which is missing here", n.position(), word)
		n.skip(end - n.at)
		return nil
	}
	if len(n.words) == 0 && templateStatement.MatchString(word) {
		n.notes.note("%s: %s is a statement of a template: all its alternatives are read as if they applied", n.position(), quoted(word))
		n.skip(end - n.at)
		return nil
	}
	n.add(word, end)
	return nil
}

func (n *nginxParser) wordEnd() int {
	for i := n.at; i < len(n.text); {
		rest := n.text[i:]
		switch template := templateLength(rest); {
		case template > 0:
			i += template
		case rest[0] == '\\':
			i += 2
		case bytes.HasPrefix(rest, []byte("${")):
			i += 2
		case bytes.IndexByte([]byte(" \t\r\n;{"), rest[0]) >= 0:
			return i
		default:
			i++
		}
	}
	return len(n.text)
}

func (n *nginxParser) templateLength() int { return templateLength(n.text[n.at:]) }

// templateStatement matches a statement of a template, which stands between directives.
var templateStatement = regexp.MustCompile(`^(\{[%#]|<%[^=]|\{\{-?\s*(if|else|end|range|with|define|template|block|include|/\*)\b)`)

// templateMarks are the delimiters of placeholders in templates: Jinja and Go, ERB.
var templateMarks = [][2]string{{"{{", "}}"}, {"{%", "%}"}, {"{#", "#}"}, {"<%", "%>"}}

// templateLength returns the length of the placeholder of a template at the beginning
// of text; 0: there is none. A placeholder does not span lines.
func templateLength(text []byte) int {
	for _, mark := range templateMarks {
		if !bytes.HasPrefix(text, []byte(mark[0])) {
			continue
		}
		if i := bytes.Index(text[:lineLength(text)], []byte(mark[1])); i > 0 {
			return i + len(mark[1])
		}
	}
	return 0
}

// quoted quotes a word of a file for an error.
func quoted(word string) string { return `"` + probes.Clean(word, 60) + `"` }

// lua skips the contents of a Lua block except its closing "}". Braces in Lua's strings
// and comments do not count.
func (n *nginxParser) lua() error {
	depth := 0
	for i := n.at; i < len(n.text); {
		switch c := n.text[i]; {
		case c == '}' && depth == 0:
			n.skip(i - n.at)
			return nil
		case c == '}':
			depth--
			i++
		case c == '{':
			depth++
			i++
		default:
			i += luaToken(n.text[i:])
		}
	}
	return n.top().errorf("the file ends where a \"}\" should close %s", quoted(n.top().name))
}

// luaToken returns the length of the string or comment at the beginning of text, else
// 1.
func luaToken(text []byte) int {
	switch {
	case bytes.HasPrefix(text, []byte("--")):
		if long := luaLong(text[2:]); long > 0 {
			return 2 + long
		}
		return lineLength(text)
	case text[0] == '[':
		return max(luaLong(text), 1)
	case text[0] == '"' || text[0] == '\'':
		for i := 1; i < len(text); i++ {
			switch text[i] {
			case '\\':
				i++
			case text[0], '\n':
				return i + 1
			}
		}
		return len(text)
	}
	return 1
}

// luaLong returns the length of the long bracket [=[ ]=] at the beginning of text; 0 if
// there is none.
func luaLong(text []byte) int {
	if len(text) == 0 || text[0] != '[' {
		return 0
	}
	level := len(text[1:]) - len(bytes.TrimLeft(text[1:], "="))
	if len(text) < level+2 || text[level+1] != '[' {
		return 0
	}
	end := slices.Concat([]byte{']'}, bytes.Repeat([]byte{'='}, level), []byte{']'})
	inside := text[level+2:]
	if i := bytes.Index(inside, end); i >= 0 {
		return level + 2 + i + len(end)
	}
	return len(text)
}
