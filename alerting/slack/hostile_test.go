package slack_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/example"
	"stickwatch/alerting/slack/slacktest"
	"stickwatch/internal/must"
)

// TestHostile: Slack accepts messages with any text from a target, and they contain
// no mention, link, or misleading character from it.
func TestHostile(t *testing.T) {
	server := start(t)
	b := bot(server)
	n := example.Hostile()
	for _, notify := range []func() (alerting.DeliveryRef, error){
		func() (alerting.DeliveryRef, error) { return b.Notify(t.Context(), n) },
		func() (alerting.DeliveryRef, error) { return b.Notify(t.Context(), n) },
		func() (alerting.DeliveryRef, error) { return hook(t, server).Notify(t.Context(), n) },
	} {
		receipt, err := notify()
		must.Succeed(t, err)
		n.Thread = receipt.Thread
	}
	messages := server.Messages()
	if calls := len(server.Calls()); len(messages) != 3 || calls != 4 {
		t.Errorf("got %d messages by %d calls, want 3 by 4: nothing is refused", len(messages), calls)
	}
	for _, m := range messages {
		harmless(t, m)
	}
}

// harmless checks the visible text. Blocks, here only the header, are plain text, in
// which only a mention could do harm.
func harmless(t *testing.T, m slacktest.Message) {
	t.Helper()
	evil := []string{"@here", "\x1b", "\u202e", `\u001b`, `\u202e`}
	markup := append(slices.Clip(evil), "<!channel", `\u003c!channel`, "<https://evil", `\u003chttps://evil`, "`")
	for _, tt := range []struct {
		shown string
		evil  []string
	}{{m.Text, markup}, {m.Attachments, markup}, {m.Blocks, evil}} {
		if !utf8.ValidString(tt.shown) {
			t.Error("got half a character")
		}
		for _, evil := range tt.evil {
			if strings.Contains(tt.shown, evil) {
				t.Errorf("got %q in %.2000s", evil, tt.shown)
			}
		}
	}
}
