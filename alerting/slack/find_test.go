package slack_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/example"
	"stickwatch/alerting/slack"
	"stickwatch/alerting/slack/slacktest"
	"stickwatch/internal/must"
)

// TestFind: a bot without memory finds a message, whether the channel is configured
// by name or ID.
func TestFind(t *testing.T) {
	for _, channel := range []string{"#ops", "ops", "id"} {
		t.Run(channel, func(t *testing.T) {
			server := start(t)
			fresh := func() *slack.Bot {
				return bot(server, func(c *slack.BotConfig) {
					if c.Channel = channel; channel == "id" {
						c.Channel = server.ChannelID("ops")
					}
				})
			}
			fired, developed := example.Now(example.Fired()), example.Now(example.Developed())
			wantFound(t, fresh(), fired, alerting.DeliveryRef{}, false)
			root := lost(t, server, fresh(), fired)
			wantFound(t, fresh(), fired, root, true)

			developed.Thread = root.Thread
			wantFound(t, fresh(), developed, alerting.DeliveryRef{}, false)
			lost(t, server, fresh(), developed)
			wantFound(t, fresh(), developed, root, true)
			wantFound(t, fresh(), fired, root, true)
		})
	}
}

// lost posts a notification whose response is lost. It returns the reference of the
// newest message in the channel.
func lost(t *testing.T, server *slacktest.Server, b *slack.Bot, n alerting.Notification) alerting.DeliveryRef {
	t.Helper()
	server.Fail(slacktest.Fault{Method: "chat.postMessage", LoseResponse: true})
	if _, err := b.Notify(t.Context(), n); err == nil {
		t.Fatal("got no error, want one")
	}
	root := server.Messages()[0]
	return alerting.DeliveryRef{Thread: root.Channel + " " + root.TS}
}

func wantFound(t *testing.T, b *slack.Bot, n alerting.Notification, receipt alerting.DeliveryRef, found bool) {
	t.Helper()
	got, ok, err := b.Find(t.Context(), n)
	if diff := cmp.Diff(receipt, got); diff != "" || ok != found || err != nil {
		t.Errorf("finding %q: got %v, error %v, want %v; receipt (-want +got):\n%s", n.ID, ok, err, found, diff)
	}
}

// TestFindReadsOn: a busy channel has several pages of messages since the
// notification.
func TestFindReadsOn(t *testing.T) {
	server := start(t)
	b := bot(server)
	wanted := example.Now(example.Fired())
	receipt, err := b.Notify(t.Context(), wanted)
	must.Succeed(t, err)
	for i := range 120 {
		other := example.Now(example.Fired())
		other.ID = fmt.Sprintf("other/ops/%d", i)
		if _, err := b.Notify(t.Context(), other); err != nil {
			t.Fatal(err)
		}
	}
	wantFound(t, b, wanted, receipt, true)
}

// TestFindBlind: a token that may not read finds nothing, which is logged once.
func TestFindBlind(t *testing.T) {
	for _, method := range []string{"conversations.list", "conversations.history"} {
		t.Run(method, func(t *testing.T) {
			server := start(t)
			server.Fail(slacktest.Fault{Method: method, Error: "missing_scope", Times: -1})
			var log bytes.Buffer
			b := bot(server, func(c *slack.BotConfig) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			for range 3 {
				wantFound(t, b, example.Fired(), alerting.DeliveryRef{}, false)
			}
			if n := strings.Count(log.String(), "may not read the channel"); n != 1 || strings.Contains(log.String(), slacktest.Token) {
				t.Errorf("want it once, without the token, got\n%s", log.String())
			}
		})
	}
}

// TestFindPublicOnly: a token that may not list private channels lists public ones.
func TestFindPublicOnly(t *testing.T) {
	server := start(t)
	n := example.Now(example.Fired())
	receipt, err := bot(server).Notify(t.Context(), n)
	must.Succeed(t, err)
	server.Fail(slacktest.Fault{Method: "conversations.list", Error: "missing_scope"})
	wantFound(t, bot(server), n, receipt, true)
}

// TestFindErrors: while a search fails, nothing is posted again.
func TestFindErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		fault slacktest.Fault
		want  string
	}{
		"limited":       {slacktest.Fault{Method: "conversations.history", Status: 429, RetryAfter: "7"}, `retry in 7s: reading "#ops": slack rate limit exceeded, retry after 7s`},
		"down":          {slacktest.Fault{Method: "conversations.list", Status: 500}, `retry in 0s: reading "#ops": looking up the channel ID: slack server error: 500 Internal Server Error`},
		"invalid token": {slacktest.Fault{Error: "invalid_auth"}, `retry in 1m0s: reading "#ops": slack returned "invalid_auth" (give a valid token)`},
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t)
			server.Fail(tt.fault)
			_, found, err := bot(server).Find(t.Context(), example.Fired())
			if diff := cmp.Diff(tt.want, handling(t, err)); diff != "" || found {
				t.Errorf("found %v, verdict (-want +got):\n%s", found, diff)
			}
		})
	}
}
