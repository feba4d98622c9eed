package slack

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

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
