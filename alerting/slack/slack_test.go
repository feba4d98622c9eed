package slack_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/example"
	"stickwatch/alerting/internal/receivertest"
	"stickwatch/alerting/slack"
	"stickwatch/alerting/slack/slacktest"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

type secret string

func (s secret) Reveal() string { return string(s) }

func start(t *testing.T) *slacktest.Server {
	t.Helper()
	server := slacktest.New("general", "ops")
	t.Cleanup(server.Close)
	return server
}

func bot(server *slacktest.Server, change ...func(*slack.BotConfig)) *slack.Bot {
	c := slack.BotConfig{Token: secret(slacktest.Token), Channel: "#ops", APIURL: server.URL(), Writer: receivertest.English(), Client: server.Client()}
	for _, f := range change {
		f(&c)
	}
	return slack.NewBot(c)
}

// TestIncident: an incident is one message, updated in place, with later
// notifications in its thread. The golden files have the content of the channel.
func TestIncident(t *testing.T) {
	for language, writer := range receivertest.Writers() {
		t.Run(language, func(t *testing.T) {
			server := start(t)
			b := bot(server, func(c *slack.BotConfig) { c.Writer = writer })
			thread := ""
			for _, n := range []alerting.Notification{example.Fired(), example.Developed(), example.Reminder(), example.Resolved()} {
				n.Thread = thread
				receipt, err := b.Notify(t.Context(), n)
				must.Succeed(t, err)
				thread = receipt.Thread
				shown := server.Messages()
				expect.Golden(t, "testdata/"+fmt.Sprintf("%s_%s.json", language, n.Kind), normalized(t, shown[0], shown[len(shown)-1]))
			}
			messages := server.Messages()
			if want := messages[0].Channel + " " + messages[0].TS; thread != want {
				t.Errorf("got thread %q, want %q", thread, want)
			}
			for _, m := range messages[1:] {
				if m.Thread != messages[0].TS || m.Edits != 0 {
					t.Errorf("message %q: got thread %q and %d edits, want %q and none", m.TS, m.Thread, m.Edits, messages[0].TS)
				}
			}
			if len(messages) != 4 || messages[0].Edits != 3 {
				t.Errorf("got %d messages, the first edited %d times, want 4 and 3", len(messages), messages[0].Edits)
			}
		})
	}
}

// TestDeployment: the summary of a deployment is a message of its own.
func TestDeployment(t *testing.T) {
	for language, writer := range receivertest.Writers() {
		t.Run(language, func(t *testing.T) {
			server := start(t)
			b := bot(server, func(c *slack.BotConfig) { c.Writer = writer })
			if _, err := b.Notify(t.Context(), example.Deployment()); err != nil {
				t.Fatal(err)
			}
			shown := server.Messages()
			if len(shown) != 1 {
				t.Fatalf("got %d messages, want one", len(shown))
			}
			expect.Golden(t, "testdata/"+language+"_deployment.json", normalized(t, shown[0]))
		})
	}
}

// TestHook: an incoming webhook gets a message for every notification.
func TestHook(t *testing.T) {
	server := start(t)
	hook, err := slack.NewHook(slack.HookConfig{URL: secret(server.HookURL()), Writer: receivertest.English()})
	must.Succeed(t, err)
	for _, n := range []alerting.Notification{example.Fired(), example.Resolved()} {
		receipt, err := hook.Notify(t.Context(), n)
		if diff := cmp.Diff(alerting.DeliveryRef{}, receipt); diff != "" || err != nil {
			t.Fatalf("got error %v, receipt (-want +got):\n%s", err, diff)
		}
	}
	messages := server.Messages()
	if len(messages) != 2 {
		t.Fatalf("got %d messages, want 2", len(messages))
	}
	expect.Golden(t, "testdata/hook_fired.json", normalized(t, messages[0]))
}

// TestDeletedRoot: if the message was deleted, the incident gets a new one.
func TestDeletedRoot(t *testing.T) {
	server := start(t)
	b := bot(server)
	fired, err := b.Notify(t.Context(), example.Fired())
	must.Succeed(t, err)
	server.Delete(server.Messages()[0].TS)
	n := example.Developed()
	n.Thread = fired.Thread
	developed, err := b.Notify(t.Context(), n)
	must.Succeed(t, err)
	if m := server.Messages(); len(m) != 1 || m[0].Thread != "" || developed.Thread != m[0].Channel+" "+m[0].TS {
		t.Errorf("got receipt %q and messages %v, want one in the channel", developed.Thread, m)
	}
	if receipt, found, err := b.Find(t.Context(), n); !found || err != nil || receipt != developed {
		t.Errorf("finding it: got %v, %v, %v, want %v", receipt, found, err, developed)
	}
}

// TestUneditable: in a workspace that forbids edits, the thread has the news.
func TestUneditable(t *testing.T) {
	server := start(t)
	b := bot(server)
	fired, err := b.Notify(t.Context(), example.Fired())
	must.Succeed(t, err)
	server.Fail(slacktest.Fault{Method: "chat.update", Error: "edit_window_closed"})
	n := example.Resolved()
	n.Thread = fired.Thread
	if _, err := b.Notify(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if m := server.Messages(); len(m) != 2 || m[1].Thread != m[0].TS {
		t.Errorf("got messages %v, want a reply", m)
	}
}

// normalized formats messages without times and numbers that differ between runs.
func normalized(t *testing.T, messages ...slacktest.Message) string {
	t.Helper()
	type shown struct {
		Text        string          `json:"text"`
		Blocks      json.RawMessage `json:"blocks,omitempty"`
		Attachments json.RawMessage `json:"attachments,omitempty"`
		Metadata    json.RawMessage `json:"metadata,omitempty"`
	}
	var all []shown
	for i, m := range messages {
		if i > 0 && m.TS == messages[0].TS {
			continue
		}
		all = append(all, shown{m.Text, json.RawMessage(m.Blocks), json.RawMessage(m.Attachments), json.RawMessage(m.Metadata)})
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	must.Succeed(t, e.Encode(all))
	return out.String()
}
