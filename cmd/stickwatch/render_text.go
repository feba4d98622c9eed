package main

import (
	"image/color"
	"strings"

	"charm.land/lipgloss/v2"
)

// A textReport is text in the making, for eyes: it knows how wide the reader's
// terminal is, and what colours it shows.
type textReport struct {
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

func newTextReport(opts renderOptions) *textReport {
	width := opts.Width
	if width <= 0 {
		width = defaultWidth
	}
	return &textReport{width: min(max(width, narrowest), widest), terminal: opts.Width > 0, theme: newTheme(opts.Colour)}
}

func (s *textReport) line(text string) { s.WriteString(text + "\n") }
func (s *textReport) blank()           { s.line("") }

// labelled writes spans behind a label, which a reader can grep for.
func (s *textReport) labelled(label string, spans ...span) {
	head := "  " + s.theme.paint(span{dim, pad(label, labelWidth)})
	s.paragraph(head, strings.Repeat(" ", 2+labelWidth), spans...)
}

// paragraph writes spans, wrapped: head stands before the first line, rest
// before the others.
func (s *textReport) paragraph(head, rest string, spans ...span) {
	var b strings.Builder
	for _, sp := range spans {
		b.WriteString(s.theme.paint(sp))
	}
	room := max(s.width-lipgloss.Width(rest), narrowest/2)
	for i, line := range strings.Split(lipgloss.Wrap(b.String(), room, " "), "\n") {
		if i > 0 {
			head = rest
		}
		s.line(strings.TrimRight(head+line, " "))
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
