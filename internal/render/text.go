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

// A Text collects lines of text for a terminal of a known width and colour.
type Text struct {
	strings.Builder
	formatter
	width    int
	terminal bool // width is known
	theme    theme
}

// Widths of lines, in columns. Lines wider than widest are hard to read.
const (
	narrowest    = 40
	defaultWidth = 80
	widest       = 132
	labelWidth   = 12
)

// NewText returns an empty Text.
func NewText(opts Options) *Text {
	width := opts.Width
	if width <= 0 {
		width = defaultWidth
	}
	return &Text{formatter: opts.voice(), width: min(max(width, narrowest), widest), terminal: opts.Width > 0, theme: newTheme(opts.Colour)}
}

// Line writes a line as it is.
func (t *Text) Line(text string) { t.WriteString(text + "\n") }

// Blank writes an empty line.
func (t *Text) Blank() { t.Line("") }

// labelled writes spans after a label, which is translated, that a reader can grep for.
func (t *Text) labelled(label string, spans ...span) {
	head := "  " + t.theme.paint(span{dim, pad(t.Translate(label), labelWidth)})
	t.paragraph(head, strings.Repeat(" ", 2+labelWidth), spans...)
}

// Paragraph writes text, wrapped: head precedes the first line, rest the others.
func (t *Text) Paragraph(head, rest, text string) { t.paragraph(head, rest, span{plain, text}) }

// paragraph writes spans, wrapped, with the prefixes of Paragraph.
func (t *Text) paragraph(head, rest string, spans ...span) {
	var b strings.Builder
	for _, sp := range spans {
		b.WriteString(t.theme.paint(sp))
	}
	room := max(t.width-lipgloss.Width(rest), narrowest/2)
	for i, line := range strings.Split(wrap(b.String(), room), "\n") {
		if i > 0 {
			head = rest
		}
		t.Line(strings.TrimRight(head+line, " "))
	}
}

// wrap breaks lines at spaces. lipgloss breaks them at hyphens, too, and flags that are
// broken cannot be copied.
func wrap(text string, width int) string {
	const nonBreaking = "\u2011"
	return strings.ReplaceAll(lipgloss.Wrap(strings.ReplaceAll(text, "-", nonBreaking), width, " "), nonBreaking, "-")
}

// A theme defines how tones and trees are drawn. Without colour there are no
// escape sequences, and indentation shows the tree, so that pipes get plain text.
type theme struct {
	styles map[tone]lipgloss.Style

	branch, lastBranch, vertical, gap string // prefixes of the lines of a tree
}

func newTheme(colour bool) theme {
	if !colour {
		return theme{branch: "↳ ", lastBranch: "↳ ", vertical: "  ", gap: "  "}
	}
	// The 16 ANSI colours follow the terminal's own theme, light or dark.
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
		branch: "├─ ", lastBranch: "└─ ", vertical: "│  ", gap: "   ",
	}
}

// paint returns a span's text in the colour of its tone.
func (t theme) paint(s span) string {
	style, ok := t.styles[s.tone]
	if !ok || s.text == "" {
		return s.text
	}
	return style.Render(s.text)
}

// A tone classifies a piece of text. It shows as a symbol and, on a terminal, as a
// colour; never as colour alone.
type tone int

const (
	plain tone = iota
	good
	bad
	warn
	doubt
	note
	dim  // less important; without a symbol
	bold // more important; without a symbol
)

// symbol is the tone as a character; "" for plain, dim and bold.
func (t tone) symbol() string { return [...]string{"", "✓", "✗", "▲", "?", "•", "", ""}[t] }

// A span is a piece of clean text with its tone.
type span struct {
	tone tone
	text string
}

// toned returns a span that begins with its tone's symbol.
func toned(t tone, text string) span {
	return span{t, strings.TrimSpace(t.symbol() + " " + text)}
}

// join returns the text of spans, without colour.
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

// toneOf returns the tone of an answer to a question where yes is good.
func toneOf(a checks.Tristate) tone {
	switch a {
	case checks.Yes:
		return good
	case checks.No:
		return bad
	default:
		return doubt
	}
}

// matrix writes rows in columns. Columns that do not fit the terminal follow below,
// after the first column again. Nothing is cut.
func (t *Text) matrix(rows [][]span) {
	widths := make([]int, len(rows[0]))
	for col := range widths {
		for _, row := range rows {
			widths[col] = max(widths[col], lipgloss.Width(row[col].text))
		}
	}
	for i, columns := range t.splitColumns(widths) {
		if i > 0 {
			t.Blank()
		}
		for _, row := range rows {
			var b strings.Builder
			for _, col := range columns {
				b.WriteString("  " + t.theme.paint(row[col]))
				b.WriteString(strings.Repeat(" ", widths[col]-lipgloss.Width(row[col].text)))
			}
			t.Line(strings.TrimRight(b.String(), " "))
		}
	}
}

// splitColumns splits columns, by index, into blocks that fit the terminal. Each
// block begins with the first column. Off a terminal there is one block.
func (t *Text) splitColumns(widths []int) [][]int {
	blocks := [][]int{{0}}
	used := 2 + widths[0]
	for col := 1; col < len(widths); col++ {
		last := len(blocks) - 1
		if t.terminal && used+2+widths[col] > t.width && len(blocks[last]) > 1 {
			blocks = append(blocks, []int{0})
			last, used = last+1, 2+widths[0]
		}
		blocks[last] = append(blocks[last], col)
		used += 2 + widths[col]
	}
	return blocks
}

// headings returns the first row of a table. The titles are translated.
func (f formatter) headings(titles ...string) []span {
	row := make([]span, len(titles))
	for i, title := range titles {
		row[i] = span{dim, f.Translate(title)}
	}
	return row
}

// writeJSON writes a value as indented JSON. It writes nothing if encoding fails.
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
