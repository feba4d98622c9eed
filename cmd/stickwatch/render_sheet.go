package main

import (
	"image/color"
	"strings"

	"charm.land/lipgloss/v2"
)

// A sheet is text in the making, for eyes: it knows how wide the reader's
// terminal is, and what colours it shows.
type sheet struct {
	strings.Builder
	width    int
	terminal bool // width is known
	look     look
}

// Widths that a sheet keeps to, in columns. Wider lines are no easier to read.
const (
	narrowest    = 40
	defaultWidth = 80
	widest       = 132
	labelWidth   = 12
)

func newSheet(opts renderOptions) *sheet {
	width := opts.Width
	if width <= 0 {
		width = defaultWidth
	}
	return &sheet{width: min(max(width, narrowest), widest), terminal: opts.Width > 0, look: newLook(opts.Colour)}
}

func (s *sheet) line(text string) { s.WriteString(text + "\n") }
func (s *sheet) blank()           { s.line("") }

// labelled writes spans behind a label, which a reader can grep for.
func (s *sheet) labelled(label string, spans ...span) {
	head := "  " + s.look.paint(span{faint, pad(label, labelWidth)})
	s.paragraph(head, strings.Repeat(" ", 2+labelWidth), spans...)
}

// paragraph writes spans, wrapped: head stands before the first line, rest
// before the others.
func (s *sheet) paragraph(head, rest string, spans ...span) {
	var b strings.Builder
	for _, sp := range spans {
		b.WriteString(s.look.paint(sp))
	}
	room := max(s.width-lipgloss.Width(rest), narrowest/2)
	for i, line := range strings.Split(lipgloss.Wrap(b.String(), room, " "), "\n") {
		if i > 0 {
			head = rest
		}
		s.line(strings.TrimRight(head+line, " "))
	}
}

// A look is how marks and trees are drawn. Without colours it is plain text,
// and a tree shows by its indentation: lines of boxes only hinder a pipe.
type look struct {
	styles                 map[mark]lipgloss.Style
	fork, last, trunk, gap string
}

func newLook(colour bool) look {
	if !colour {
		return look{fork: "↳ ", last: "↳ ", trunk: "  ", gap: "  "}
	}
	// The 16 colours follow the reader's own theme, light or dark.
	in := func(c color.Color) lipgloss.Style { return lipgloss.NewStyle().Foreground(c) }
	return look{
		styles: map[mark]lipgloss.Style{
			good:   in(lipgloss.Green),
			bad:    in(lipgloss.Red).Bold(true),
			warn:   in(lipgloss.Yellow),
			doubt:  in(lipgloss.Magenta),
			note:   in(lipgloss.Cyan),
			faint:  lipgloss.NewStyle().Faint(true),
			strong: lipgloss.NewStyle().Bold(true),
		},
		fork: "├─ ", last: "└─ ", trunk: "│  ", gap: "   ",
	}
}

// paint is a span's text in its mark's colour.
func (l look) paint(s span) string {
	style, ok := l.styles[s.mark]
	if !ok || s.text == "" {
		return s.text
	}
	return style.Render(s.text)
}
