package chattest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/alerting"
	"stickwatch/alerting/chattest"
	"stickwatch/alerting/dingtalk"
	"stickwatch/alerting/internal/example"
	"stickwatch/alerting/internal/pipenet"
	"stickwatch/alerting/internal/receivertest"
	"stickwatch/alerting/message"
	"stickwatch/alerting/shoutrrr"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/internal/notify/outboxtest"
)

type secret string

func (s secret) Reveal() string { return string(s) }

// A receiver makes the notifier of a chat, with a token.
type receiver func(token string, c *http.Client, w message.Writer) (alerting.Notifier, error)

func byURL(format string) receiver {
	return func(token string, c *http.Client, w message.Writer) (alerting.Notifier, error) {
		return shoutrrr.New(shoutrrr.Config{URL: secret(fmt.Sprintf(format, token)), Client: c, Writer: w})
	}
}

// receivers are all that the stub serves.
var receivers = map[string]receiver{
	"dingtalk": func(token string, c *http.Client, w message.Writer) (alerting.Notifier, error) {
		return dingtalk.New(dingtalk.Config{Token: secret(token), Secret: secret(chattest.Secret), Client: c, Writer: w})
	},
	"wecom":         byURL("wecom://%s"),
	"wecom_mention": byURL("wecom://%s?mentioned_list=zhang,@all&mentioned_mobile_list=13800001111"),
	"feishu":        byURL("lark://open.feishu.cn/%s?secret=" + chattest.Secret),
	"lark":          byURL("lark://open.larksuite.com/%s?secret=" + chattest.Secret),
	"telegram":      byURL("telegram://123456789:%s@telegram?chats=-100123:7&notification=no"),
	"teams":         byURL("teams://group@tenant/%s/owner/extra?host=contoso.webhook.office.com"),
	"mattermost":    byURL("mattermost://watch@chat.shop.example/%s/town-square"),
	"ntfy":          byURL("ntfy://watch:%s@ntfy.shop.example/ops?tags=warning"),
	"pagerduty":     byURL("pagerduty://events.pagerduty.com/%s"),
	"opsgenie":      byURL("opsgenie://api.opsgenie.com/%s?tags=prod,shop"),
}

// asked are the mentions that the address of a receiver asks for.
var asked = map[string][]string{"wecom_mention": {"zhang", "@all", "13800001111"}}

func start(t *testing.T) (*chattest.Server, *http.Client) {
	t.Helper()
	server := &chattest.Server{Signed: true}
	client, stop := server.Start()
	t.Cleanup(stop)
	return server, client
}

func build(t *testing.T, r receiver, token string, c *http.Client, w message.Writer) alerting.Notifier {
	t.Helper()
	n, err := r(token, c, w)
	must.Succeed(t, err)
	return n
}

// TestMessages compares what the services accepted with the golden files.
func TestMessages(t *testing.T) {
	for name, r := range receivers {
		for language, writer := range receivertest.Writers() {
			t.Run(name+" "+language, func(t *testing.T) {
				server, client := start(t)
				n := build(t, r, chattest.Token, client, writer)
				var got bytes.Buffer
				for _, what := range []alerting.Notification{example.Fired(), example.Acknowledged(), example.Resolved(), example.Deployment()} {
					if _, err := n.Notify(t.Context(), what); err != nil {
						t.Fatal(err)
					}
				}
				for _, m := range server.Messages() {
					fmt.Fprintf(&got, "%s pages %q\n%s\n", m.Host, m.Pages, indented(t, m.Body))
				}
				expect.Golden(t, "testdata/"+name+"_"+language+".txt", got.String())
			})
		}
	}
}

// indented formats a body, with its signature blanked.
func indented(t *testing.T, body string) string {
	t.Helper()
	var members map[string]any
	must.Succeed(t, json.Unmarshal([]byte(body), &members))
	for _, name := range []string{"timestamp", "sign"} {
		if members[name] != nil {
			members[name] = "..."
		}
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	must.Succeed(t, e.Encode(members))
	return out.String()
}

// TestHostile: a message with any text from a target is accepted as it is, and pages
// only the users of the configuration.
func TestHostile(t *testing.T) {
	for name, r := range receivers {
		for _, evil := range []string{"<!channel>", "@all", "<@all>", "<at id=all></at>", `<at user_id="all">x</at>`, "@zhang", "[x](https://evil)", "\"\\", "<&>"} {
			server, client := start(t)
			n := build(t, r, chattest.Token, client, receivertest.English())
			what := example.Hostile()
			what.Incident.Cause.Node = evil
			what.Incident.Cluster = evil + strings.Repeat(evil, 200)
			for i := range what.Incident.Findings {
				what.Incident.Findings[i].Node = evil + strings.Repeat(evil, 200)
			}
			if _, err := n.Notify(t.Context(), what); err != nil || server.Calls() != 1 {
				t.Fatalf("%s, %q: got error %v after %d calls, want none after one", name, evil, err, server.Calls())
			}
			got := server.Messages()[0]
			expect.Equal(t, fmt.Sprintf("%s, %q: pages", name, evil), asked[name], got.Pages)
			if strings.ContainsAny(got.Text, "\x1b\u202e") {
				t.Errorf("%s: got control characters in %.500q", name, got.Text)
			}
		}
	}
}

// TestBegin: a message begins with state, cluster, cause, affected and since.
func TestBegin(t *testing.T) {
	for name, r := range receivers {
		server, client := start(t)
		if _, err := build(t, r, chattest.Token, client, receivertest.English()).Notify(t.Context(), example.Fired()); err != nil {
			t.Fatal(err)
		}
		text, at := server.Messages()[0].Text, 0
		for _, want := range []string{"Critical", "shop", "Redis Server is unavailable", "1 of 3 clients", "2026-03-01 12:00:00 UTC", "Severity"} {
			i := strings.Index(text[at:], want)
			if i < 0 {
				t.Errorf("%s: got no %q after %q", name, want, text[:at])
				break
			}
			at += i
		}
	}
}

// A failure is an answer with the error that it is for stickwatch.
type failure struct {
	answer http.HandlerFunc
	want   string
}

// common are failures of all services.
var common = map[string]failure{
	"500":             {chattest.Answer(500, "oops"), "retry in 0s: got status 500 Internal Server Error"},
	"429":             {chattest.Answer(429, "", "Retry-After", "90"), "retry in 1m30s: got status 429 Too Many Requests"},
	"404":             {chattest.Answer(404, "no"), "retry in 1m0s: got status 404 Not Found"},
	"a proxy's login": {chattest.Answer(200, "<html>Log in"), "retry in 0s: the answer is not one of the API"},
	"an empty answer": {chattest.Answer(200, ""), "retry in 0s: the answer is not one of the API"},
	"other JSON":      {chattest.Answer(200, `{"errcode":"0","code":null}`), "retry in 0s: the answer is not one of the API"},
	"redirected":      {chattest.Answer(302, "", "Location", "https://evil.example/"), "retry in 1m0s: got status 302 Found, a redirect that is not followed"},
	"413":             {chattest.Answer(413, ""), "give up: got status 413 Request Entity Too Large"},
}

// particular are failures by the error codes of services.
var particular = map[string]map[string]failure{
	"dingtalk": {
		"busy":      {chattest.Answer(200, `{"errcode":-1,"errmsg":"系统繁忙"}`), `retry in 0s: DingTalk returned -1: "系统繁忙"`},
		"too many":  {chattest.Answer(200, `{"errcode":130101,"errmsg":"send too fast"}`), `retry in 1m0s: DingTalk returned 130101: "send too fast"`},
		"signature": {chattest.Answer(200, `{"errcode":310000,"errmsg":"sign not match"}`), `retry in 1m0s: DingTalk returned 310000: "sign not match" (in the robot's security settings, choose a signature and give its secret, or add this host or a word of the message)`},
		"unknown":   {chattest.Answer(200, `{"errcode":77,"errmsg":"x"}`), `retry in 1m0s: DingTalk returned 77: "x"`},
		"words":     {chattest.Answer(200, `{"errcode":430102,"errmsg":"inappropriate text"}`), `give up: DingTalk returned 430102: "inappropriate text"`},
	},
	"wecom": {
		"busy":     {chattest.Answer(200, `{"errcode":-1,"errmsg":"system busy"}`), `retry in 0s: WeCom returned -1: "system busy"`},
		"too many": {chattest.Answer(200, `{"errcode":45009,"errmsg":"api freq out of limit"}`), `retry in 1m0s: WeCom returned 45009: "api freq out of limit"`},
		"key":      {chattest.Answer(200, `{"errcode":93000,"errmsg":"invalid webhook url"}`), `retry in 1m0s: WeCom returned 93000: "invalid webhook url" (give the key of the robot's address)`},
		"length":   {chattest.Answer(200, `{"errcode":40058,"errmsg":"exceed max length"}`), `give up: WeCom returned 40058: "exceed max length"`},
	},
	"feishu": {
		"too many":  {chattest.Answer(400, `{"code":11232,"msg":"frequency limited"}`), `retry in 1m0s: Lark returned 11232: "frequency limited"`},
		"token":     {chattest.Answer(200, `{"code":19001,"msg":"token invalid"}`), `retry in 1m0s: Lark returned 19001: "token invalid" (give the token of the bot's address)`},
		"signature": {chattest.Answer(200, `{"code":19021,"msg":"sign match fail"}`), `retry in 1m0s: Lark returned 19021: "sign match fail" (give the secret of the bot's signature, and check the clock of this host)`},
		"format":    {chattest.Answer(400, `{"code":9499,"msg":"Bad Request"}`), `give up: Lark returned 9499: "Bad Request"`},
	},
	"telegram": {
		"too many": {chattest.Answer(429, `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 41","parameters":{"retry_after":41}}`), `retry in 41s: telegram returned 429: "Too Many Requests: retry after 41"`},
		"days":     {chattest.Answer(429, `{"ok":false,"parameters":{"retry_after":9223372036854775807}}`), `retry in 1h0m0s: telegram returned 429: ""`},
		"chat":     {chattest.Answer(400, `{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}`), `retry in 1m0s: telegram returned 400: "Bad Request: chat not found" (correct the chat, and invite the bot to it)`},
		"kicked":   {chattest.Answer(403, `{"ok":false,"error_code":403,"description":"Forbidden: bot was kicked"}`), `retry in 1m0s: telegram returned 403: "Forbidden: bot was kicked"`},
		"length":   {chattest.Answer(400, `{"ok":false,"error_code":400,"description":"Bad Request: message is too long"}`), `give up: telegram returned 400: "Bad Request: message is too long"`},
		"internal": {chattest.Answer(500, `{"ok":false,"error_code":500,"description":"Internal Server Error"}`), `retry in 0s: telegram returned 500: "Internal Server Error"`},
	},
	"teams": {
		"too many": {chattest.Answer(200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId tcid=1"), `retry in 1m0s: teams returned "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId tcid=1"`},
		"behind":   {chattest.Answer(200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 502"), `retry in 0s: teams returned "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 502"`},
		"length":   {chattest.Answer(200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413"), `give up: teams returned "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413"`},
	},
	"mattermost": {
		"channel": {chattest.Answer(400, `{"id":"web.incoming_webhook.channel.app_error","message":"Couldn't find the channel"}`), `retry in 1m0s: mattermost returned "web.incoming_webhook.channel.app_error": "Couldn't find the channel"`},
		"text":    {chattest.Answer(400, `{"id":"web.incoming_webhook.text.app_error","message":"No text specified"}`), `give up: mattermost returned "web.incoming_webhook.text.app_error": "No text specified"`},
	},
	"pagerduty": {
		"key":    {chattest.Answer(400, `{"status":"invalid event","message":"Event object is invalid","errors":["'routing_key' is missing"]}`), `retry in 1m0s: PagerDuty returned "Event object is invalid; 'routing_key' is missing" (give the key of an Events API v2 integration)`},
		"format": {chattest.Answer(400, `{"status":"invalid event","message":"Event object is invalid","errors":["'payload.summary' is missing"]}`), `give up: PagerDuty returned "Event object is invalid; 'payload.summary' is missing"`},
	},
	"opsgenie": {
		"key":    {chattest.Answer(422, `{"message":"Key format is not valid!","took":0.0,"requestId":"r"}`), `retry in 1m0s: opsgenie returned "Key format is not valid!" (give the key of an API integration)`},
		"format": {chattest.Answer(422, `{"message":"Request body is not processable.","took":0.0,"requestId":"r"}`), `give up: got status 422 Unprocessable Entity`},
	},
}

// TestErrors: each answer of a service has its meaning, and no error has the token.
func TestErrors(t *testing.T) {
	for name, r := range receivers {
		for _, failures := range []map[string]failure{common, particular[name]} {
			for what, f := range failures {
				t.Run(name+" "+what, func(t *testing.T) {
					server, client := start(t)
					server.Fail(f.answer, f.answer)
					_, err := build(t, r, chattest.Token, client, receivertest.English()).Notify(t.Context(), example.Fired())
					expect.Equal(t, "error", f.want, receivertest.Handling(err))
				})
			}
		}
	}
}

// TestWrongToken: the service refuses another token, and the error does not show it.
func TestWrongToken(t *testing.T) {
	const wrong = "another-token-that-is-wrong"
	for name, r := range receivers {
		_, client := start(t)
		_, err := build(t, r, wrong, client, receivertest.English()).Notify(t.Context(), example.Fired())
		if got := receivertest.Handling(err); !strings.HasPrefix(got, "retry in 1m0s: ") || strings.Contains(got, wrong) {
			t.Errorf("%s: got %q, want another attempt after a minute, without the token", name, got)
		}
	}
}

// TestShorter: a message that the service refuses is offered with its headline and links
// only.
func TestShorter(t *testing.T) {
	for name, r := range receivers {
		server, client := start(t)
		n := build(t, r, chattest.Token, client, receivertest.English())
		for range 2 {
			if _, err := n.Notify(t.Context(), example.Hostile()); err != nil {
				t.Fatal(err)
			}
			server.Fail(chattest.Answer(413, ""))
		}
		got := server.Messages()
		if len(got) != 2 || len(got[1].Text) > len(got[0].Text)*4/5 {
			t.Fatalf("%s: got %d messages, want a short one: %q", name, len(got), got)
		}
		if link := "https://stickwatch.example/incidents/"; !strings.Contains(got[1].Text, link) && strings.Contains(got[0].Text, link) {
			t.Errorf("%s: got no link in %q", name, got[1].Text)
		}
	}
}

// TestDelivery: despite failures, every notification arrives once, in order.
func TestDelivery(t *testing.T) {
	late := func(http.ResponseWriter, *http.Request) { time.Sleep(8 * time.Second); panic(http.ErrAbortHandler) }
	down := chattest.Answer(503, "")
	for name, r := range receivers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &chattest.Server{Signed: true}
				server.Fail(down, late, chattest.Answer(429, "", "Retry-After", "90"), down)
				took := deliver(t, server, r, example.Fired(), example.Developed(), example.Reminder(), example.Resolved())
				if got := len(server.Messages()); got != 4 || took < 98*time.Second {
					t.Errorf("got %d messages within %v, want 4, not before 98 s", got, took)
				}
			})
		})
	}
}

// TestManyAtOnce: of 45 notifications, all arrive although a robot accepts 20 a minute.
func TestManyAtOnce(t *testing.T) {
	for _, name := range []string{"dingtalk", "wecom"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &chattest.Server{Signed: true}
				var all []alerting.Notification
				for i := range 45 {
					n := example.Fired()
					n.Incident.ID = fmt.Sprint("incident-", i)
					n.ID = alerting.NotificationID(n.Incident.ID, example.Receiver, 1)
					all = append(all, n)
				}
				took := deliver(t, server, receivers[name], all...)
				if got := len(server.Messages()); got != 45 || took < 2*time.Minute || took > 10*time.Minute {
					t.Errorf("got %d messages within %v, want 45 after 2 to 10 min", got, took)
				}
			})
		})
	}
}

// deliver delivers notifications and returns how long that took in the time of the bubble.
func deliver(t *testing.T, s *chattest.Server, r receiver, all ...alerting.Notification) time.Duration {
	t.Helper()
	pipes := pipenet.Listen()
	server := &http.Server{Handler: s}
	go server.Serve(pipes)
	defer server.Close()
	to := &url.URL{Scheme: "http", Host: "stub.example"}
	n := build(t, r, chattest.Token, &http.Client{Transport: chattest.FixedAddress{To: to, Next: pipes.Client().Transport}}, receivertest.English())
	for i := range all {
		all[i] = example.Now(all[i])
	}
	outbox := outboxtest.New(all...)
	took := receivertest.Dispatch(t, n, outbox)
	receivertest.CheckDelivered(t, outbox)
	return took
}
