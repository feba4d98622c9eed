package slack

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	api "github.com/slack-go/slack"

	"stickwatch/alerting"
	"stickwatch/alerting/message"
	"stickwatch/checks"
	"stickwatch/probes"
)

// The bounds of a message. The limits of Slack in characters are 150 for a header,
// 3000 for a section, 2000 for a field of a section, and 13200 for all blocks of a
// message. maxHeader is in characters and leaves room for the characters that disable
// mentions. The other bounds are in bytes, and their sum is below the last limit.
const (
	maxHeader   = 120
	maxSection  = 2000
	maxLine     = 700
	maxField    = 300
	maxURL      = 800
	maxFields   = 10
	maxFallback = 4000
	maxShort    = 1000
)

// colours are those of the bar beside a message. The header has the severity, too, so
// that color is never the only sign.
var colours = map[checks.Severity]string{
	checks.Critical: "#d92d20",
	checks.Warning:  "#f79009",
	checks.Info:     "#2e90fa",
}

const resolvedColour = "#12b76a"

// root returns the message of the incident with all information.
func root(m message.Message) content {
	c := bare(m)
	c.blocks = []api.Block{api.NewHeaderBlock(api.NewTextBlockObject(api.PlainTextType, header(m.Headline), false, false))}
	blocks := section(lines("", m.Closing, m.Summary))
	blocks = append(blocks, facts(m.Facts)...)
	for _, s := range m.Sections() {
		blocks = append(blocks, section(lines(s.Label, s.Lines...))...)
	}
	blocks = append(blocks, links(m.Links)...)
	c.attachment.Blocks.BlockSet = blocks
	return c
}

// reply returns the news for the thread of the incident. It has no blocks above the
// attachment, so Slack shows its text, too, which therefore is only the headline.
func reply(m message.Message) content {
	c := bare(m)
	c.text = escaped(m.Headline, maxField)
	c.attachment.Blocks.BlockSet = append(section(lines("", m.Closing)), section(lines(m.News.Label, m.News.Lines...))...)
	c.attachment.Fallback = escaped(strings.Join(append([]string{m.Closing}, m.News.Lines...), " "), maxField)
	return c
}

// bare returns content without blocks.
func bare(m message.Message) content {
	colour := colours[m.Severity]
	if m.Resolved {
		colour = resolvedColour
	}
	brief := strings.Join([]string{m.Headline, m.Closing, m.Summary}, "\n")
	return content{
		text:       escaped(m.Plain(), maxFallback),
		attachment: api.Attachment{Color: colour, Fallback: escaped(m.Headline, maxField)},
		short:      escaped(strings.TrimSpace(brief), maxShort),
	}
}

// header returns plain text, in which Slack interprets no markup.
func header(headline string) string {
	characters := []rune(probes.Clean(headline, utf8.UTFMax*maxHeader))
	if len(characters) > maxHeader {
		characters = append(characters[:maxHeader-1], '…')
	}
	return unmentioned(string(characters))
}

// section returns a block of mrkdwn, or none for "".
func section(markdown string) []api.Block {
	if markdown == "" {
		return nil
	}
	return []api.Block{api.NewSectionBlock(mrkdwn(markdown), nil, nil)}
}

// facts returns a table with two columns.
func facts(all []message.Fact) []api.Block {
	var fields []*api.TextBlockObject
	for _, f := range all[:min(len(all), maxFields)] {
		fields = append(fields, mrkdwn(bold(f.Label)+"\n"+escaped(f.Value, maxField)))
	}
	if len(fields) == 0 {
		return nil
	}
	return []api.Block{api.NewSectionBlock(nil, fields, nil)}
}

// lines returns a list below a label, with as many lines as fit. A single line is not
// formatted as a list.
func lines(label string, all ...string) string {
	all = slices.DeleteFunc(slices.Clone(all), func(line string) bool { return line == "" })
	bullet := ""
	if label != "" && len(all) > 1 {
		bullet = "• "
	}
	var out []string
	if label != "" && len(all) > 0 {
		out = append(out, bold(label))
	}
	room := maxSection
	for _, line := range all {
		line = bullet + escaped(line, maxLine)
		if room -= len(line) + len("\n"); room < 0 {
			out = append(out, "…")
			break
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// links returns buttons for the links that lead to actions, and a line with the others. A
// button only opens its URL, so that the app needs no address for interactions.
func links(all []message.Link) (blocks []api.Block) {
	var parts []string
	var buttons []api.BlockElement
	for _, l := range all {
		switch {
		case len(l.URL) > maxURL: // a truncated URL is useless
		case l.Action != "":
			text := api.NewTextBlockObject(api.PlainTextType, l.Text, false, false)
			buttons = append(buttons, api.NewButtonBlockElement(l.Action, "", text).WithURL(l.URL))
		default:
			parts = append(parts, fmt.Sprintf("<%s|%s>", entities.Replace(l.URL), escaped(l.Text, maxField)))
		}
	}
	if len(buttons) > 0 {
		blocks = append(blocks, api.NewActionBlock("", buttons...))
	}
	if len(parts) > 0 {
		blocks = append(blocks, api.NewContextBlock("", mrkdwn(strings.Join(parts, " · "))))
	}
	return blocks
}

func bold(label string) string { return "*" + escaped(label, maxField) + "*" }

// mrkdwn returns verbatim text, so that Slack turns only explicit markup into links
// and mentions.
func mrkdwn(text string) *api.TextBlockObject {
	return api.NewTextBlockObject(api.MarkdownType, text, false, true)
}

// mention matches text that some clients treat as a mention of everybody.
var mention = regexp.MustCompile(`(?i)@(here|channel|everyone)\b`)

// entities escapes the control characters of Slack.
var entities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// escaped escapes text for the mrkdwn of Slack, so that it contains no link, mention,
// or code. The result has at most limit bytes; no character or entity is split.
func escaped(text string, limit int) string {
	const end = "…"
	text = unmentioned(text)
	var b strings.Builder
	fits := 0 // length after which end still fits
	for _, r := range text {
		b.WriteString(escapedRune(r))
		if b.Len() <= limit-len(end) {
			fits = b.Len()
		}
		if b.Len() > limit {
			return b.String()[:fits] + end
		}
	}
	return b.String()
}

// unmentioned inserts an invisible character into mentions to disable them.
func unmentioned(text string) string { return mention.ReplaceAllString(text, "@\u200b$1") }

func escapedRune(r rune) string {
	switch r {
	case '`':
		return "'"
	case utf8.RuneError:
		return ""
	default:
		return entities.Replace(string(r))
	}
}

// content is the content of a Slack message.
type content struct {
	text       string      // for desktop notifications and clients without blocks
	blocks     []api.Block // above the attachment
	attachment api.Attachment
	short      string // the text if Slack refuses the rest
}

// options returns the content as options of the library.
func (c content) options() []api.MsgOption {
	options := []api.MsgOption{
		api.MsgOptionText(c.text, false), // escaped already
		api.MsgOptionBlocks(c.blocks...), // none: an update clears them
		api.MsgOptionAttachments(c.attachments()...),
		api.MsgOptionParse(false),
		api.MsgOptionLinkNames(false),
	}
	return options
}

func (c content) attachments() []api.Attachment {
	if len(c.attachment.Blocks.BlockSet) == 0 {
		return []api.Attachment{}
	}
	return []api.Attachment{c.attachment}
}

// shortened sends content. If Slack refuses its format, shortened sends only the
// short text.
func (c content) shortened(send func(content) error) error {
	err := send(c)
	if slices.Contains(formatErrors, code(err)) {
		return send(content{text: c.short})
	}
	return err
}

// markType is the type of the metadata of our messages.
const markType = "stickwatch_notice"

// mark returns the metadata by which Find recognizes a message.
func mark(n alerting.Notification) api.SlackMetadata {
	return api.SlackMetadata{
		EventType:    markType,
		EventPayload: map[string]any{"notice": n.ID, "incident": n.Incident.ID},
	}
}

// marked reports whether a message has the mark of a notification.
func marked(m api.Message, n alerting.Notification) bool {
	return m.Metadata.EventType == markType && m.Metadata.EventPayload["notice"] == n.ID
}
