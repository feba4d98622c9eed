package slacktest

import (
	"slices"
	"unicode/utf8"
)

// attachment has the fields of an attachment with blocks.
type attachment struct {
	Color    string  `json:"color"`
	Fallback string  `json:"fallback"`
	Blocks   []block `json:"blocks"`
}

// block is any of the block types for text.
type block struct {
	Type     string `json:"type"`
	BlockID  string `json:"block_id"`
	Text     *text  `json:"text"`
	Fields   []text `json:"fields"`
	Elements []text `json:"elements"`
	Expand   bool   `json:"expand"`
}

type text struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Emoji    *bool  `json:"emoji"`
	Verbatim *bool  `json:"verbatim"`
}

// valid reports whether the block has the required fields, within limits.
func (b block) valid() bool {
	if len(b.BlockID) > maxBlockID {
		return false
	}
	switch b.Type {
	case "header":
		return b.Text != nil && b.Text.Type == "plain_text" && b.Text.valid(maxHeader) && b.Fields == nil && b.Elements == nil
	case "section":
		return (b.Text != nil || len(b.Fields) > 0) && b.Elements == nil &&
			(b.Text == nil || b.Text.valid(maxSection)) && len(b.Fields) <= maxFields && valid(b.Fields, maxField)
	case "context":
		return b.Text == nil && b.Fields == nil && len(b.Elements) > 0 && len(b.Elements) <= maxElements && valid(b.Elements, maxSection)
	case "divider":
		return b.Text == nil && b.Fields == nil && b.Elements == nil
	default:
		return false
	}
}

func valid(texts []text, limit int) bool {
	return !slices.ContainsFunc(texts, func(t text) bool { return !t.valid(limit) })
}

// valid: plain text has no verbatim, and mrkdwn no emoji.
func (t text) valid(limit int) bool {
	n := utf8.RuneCountInString(t.Text)
	if n == 0 || n > limit {
		return false
	}
	switch t.Type {
	case "plain_text":
		return t.Verbatim == nil
	case "mrkdwn":
		return t.Emoji == nil
	default:
		return false
	}
}

// length returns the number of characters in the block.
func (b block) length() int {
	n := 0
	for _, t := range append(slices.Concat(b.Fields, b.Elements), deref(b.Text)) {
		n += utf8.RuneCountInString(t.Text)
	}
	return n
}

func deref(t *text) text {
	if t == nil {
		return text{}
	}
	return *t
}
