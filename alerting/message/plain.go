package message

import (
	"slices"
	"strings"
)

// Plain is the message as lines of text, for whatever shows nothing else.
func (m Message) Plain() string {
	lines := []string{m.Headline, m.Closing, m.Summary}
	for _, f := range m.Facts {
		lines = append(lines, f.Label+m.colon+f.Value)
	}
	for _, s := range m.Sections() {
		lines = append(lines, s.Label+strings.TrimSpace(m.colon))
		for _, line := range s.Lines {
			lines = append(lines, "- "+line)
		}
	}
	for _, link := range m.Links {
		lines = append(lines, link.Text+m.colon+link.URL)
	}
	lines = slices.DeleteFunc(lines, func(line string) bool { return line == "" })
	return strings.Join(lines, "\n")
}
