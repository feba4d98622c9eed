package slack

import (
	"slices"

	api "github.com/slack-go/slack"

	"stickwatch/alerting"
)

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
