package importer

import (
	"bytes"
	"slices"
	"strings"

	"stickwatch/probes"
)

// nginxText prepares an nginx.conf for the parser. The parser fails on braces in Lua's
// strings, treats a stray "}" as the end of the file, drops a block without a name, and
// reports no line for an unclosed one. Therefore the structure is checked here, with
// nginx's error messages where they exist, and Lua is blanked out.
type nginxText struct {
	file string
	text []byte
	at   int // position of the next byte
	line int

	words     []string // of the current statement
	startLine int      // first line of the current statement
	open      []nginxBlock
	begins    nginxBegins
	notes     noteList
}

type nginxBlock struct {
	name string
	line int
}

// nginxBegins are the first lines of blocks, by their names and last lines: the parser
// records only the last line of a block.
type nginxBegins map[nginxBlock][]int

// checkNginx returns text that the parser can read, and the lines where its blocks
// begin.
func checkNginx(file, text string) (checked string, begins nginxBegins, notes noteList, err error) {
	n := &nginxText{file: file, text: []byte(text), line: 1, begins: nginxBegins{}}
	for n.at < len(n.text) {
		if err := n.step(); err != nil {
			return "", nil, nil, err
		}
	}
	if len(n.words) > 0 {
		return "", nil, nil, n.start().errorf("the file ends where a \";\" should end %s", quoted(n.words[0]))
	}
	if len(n.open) > 0 {
		b := n.open[len(n.open)-1]
		return "", nil, nil, position{file, b.line}.errorf("the file ends where a \"}\" should close %s", quoted(b.name))
	}
	return string(n.text), n.begins, n.notes, nil
}

func (n *nginxText) position() position { return position{n.file, n.line} }
func (n *nginxText) start() position    { return position{n.file, n.startLine} }

// step reads one token.
func (n *nginxText) step() error {
	switch c := n.text[n.at]; c {
	case ' ', '\t', '\r', '\n':
		n.skip(1)
	case '#':
		n.comment()
	case ';':
		return n.end()
	case '{':
		return n.openBlock()
	case '}':
		return n.closeBlock()
	case '"', '\'':
		return n.quoted(c)
	case '`':
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
func (n *nginxText) comment() {
	text := n.text[n.at : n.at+lineLength(n.text[n.at:])]
	if len(text) > maxComment && bytes.ContainsAny(text, "{}") && bytes.Contains(text, []byte(";")) {
		n.notes.note("%s: a comment of %d bytes has statements in it: were line ends lost?", n.position(), len(text))
	}
	n.skip(len(text))
}

// skip advances by a number of bytes, and counts lines.
func (n *nginxText) skip(bytes int) {
	for _, c := range n.text[n.at : n.at+bytes] {
		if c == '\n' {
			n.line++
		}
	}
	n.at += bytes
}

func lineLength(text []byte) int {
	if i := slices.Index(text, '\n'); i >= 0 {
		return i
	}
	return len(text)
}

// blank replaces bytes by spaces, except line ends.
func (n *nginxText) blank(bytes int) {
	for i := n.at; i < n.at+bytes; i++ {
		if n.text[i] != '\n' {
			n.text[i] = ' '
		}
	}
	n.skip(bytes)
}

// end handles the ";" after a statement.
func (n *nginxText) end() error {
	if len(n.words) == 0 {
		return n.position().errorf("unexpected \";\"")
	}
	err := n.arity(false)
	n.words = nil
	n.skip(1)
	return err
}

func (n *nginxText) openBlock() error {
	if len(n.words) == 0 {
		return n.position().errorf("unexpected \"{\": a block needs a name before it")
	}
	if len(n.open) >= maxDepth {
		return n.position().errorf("more than %d blocks in each other", maxDepth)
	}
	if err := n.arity(true); err != nil {
		return err
	}
	name := n.words[0]
	n.open = append(n.open, nginxBlock{name, n.startLine})
	n.words = nil
	n.skip(1)
	if strings.HasSuffix(name, "_by_lua_block") {
		return n.lua()
	}
	return nil
}

func (n *nginxText) closeBlock() error {
	if len(n.words) > 0 {
		return n.start().errorf("there is a \"}\" where a \";\" should end %s", quoted(n.words[0]))
	}
	if len(n.open) == 0 {
		return n.position().errorf("unexpected \"}\": there is no block to close")
	}
	b := n.open[len(n.open)-1]
	end := nginxBlock{b.name, n.line}
	n.begins[end] = append(n.begins[end], b.line)
	n.open = n.open[:len(n.open)-1]
	n.skip(1)
	return nil
}

// arities are the numbers of arguments of the directives that are used here, or for
// which the parser would fail without a line.
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
func (n *nginxText) arity(block bool) error {
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

func (n *nginxText) begin() {
	if len(n.words) == 0 {
		n.startLine = n.line
	}
}

// quoted reads a quoted word.
func (n *nginxText) quoted(quote byte) error {
	n.begin()
	from := n.position()
	for i := n.at + 1; i < len(n.text); i++ {
		switch n.text[i] {
		case '\\':
			i++
		case quote:
			n.words = append(n.words, string(n.text[n.at+1:i]))
			n.skip(i + 1 - n.at)
			return nil
		}
	}
	return from.errorf("the quote %c is never closed", quote)
}

// word reads an unquoted word, which ends as in the parser.
func (n *nginxText) word() error {
	n.begin()
	end, variable := n.at+1, n.text[n.at] == '$'
	for inside := false; end < len(n.text); end++ {
		c := n.text[end]
		if c == '{' && variable {
			inside = true
		} else if c == '}' && inside {
			inside = false
		} else if strings.IndexByte(" \t\r\n;", c) >= 0 || !inside && (c == '{' || c == '}') {
			break
		}
		variable = c == '$'
	}
	word := string(n.text[n.at:end])
	if strings.ContainsAny(word, "；｛｝") {
		return n.position().errorf("%s has a full-width punctuation mark, which is none to nginx", quoted(word))
	}
	if strings.ContainsAny(word, "\u00a0\u3000") {
		return n.position().errorf("%s has a blank that is none to nginx (U+00A0 or U+3000): is it left over from a document?", quoted(word))
	}
	if len(n.words) == 0 && len(word) > 2 && strings.Trim(word, ".…") == "" {
		n.notes.note("%s: %s is a placeholder for omitted text, which is missing here", n.position(), word)
		n.blank(end - n.at)
		return nil
	}
	n.words = append(n.words, word)
	n.skip(end - n.at)
	return nil
}

// quoted quotes a word of a file for an error.
func quoted(word string) string { return `"` + probes.Clean(word, 60) + `"` }

// lua blanks out the contents of a Lua block except its closing "}". Braces in Lua's
// strings and comments do not count.
func (n *nginxText) lua() error {
	depth := 0
	for i := n.at; i < len(n.text); {
		switch c := n.text[i]; {
		case c == '}' && depth == 0:
			n.blank(i - n.at)
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
	b := n.open[len(n.open)-1]
	return position{n.file, b.line}.errorf("the file ends where a \"}\" should close %s", quoted(b.name))
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
	end := append(append([]byte{']'}, bytes.Repeat([]byte{'='}, level)...), ']')
	inside := text[level+2:]
	if i := bytes.Index(inside, end); i >= 0 {
		return level + 2 + i + len(end)
	}
	return len(text)
}
