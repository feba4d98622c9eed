package slack

import (
	"regexp"
	"strings"
)

// channelID is what Slack calls a channel, whatever its name becomes.
var channelID = regexp.MustCompile(`^[CGD][A-Z0-9]{7,}$`)

// thread is an alerting.Receipt's: the channel's id and the timestamp of the
// incident's message.
func thread(channel, ts string) string { return channel + " " + ts }

func parseThread(text string) (channel, ts string, ok bool) {
	channel, ts, ok = strings.Cut(text, " ")
	return channel, ts, ok && channel != "" && ts != ""
}
