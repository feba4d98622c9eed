package slacktest

import (
	"encoding/json"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Slack's limits, from https://docs.slack.dev/reference/methods/chat.postMessage
// and https://docs.slack.dev/reference/block-kit/blocks: lengths in characters.
const (
	maxText        = 40000
	maxBlocks      = 50
	maxBlocksText  = 13200 // all texts of a message's blocks together
	maxAttachments = 100
	maxHeader      = 150
	maxSection     = 3000
	maxFields      = 10
	maxField       = 2000
	maxElements    = 10
	maxBlockID     = 255
	maxButtons     = 25
	maxButton      = 75
	maxURL         = 3000
	maxMetadata    = 8000
)

// validate returns the error of Slack for a message; "": none.
func validate(args url.Values) string {
	var blocks []block
	var attachments []attachment
	switch {
	case utf8.RuneCountInString(args.Get("text")) > maxText:
		return "msg_too_long"
	case !decode(args.Get("blocks"), &blocks):
		return "invalid_blocks_format"
	case !decode(args.Get("attachments"), &attachments):
		return "invalid_attachments"
	case len(attachments) > maxAttachments:
		return "too_many_attachments"
	case args.Get("text") == "" && len(blocks) == 0 && len(attachments) == 0:
		return "no_text"
	}
	if code := validateMetadata(args.Get("metadata")); code != "" {
		return code
	}
	groups := [][]block{blocks}
	for _, a := range attachments {
		groups = append(groups, a.Blocks)
	}
	return validateBlocks(groups)
}

func validateMetadata(text string) string {
	var m struct {
		EventType    string         `json:"event_type"`
		EventPayload map[string]any `json:"event_payload"`
	}
	switch {
	case text == "":
		return ""
	case len(text) > maxMetadata:
		return "metadata_too_large"
	case !decode(text, &m) || m.EventType == "" || m.EventPayload == nil:
		return "invalid_metadata_format"
	}
	return ""
}

func validateBlocks(groups [][]block) string {
	total := 0
	for _, blocks := range groups {
		if len(blocks) > maxBlocks {
			return "invalid_blocks"
		}
		seen := make(map[string]bool)
		for _, b := range blocks {
			if !b.valid() || b.BlockID != "" && seen[b.BlockID] {
				return "invalid_blocks"
			}
			seen[b.BlockID] = true
			total += b.length()
		}
	}
	if total > maxBlocksText {
		return "msg_blocks_too_long"
	}
	return ""
}

// decode parses JSON with documented fields only; "" is valid.
func decode(text string, into any) bool {
	if text == "" {
		return true
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(into) == nil
}
