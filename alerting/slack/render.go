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

// Slack's limits in characters are 150 for a header, 3000 for a section, 2000
// for a field of one, and 13200 for all blocks of a message. Ours are in bytes,
// and such that their sum stays below the last; but for the header's, which is
// in characters, and leaves room for what takes mentions apart.
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

// colours of the bar beside a message. It is never the only sign: the header
// says the severity in a word.
var colours = map[checks.Severity]string{
	checks.Critical: "#d92d20",
	checks.Warning:  "#f79009",
	checks.Info:     "#2e90fa",
}

const resolvedColour = "#12b76a"

// root is the incident's message: all that is to be known of it.
func root(m message.Message) content {
	c := bare(m)
	c.blocks = []api.Block{api.NewHeaderBlock(api.NewTextBlockObject(api.PlainTextType, header(m.Headline), false, false))}
	blocks := section(lines("", m.Closing, m.Summary))
	blocks = append(blocks, facts(m.Facts)...)
	for _, s := range m.Sections() {
		blocks = append(blocks, section(lines(s.Label, s.Lines...))...)
	}
	c.attachment.Blocks.BlockSet = append(blocks, links(m.Links)...)
	return c
}

// reply is what is new, for the incident's thread. It has no blocks above the
// coloured part, so its text is shown too: there it is the headline alone.
func reply(m message.Message) content {
	c := bare(m)
	c.text = escaped(m.Headline, maxField)
	c.attachment.Blocks.BlockSet = append(section(lines("", m.Closing)), section(lines(m.News.Label, m.News.Lines...))...)
	c.attachment.Fallback = escaped(strings.Join(append([]string{m.Closing}, m.News.Lines...), " "), maxField)
	return c
}

// bare is content without blocks.
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

// header is plain text, in which nothing is markup.
func header(headline string) string {
	characters := []rune(probes.Clean(headline, utf8.UTFMax*maxHeader))
	if len(characters) > maxHeader {
		characters = append(characters[:maxHeader-1], '…')
	}
	return unmentioned(string(characters))
}

// section is a block of mrkdwn; of "" it is none.
func section(markdown string) []api.Block {
	if markdown == "" {
		return nil
	}
	return []api.Block{api.NewSectionBlock(mrkdwn(markdown), nil, nil)}
}

// facts is a table of two columns.
func facts(all []message.Fact) []api.Block {
	var fields []*api.TextBlockObject
	for _, f := range all[:min(len(all), maxFields)] {
		fields = append(fields, mrkdwn(bold(f.Label)+"\n"+value(f)))
	}
	if len(fields) == 0 {
		return nil
	}
	return []api.Block{api.NewSectionBlock(nil, fields, nil)}
}

// value is a fact; a time is shown in each reader's own zone.
func value(f message.Fact) string {
	text := escaped(f.Value, maxField)
	if f.At.IsZero() {
		return text
	}
	return fmt.Sprintf("<!date^%d^{date_num} {time_secs}|%s>", f.At.Unix(), text)
}

// lines are a list below a label, as many as fit. A single line is no list.
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

func links(all []message.Link) []api.Block {
	var parts []string
	for _, l := range all {
		if len(l.URL) <= maxURL { // half an address is none
			parts = append(parts, fmt.Sprintf("<%s|%s>", entities.Replace(l.URL), escaped(l.Text, maxField)))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return []api.Block{api.NewContextBlock("", mrkdwn(strings.Join(parts, " · ")))}
}

func bold(label string) string { return "*" + escaped(label, maxField) + "*" }

// mrkdwn is verbatim, so that nothing in it becomes a link or a mention that is
// not written as one.
func mrkdwn(text string) *api.TextBlockObject {
	return api.NewTextBlockObject(api.MarkdownType, text, false, true)
}

// mention is what a careless client reads as a call to everybody.
var mention = regexp.MustCompile(`(?i)@(here|channel|everyone)\b`)

// entities are what Slack has its control characters written as.
var entities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// escaped makes a text say itself and nothing else in Slack's mrkdwn: no link,
// no mention, no code. It is at most limit bytes long; no character and no entity is
// cut in two.
func escaped(text string, limit int) string {
	const end = "…"
	text = unmentioned(text)
	var b strings.Builder
	fits := 0 // bytes after which end still fits
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

// unmentioned puts something invisible into mentions, so that they are none.
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

// content is what a message shows.
type content struct {
	text       string      // for notifications, and for whatever shows no blocks
	blocks     []api.Block // above the coloured part
	attachment api.Attachment
	short      string // the text when Slack does not take the rest
}

// options are what the library calls content.
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

// shortened sends content; if Slack finds fault with its form, it is sent once
// more as a few words.
func (c content) shortened(send func(content) error) error {
	err := send(c)
	if slices.Contains(formal, code(err)) {
		return send(content{text: c.short})
	}
	return err
}

// markType names the metadata of our messages.
const markType = "stickwatch_notice"

// mark lets Find know a message again.
func mark(n alerting.Notification) api.SlackMetadata {
	return api.SlackMetadata{
		EventType:    markType,
		EventPayload: map[string]any{"notice": n.ID, "incident": n.Incident.ID},
	}
}

// marked reports whether a message is the notice's.
func marked(m api.Message, n alerting.Notification) bool {
	return m.Metadata.EventType == markType && m.Metadata.EventPayload["notice"] == n.ID
}
