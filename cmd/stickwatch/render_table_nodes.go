package main

import (
	"strings"

	"charm.land/lipgloss/v2"
)

// matrix writes rows in columns. Where they do not fit, the columns that are
// left go below, again behind the nodes' names: nothing is cut.
func (s *textReport) matrix(rows [][]span) {
	widths := make([]int, len(rows[0]))
	for col := range widths {
		for _, row := range rows {
			widths[col] = max(widths[col], lipgloss.Width(row[col].text))
		}
	}
	for i, columns := range s.splitColumns(widths) {
		if i > 0 {
			s.blank()
		}
		for _, row := range rows {
			var b strings.Builder
			for _, col := range columns {
				b.WriteString("  " + s.theme.paint(row[col]))
				b.WriteString(strings.Repeat(" ", widths[col]-lipgloss.Width(row[col].text)))
			}
			s.line(strings.TrimRight(b.String(), " "))
		}
	}
}

// splitColumns deals columns to blocks that fit a terminal, the first column to each
// of them. A pipe has all the room there is.
func (s *textReport) splitColumns(widths []int) [][]int {
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
