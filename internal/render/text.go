package render

import (
	"bytes"
	"encoding/json"
	"image/color"
	"io"
	"strings"

	"charm.land/lipgloss/v2"

	"stickwatch/checks"
)

// A Text is text in the making, for eyes: it knows how wide the reader's
// terminal is, and what colours it shows.
type Text struct {
	strings.Builder
	width    int
	terminal bool // width is known
	theme    theme
}

// Widths that a sheet keeps to, in columns. Wider lines are no easier to read.
const (
	narrowest    = 40
	defaultWidth = 80
	widest       = 132
	labelWidth   = 12
)

func NewText(opts Options) *Text {
	width := opts.Width
	if width <= 0 {
		width = defaultWidth
	}
	return &Text{width: min(max(width, narrowest), widest), terminal: opts.Width > 0, theme: newTheme(opts.Colour)}
}

func (s *Text) Line(text string) { s.WriteString(text + "\n") }
func (s *Text) Blank()           { s.Line("") }

// labelled writes spans behind a label, which a reader can grep for.
func (s *Text) labelled(label string, spans ...span) {
	head := "  " + s.theme.paint(span{dim, pad(label, labelWidth)})
	s.paragraph(head, strings.Repeat(" ", 2+labelWidth), spans...)
}

// Paragraph writes text, wrapped: head precedes the first line, rest the others.
func (s *Text) Paragraph(head, rest, text string) { s.paragraph(head, rest, span{plain, text}) }

// paragraph writes spans, wrapped: head stands before the first line, rest
// before the others.
func (s *Text) paragraph(head, rest string, spans ...span) {
	var b strings.Builder
	for _, sp := range spans {
		b.WriteString(s.theme.paint(sp))
	}
	room := max(s.width-lipgloss.Width(rest), narrowest/2)
	for i, line := range strings.Split(lipgloss.Wrap(b.String(), room, " "), "\n") {
		if i > 0 {
			head = rest
		}
		s.Line(strings.TrimRight(head+line, " "))
	}
}

// A theme is how marks and trees are drawn. Without colours it is plain text,
// and a tree shows by its indentation: lines of boxes only hinder a pipe.
type theme struct {
	styles                                map[tone]lipgloss.Style
	branchGlyph, last, verticalGlyph, gap string
}

func newTheme(colour bool) theme {
	if !colour {
		return theme{branchGlyph: "↳ ", last: "↳ ", verticalGlyph: "  ", gap: "  "}
	}
	// The 16 colours follow the reader's own theme, light or dark.
	in := func(c color.Color) lipgloss.Style { return lipgloss.NewStyle().Foreground(c) }
	return theme{
		styles: map[tone]lipgloss.Style{
			good:  in(lipgloss.Green),
			bad:   in(lipgloss.Red).Bold(true),
			warn:  in(lipgloss.Yellow),
			doubt: in(lipgloss.Magenta),
			note:  in(lipgloss.Cyan),
			dim:   lipgloss.NewStyle().Faint(true),
			bold:  lipgloss.NewStyle().Bold(true),
		},
		branchGlyph: "├─ ", last: "└─ ", verticalGlyph: "│  ", gap: "   ",
	}
}

// paint is a span's text in its mark's colour.
func (l theme) paint(s span) string {
	style, ok := l.styles[s.tone]
	if !ok || s.text == "" {
		return s.text
	}
	return style.Render(s.text)
}

// A tone says how a piece of the picture is to be taken. It shows as a symbol,
// and where there is colour as one too: never as colour alone.
type tone int

const (
	plain tone = iota
	good
	bad
	warn
	doubt
	note
	dim  // of less weight; this and the next have no symbol
	bold // of more
)

// symbol is the mark for eyes that see no colour; "" for those that have none.
func (m tone) symbol() string { return [...]string{"", "✓", "✗", "▲", "?", "•", "", ""}[m] }

// A span is a piece of clean text and how it is to be taken.
type span struct {
	tone tone
	text string
}

// toned is a span that shows its mark's symbol.
func toned(m tone, text string) span {
	return span{m, strings.TrimSpace(m.symbol() + " " + text)}
}

// join is the text of spans, without their colours.
func join(spans []span) string {
	var b strings.Builder
	for _, s := range spans {
		b.WriteString(s.text)
	}
	return b.String()
}

func toneOfVerdict(v checks.Verdict) tone {
	switch v {
	case checks.Healthy:
		return good
	case checks.Degraded:
		return warn
	case checks.Failing:
		return bad
	default:
		return doubt
	}
}

func toneOfSeverity(s checks.Severity) tone {
	switch s {
	case checks.Critical:
		return bad
	case checks.Warning:
		return warn
	default:
		return note
	}
}

// toneOf an answer to a question to which yes is the good one.
func toneOf(a checks.Answer) tone {
	switch a {
	case checks.Yes:
		return good
	case checks.No:
		return bad
	default:
		return doubt
	}
}

// matrix writes rows in columns. Where they do not fit, the columns that are
// left go below, again behind the nodes' names: nothing is cut.
func (s *Text) matrix(rows [][]span) {
	widths := make([]int, len(rows[0]))
	for col := range widths {
		for _, row := range rows {
			widths[col] = max(widths[col], lipgloss.Width(row[col].text))
		}
	}
	for i, columns := range s.splitColumns(widths) {
		if i > 0 {
			s.Blank()
		}
		for _, row := range rows {
			var b strings.Builder
			for _, col := range columns {
				b.WriteString("  " + s.theme.paint(row[col]))
				b.WriteString(strings.Repeat(" ", widths[col]-lipgloss.Width(row[col].text)))
			}
			s.Line(strings.TrimRight(b.String(), " "))
		}
	}
}

// splitColumns deals columns to blocks that fit a terminal, the first column to each
// of them. A pipe has all the room there is.
func (s *Text) splitColumns(widths []int) [][]int {
	blocks := [][]int{{0}}
	used := 2 + widths[0]
	for col := 1; col < len(widths); col++ {
		last := len(blocks) - 1
		if s.terminal && used+2+widths[col] > s.width && len(blocks[last]) > 1 {
			blocks = append(blocks, []int{0})
			last, used = last+1, 2+widths[0]
		}
		blocks[last] = append(blocks[last], col)
		used += 2 + widths[col]
	}
	return blocks
}

// headings are the first row of a table.
func headings(titles ...string) []span {
	row := make([]span, len(titles))
	for i, title := range titles {
		row[i] = span{dim, title}
	}
	return row
}

// writeJSON writes a value for programs, all at once.
func writeJSON(w io.Writer, value any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	_, err := b.WriteTo(w)
	return err
}
