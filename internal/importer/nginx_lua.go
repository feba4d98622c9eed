package importer

import (
	"bytes"
)

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
