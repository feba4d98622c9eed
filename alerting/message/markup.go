package message

import (
	"regexp"
	"strings"
	"unicode/utf16"

	"stickwatch/probes"
)

// A Markup is the syntax of a channel's messages.
type Markup struct {
	Escape func(string) string            // makes text literal: it has no link, mention or format
	Bold   func(escaped string) string    // formats escaped text
	Link   func(escaped, u string) string // formats a link with escaped text
	Break  string                         // separates lines
	Size   func(string) int               // in the unit of the channel's limit
}

// Text is text without markup. Targets' words are unchanged in it.
var Text = Markup{
	Escape: func(text string) string { return text },
	Bold:   func(text string) string { return text },
	Break:  "\n",
	Size:   func(text string) int { return len(text) },
}

// Markdown is the part of Markdown that chats without escape sequences have in common:
// bold text, links and paragraphs. Characters of targets that have a meaning in it are
// replaced by others that look alike.
var Markdown = Markup{
	Escape: func(text string) string { return unmentioned(lookalikes.Replace(text)) },
	Bold:   func(text string) string { return "**" + text + "**" },
	Link:   func(text, u string) string { return "[" + text + "](" + linkable.Replace(u) + ")" },
	Break:  "\n\n",
	Size:   Text.Size,
}

// HTML is the HTML of chats: b and a, and line breaks as they are.
var HTML = Markup{
	Escape: func(text string) string { return entities.Replace(unmentioned(text)) },
	Bold:   func(text string) string { return "<b>" + text + "</b>" },
	Link:   func(text, u string) string { return `<a href="` + entities.Replace(u) + `">` + text + "</a>" },
	Break:  "\n",
	Size:   func(text string) int { return len(utf16.Encode([]rune(text))) },
}

var (
	entities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")
	// A link needs "](", "][" or "]:". Other brackets are left as they are, so that a
	// headline begins with "[Critical]".
	lookalikes = strings.NewReplacer("](", "］(", "][", "］[", "]:", "］:", "<", "＜", ">", "＞", "*", "＊", "`", "'", "#", "＃", "\\", "＼", "~~", "～～")
	linkable   = strings.NewReplacer("(", "%28", ")", "%29", " ", "%20", "<", "%3C", ">", "%3E")
	mention    = regexp.MustCompile(`@(\S)`)
)

// unmentioned inserts an invisible character after each @ that precedes a word, so that
// no chat takes the word for the name of a reader.
func unmentioned(text string) string { return mention.ReplaceAllString(text, "@\u200b$1") }

// Render formats the message in a markup, with at most limit units. The headline is
// first and may be cut; the links are last and are only kept if they leave half of the
// room.
func (m Message) Render(k Markup, limit int) string {
	links := m.renderLinks(k, limit/2)
	if links != "" {
		limit -= k.Size(k.Break + links)
	}
	headline := k.Bold(k.Fit(m.Headline, limit-k.Size(k.Bold(""))))
	out := []string{headline}
	if body := m.Body(k, limit-k.Size(headline+k.Break)); body != "" {
		out = append(out, body)
	}
	if links != "" {
		out = append(out, links)
	}
	return strings.Join(out, k.Break)
}

// Body formats the message without headline and links. Of its lines, Body keeps the
// first ones that fit.
func (m Message) Body(k Markup, limit int) string {
	const more = "…"
	var out []string
	room := limit - k.Size(more)
	for _, line := range m.lines(k) {
		if room -= k.Size(line + k.Break); room < 0 {
			if limit >= k.Size(more) {
				out = append(out, more)
			}
			break
		}
		out = append(out, line)
	}
	return strings.Join(out, k.Break)
}

// Fit escapes as much of a line as fits.
func (m Markup) Fit(text string, limit int) string {
	for most := len(text); ; most -= most/8 + 1 {
		if line := m.Escape(probes.Clean(text, max(most, 0))); m.Size(line) <= limit || most <= 0 {
			return line
		}
	}
}

// lines returns the message between headline and links.
func (m Message) lines(k Markup) []string {
	label := func(text string) string { return k.Bold(k.Escape(text + strings.TrimSpace(m.colon))) }
	var out []string
	for _, line := range []string{m.Closing, m.Summary} {
		if line != "" {
			out = append(out, k.Escape(line))
		}
	}
	for _, f := range m.Facts {
		out = append(out, k.Escape(f.Label+m.colon+f.Value))
	}
	for _, s := range m.Sections() {
		out = append(out, label(s.Label))
		for _, line := range s.Lines {
			out = append(out, k.Escape("- "+line))
		}
	}
	return out
}

// renderLinks returns the links that fit in a number of units, on one line if their
// addresses are not visible.
func (m Message) renderLinks(k Markup, room int) string {
	between := " · "
	if k.Link == nil {
		between = k.Break
	}
	var out []string
	for _, l := range m.Links {
		link := k.Escape(l.Text+m.colon) + l.URL
		if k.Link != nil {
			link = k.Link(k.Escape(l.Text), l.URL)
		}
		if room -= k.Size(between + link); room < 0 {
			break
		}
		out = append(out, link)
	}
	return strings.Join(out, between)
}
