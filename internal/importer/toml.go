package importer

import "strings"

// A tomlParser parses TOML as Traefik's files use it: tables, arrays of tables, and
// values of all kinds as text. Dates and numbers are not checked.
type tomlParser struct {
	file, text string
	line       int
	depth      int
}

// parseTOML parses a file.
func parseTOML(file, text string) (value, error) {
	parser := &tomlParser{file: file, text: text, line: 1}
	root := value{position: position{file, 1}}
	var table []string   // the current table
	var current *value   // the current element of an array of tables; nil: none
	var outside []string // the array's own path
	for {
		parser.blank(true)
		if parser.text == "" {
			return root, nil
		}
		at := position{file, parser.line}
		if strings.HasPrefix(parser.text, "{{") {
			return root, at.errorf("%s", inTemplate)
		}
		if strings.HasPrefix(parser.text, "[") {
			path, array, err := parser.header()
			if err != nil {
				return root, err
			}
			if array {
				current, outside = root.appendItem(path, at), path
				table = nil
			} else if len(outside) > 0 && len(path) > len(outside) && strings.Join(path[:len(outside)], "\x00") == strings.Join(outside, "\x00") {
				table = path[len(outside):] // a table of the array's last element
			} else {
				current, outside, table = nil, nil, path
				root.set(path, value{position: at})
			}
			continue
		}
		path, err := parser.path()
		if err != nil {
			return root, err
		}
		v, err := parser.assigned()
		if err != nil {
			return root, err
		}
		target := &root
		if current != nil {
			target = current
		}
		target.set(append(append([]string{}, table...), path...), v)
	}
}

// header reads the header of a table, or of an element of an array of tables.
func (p *tomlParser) header() (path []string, array bool, err error) {
	end := "]"
	if array = strings.HasPrefix(p.text, "[["); array {
		end = "]]"
	}
	p.text = p.text[len(end):]
	if path, err = p.path(); err != nil {
		return nil, array, err
	}
	var closed bool
	if p.text, closed = strings.CutPrefix(p.text, end); !closed {
		return nil, array, p.errorf("the table is never closed by %s", end)
	}
	return path, array, nil
}

// appendItem appends a table to the array below a path.
func (v *value) appendItem(path []string, at position) *value {
	v.set(path, value{position: at, items: v.get(path...).items})
	for _, key := range path {
		v = &v.fields[v.index(key)]
	}
	v.items = append(v.items, value{position: at})
	return &v.items[len(v.items)-1]
}

func (p *tomlParser) errorf(format string, args ...any) error {
	return position{p.file, p.line}.errorf(format, args...)
}

// blank skips blanks and comments, and line ends if lines is true.
func (p *tomlParser) blank(lines bool) {
	for p.text != "" {
		switch c := p.text[0]; {
		case c == '\n' && lines:
			p.line++
		case c == '#':
			p.text = p.text[lineLength([]byte(p.text)):]
			continue
		case c != ' ' && c != '\t' && c != '\r':
			return
		}
		p.text = p.text[1:]
	}
}

// path reads a key of parts separated by dots.
func (p *tomlParser) path() ([]string, error) {
	var path []string
	for {
		p.blank(false)
		var part string
		if p.text != "" && (p.text[0] == '"' || p.text[0] == '\'') {
			text, err := p.quoted()
			if err != nil {
				return nil, err
			}
			part = text
		} else {
			n := strings.IndexFunc(p.text, func(r rune) bool { return strings.ContainsRune(" \t.=]\r\n#\"'", r) })
			if n <= 0 {
				return nil, p.errorf("expected a key, got %s", quoted(p.text[:min(len(p.text), lineLength([]byte(p.text)))]))
			}
			part, p.text = p.text[:n], p.text[n:]
		}
		path = append(path, part)
		p.blank(false)
		if len(path) > maxDepth {
			return nil, p.errorf("more than %d tables in each other", maxDepth)
		}
		if !strings.HasPrefix(p.text, ".") {
			return path, nil
		}
		p.text = p.text[1:]
	}
}

// assigned reads "=" and a value.
func (p *tomlParser) assigned() (value, error) {
	p.blank(false)
	if !strings.HasPrefix(p.text, "=") {
		return value{}, p.errorf("expected KEY = VALUE")
	}
	p.text = p.text[1:]
	return p.value()
}

func (p *tomlParser) value() (v value, err error) {
	p.blank(false)
	v.position = position{p.file, p.line}
	if p.depth++; p.depth > maxDepth {
		return v, p.errorf("more than %d values in each other", maxDepth)
	}
	defer func() { p.depth-- }()
	switch {
	case p.text == "":
		return v, p.errorf("expected a value")
	case p.text[0] == '"' || p.text[0] == '\'':
		v.text, err = p.quoted()
		return v, err
	case p.text[0] == '[':
		v.items = []value{}
		return v, p.elements("]", func() error {
			item, err := p.value()
			v.items = append(v.items, item)
			return err
		})
	case p.text[0] == '{':
		return v, p.elements("}", func() error {
			path, err := p.path()
			if err != nil {
				return err
			}
			field, err := p.assigned()
			v.set(path, field)
			return err
		})
	}
	n := strings.IndexAny(p.text, ",]}#\r\n")
	if n < 0 {
		n = len(p.text)
	}
	v.text, p.text = strings.TrimSpace(p.text[:n]), p.text[n:]
	return v, nil
}

// elements reads the elements of an array or inline table up to its end.
func (p *tomlParser) elements(end string, read func() error) error {
	begin := position{p.file, p.line}
	for p.text = p.text[1:]; ; {
		p.blank(true)
		switch {
		case p.text == "":
			return begin.errorf("the %s is never closed by %s", map[string]string{"]": "array", "}": "table"}[end], end)
		case strings.HasPrefix(p.text, end):
			p.text = p.text[1:]
			return nil
		case p.text[0] == ',':
			p.text = p.text[1:]
		default:
			before := len(p.text)
			if err := read(); err != nil {
				return err
			}
			if len(p.text) == before {
				return p.errorf("expected a value")
			}
		}
	}
}

// quoted reads a string, which may have three quotes and several lines.
func (p *tomlParser) quoted() (string, error) {
	quote := p.text[:1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(p.text, triple) {
		text, rest, ok := strings.Cut(p.text[3:], triple)
		if !ok {
			return "", p.errorf("the quotes %s are never closed", triple)
		}
		p.line += strings.Count(text, "\n")
		p.text = rest
		return strings.TrimPrefix(text, "\n"), nil
	}
	for i := 1; i < len(p.text) && p.text[i] != '\n'; i++ {
		switch {
		case p.text[i] == '\\' && quote == `"`:
			i++
		case p.text[i] == quote[0]:
			text := p.text[1:i]
			p.text = p.text[i+1:]
			if quote == `"` {
				text = httpdUnescape(text, quote)
			}
			return text, nil
		}
	}
	return "", p.errorf("the quote %s is never closed", quote)
}
