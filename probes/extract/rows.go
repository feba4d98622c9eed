package extract

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"stickwatch/probes"
)

// edge marks the beginning or end of an inline element in the text of a cell. A page
// cannot contain it, because controls are dropped.
const edge = '\x1f'

// A row is a row of a table, or a term of a definition list with its definitions. Text
// outside of both is a row of one cell.
type row []cell

type cell struct {
	text string // lines separated by \n where a browser shows another line
	head bool   // an element for labels: th, dt
}

// lines returns the lines of a cell that are not blank.
func (c cell) lines() []string {
	var lines []string
	for line := range strings.SplitSeq(c.text, "\n") {
		if !blank(line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// value returns the value that the cell of a column consists of; "" if it has none, or
// the cell is one for labels.
func (r row) value(column int) string {
	if column >= len(r) || r[column].head {
		return ""
	}
	v, ok := whole(r[column].text)
	if !ok {
		return ""
	}
	return v
}

// heading reports whether a row has only cells for labels.
func (r row) heading() bool {
	return !slices.ContainsFunc(r, func(c cell) bool { return !c.head })
}

func blank(s string) bool { return strings.Trim(s, blanks) == "" }

const blanks = " \n" + string(edge)

// A reader converts a page to rows. Labels are found in the visible layout and not in
// the tree, because the markup of the page is unknown.
type reader struct {
	rows   []row
	row    row
	text   strings.Builder
	inCell bool
	head   bool      // of the current cell
	skip   atom.Atom // the element whose content is skipped
	pre    int       // line breaks count if above 0
}

// isPlain reports whether a text has no markup.
func isPlain(doc probes.Document, text string) bool {
	return strings.HasPrefix(strings.ToLower(doc.Header.Get("Content-Type")), "text/plain") ||
		!strings.Contains(text, "<")
}

// readRows returns the rows of a page. A plain text is one row in which line breaks
// count.
func readRows(text string, plain bool) []row {
	r := &reader{}
	if plain {
		r.pre = 1
		r.write(text)
		r.endRow()
		return r.rows
	}
	z := html.NewTokenizer(strings.NewReader(text))
	for {
		switch z.Next() {
		case html.ErrorToken:
			r.endRow()
			return r.rows
		case html.TextToken:
			r.write(string(z.Text()))
		case html.StartTagToken, html.SelfClosingTagToken:
			name, _ := z.TagName()
			r.start(atom.Lookup(name))
		case html.EndTagToken:
			name, _ := z.TagName()
			r.end(atom.Lookup(name))
		}
	}
}

func (r *reader) write(s string) {
	if r.skip != 0 {
		return
	}
	r.text.WriteString(strings.Map(func(c rune) rune {
		if c == '\n' && r.pre > 0 {
			return c
		}
		return visible(c)
	}, s))
}

func (r *reader) start(a atom.Atom) {
	switch {
	case r.skip != 0:
	case invisible[a]:
		r.skip = a
	case a == atom.Tr || a == atom.Table || a == atom.Dl:
		r.endRow()
	case a == atom.Dt:
		r.endRow()
		r.startCell(true)
	case a == atom.Td || a == atom.Th || a == atom.Dd:
		r.startCell(a == atom.Th)
	case a == atom.Br || a == atom.Option || blocks[a]:
		r.pre += preformatted(a)
		r.text.WriteByte('\n')
	default:
		r.text.WriteByte(edge)
	}
}

func (r *reader) end(a atom.Atom) {
	switch {
	case r.skip != 0:
		if a == r.skip {
			r.skip = 0
		}
	case a == atom.Tr || a == atom.Table || a == atom.Dl:
		r.endRow()
	case parts[a] || a == atom.Dt || a == atom.Dd:
	case blocks[a]:
		r.pre = max(0, r.pre-preformatted(a))
		r.text.WriteByte('\n')
	default:
		r.text.WriteByte(edge)
	}
}

// preformatted is 1 for the element in which line breaks count.
func preformatted(a atom.Atom) int {
	if a == atom.Pre {
		return 1
	}
	return 0
}

func (r *reader) startCell(head bool) {
	r.endCell()
	r.inCell, r.head = true, head
}

// endCell ends a cell. It keeps an empty cell, which fills a column, and trims white
// space.
func (r *reader) endCell() {
	text := strings.TrimFunc(r.text.String(), func(c rune) bool { return unicode.IsSpace(c) || c == edge })
	if r.inCell || text != "" {
		r.row = append(r.row, cell{text, r.head})
	}
	r.text.Reset()
	r.inCell, r.head = false, false
}

func (r *reader) endRow() {
	r.endCell()
	if len(r.row) > 0 {
		r.rows = append(r.rows, r.row)
	}
	r.row = nil
}
