package slack_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/example"
	"stickwatch/alerting/internal/receivertest"
	"stickwatch/alerting/slack/slacktest"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/internal/notify/outboxtest"
)

// story returns the notifications of an incident, created now.
func story() []alerting.Notification {
	return []alerting.Notification{
		example.Now(example.Fired()), example.Now(example.Developed()), example.Now(example.Reminder()), example.Now(example.Resolved()),
	}
}

// TestDelivery: whatever Slack does, an incident is one message, updated to its end,
// and a thread in which each notification appears once and in order.
func TestDelivery(t *testing.T) {
	const always = -1
	for name, tt := range map[string]struct {
		faults  []slacktest.Fault
		atLeast time.Duration
	}{
		"well":                  {nil, 0},
		"8 s late, always":      {[]slacktest.Fault{{Latency: 8 * time.Second, Times: always}}, 7 * 8 * time.Second},
		"too late, once":        {[]slacktest.Fault{{Method: "chat.postMessage", Latency: time.Hour}}, 20 * time.Second},
		"too late, and done":    {[]slacktest.Fault{{Method: "chat.postMessage", LoseResponse: true, Latency: 8 * time.Second}}, 8 * time.Second},
		"limited":               {[]slacktest.Fault{{Status: 429, RetryAfter: "30", Times: 3}}, 90 * time.Second},
		"down":                  {[]slacktest.Fault{{Status: 500, Times: 12}}, 0},
		"reset":                 {[]slacktest.Fault{{Reset: true, Times: 12}}, 0},
		"dies after each":       {[]slacktest.Fault{{Method: "chat.postMessage", LoseResponse: true, Times: 4}, {Method: "chat.update", LoseResponse: true, Times: 3}}, 0},
		"invalid token, 50 min": {[]slacktest.Fault{{Error: "invalid_auth", Times: 50}}, 49 * time.Minute},
		"no channel, 50 min":    {[]slacktest.Fault{{Method: "chat.postMessage", Error: "channel_not_found", Times: 50}}, 49 * time.Minute},
		"too long":              {[]slacktest.Fault{{Error: "msg_too_long", Times: 1}}, 0},
		"all of it at once":     {everything(), 0},
		"all of it, in turns":   {slices.Concat(everything(), everything(), everything()), 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := slacktest.NewInMemory("general", "ops")
				defer server.Close()
				server.Fail(tt.faults...)
				outbox := outboxtest.New(story()...)
				took := receivertest.Dispatch(t, bot(server), outbox)
				receivertest.CheckDelivered(t, outbox)
				wantStory(t, server)
				if took < tt.atLeast {
					t.Errorf("it took %v of the bubble's time, want at least %v", took, tt.atLeast)
				}
			})
		})
	}
}

func everything() []slacktest.Fault {
	return []slacktest.Fault{
		{Latency: 8 * time.Second},
		{Status: 429, RetryAfter: "11"},
		{Status: 500},
		{Reset: true},
		{Error: "invalid_auth"},
		{Error: "channel_not_found"},
		{Method: "chat.postMessage", LoseResponse: true},
		{Method: "chat.update", LoseResponse: true},
		{Error: "fatal_error"},
	}
}

// TestCrash: after a crash between posting and recording, the next process posts no
// duplicate, whichever notification it was.
func TestCrash(t *testing.T) {
	for crashed := range story() {
		t.Run(fmt.Sprint(crashed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := slacktest.NewInMemory("general", "ops")
				defer server.Close()
				outbox := outboxtest.New(story()...)
				for i := range crashed + 1 {
					n, _, err := outbox.Claim(t.Context(), example.Receiver, time.Now(), time.Minute)
					must.Succeed(t, err)
					receipt, err := bot(server).Notify(t.Context(), n)
					must.Succeed(t, err)
					if i < crashed {
						outbox.Delivered(t.Context(), n.ID, receipt)
					}
				}
				receivertest.Dispatch(t, bot(server), outbox)
				receivertest.CheckDelivered(t, outbox)
				wantStory(t, server)
			})
		})
	}
}

// TestMessageThatStaysTooLong: a message that Slack never accepts becomes a dead letter and
// delays no other.
func TestMessageThatStaysTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := slacktest.NewInMemory("ops")
		defer server.Close()
		server.Fail(slacktest.Fault{Method: "chat.postMessage", Error: "msg_too_long", Times: 2})
		outbox := outboxtest.New(story()...)
		receivertest.Dispatch(t, bot(server), outbox)
		var got []string
		for _, e := range outbox.Entries() {
			got = append(got, string(e.State)+" "+e.Reason)
		}
		want := []string{`dead posting to "#ops": slack returned "msg_too_long"`, "delivered ", "delivered ", "delivered "}
		expect.Equal(t, "outbox", want, got)
	})
}

// wantStory checks that there is one root message, which shows the end, and one reply
// for each later notification.
func wantStory(t *testing.T, server *slacktest.Server) {
	t.Helper()
	messages := server.Messages()
	var got []string
	for _, m := range messages {
		line := "root " + notificationID(t, m)
		if m.Thread != "" {
			line = fmt.Sprintf("reply to %v %s", m.Thread == messages[0].TS, notificationID(t, m))
		}
		got = append(got, line)
	}
	const id = "20260301T120000-5f2c/ops/"
	want := []string{"root " + id + "1", "reply to true " + id + "2", "reply to true " + id + "3", "reply to true " + id + "4"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("messages (-want +got):\n%s", diff)
	}
	if end := "[Resolved] shop: Dependency down"; messages[0].Edits < 3 || !strings.HasPrefix(messages[0].Text, end) {
		t.Errorf("the incident's message has %d edits and begins %.60q, want %q", messages[0].Edits, messages[0].Text, end)
	}
}

// notificationID returns the ID of the notification in the metadata of a message.
func notificationID(t *testing.T, m slacktest.Message) string {
	t.Helper()
	var meta struct {
		Payload struct {
			Notice string `json:"notice"`
		} `json:"event_payload"`
	}
	if err := json.Unmarshal([]byte(m.Metadata), &meta); err != nil {
		t.Fatalf("decoding the metadata %q: %v", m.Metadata, err)
	}
	return meta.Payload.Notice
}
