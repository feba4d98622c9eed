package slacktest

import (
	"encoding/json"
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
	Type     string            `json:"type"`
	BlockID  string            `json:"block_id"`
	Text     *text             `json:"text"`
	Fields   []text            `json:"fields"`
	Elements []json.RawMessage `json:"elements"`
	Expand   bool              `json:"expand"`
}

type text struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Emoji    *bool  `json:"emoji"`
	Verbatim *bool  `json:"verbatim"`
}

// button is an element of an actions block.
type button struct {
	Type     string `json:"type"`
	Text     text   `json:"text"`
	ActionID string `json:"action_id"`
	URL      string `json:"url"`
	Style    string `json:"style"`
	Value    string `json:"value"`
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
		texts, ok := elements[text](b)
		return b.Text == nil && b.Fields == nil && ok && len(texts) > 0 && len(texts) <= maxElements && valid(texts, maxSection)
	case "actions":
		buttons, ok := elements[button](b)
		return b.Text == nil && b.Fields == nil && ok && len(buttons) > 0 && len(buttons) <= maxButtons && areButtons(buttons)
	case "divider":
		return b.Text == nil && b.Fields == nil && b.Elements == nil
	default:
		return false
	}
}

// elements returns the elements of a block; false: they have another format.
func elements[T any](b block) (list []T, ok bool) {
	for _, raw := range b.Elements {
		var one T
		if !decode(string(raw), &one) {
			return nil, false
		}
		list = append(list, one)
	}
	return list, true
}

// areButtons reports whether elements are buttons within limits, whose action_id differs.
func areButtons(list []button) bool {
	ids := make(map[string]bool)
	for _, b := range list {
		if b.Type != "button" || b.Text.Type != "plain_text" || !b.Text.valid(maxButton) || utf8.RuneCountInString(b.URL) > maxURL ||
			len(b.ActionID) > maxBlockID || ids[b.ActionID] {
			return false
		}
		ids[b.ActionID] = true
	}
	return true
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
	texts, _ := elements[text](b)
	buttons, _ := elements[button](b)
	for _, one := range buttons {
		texts = append(texts, one.Text)
	}
	for _, t := range append(slices.Concat(b.Fields, texts), deref(b.Text)) {
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
