package slack_test

import (
	"fmt"
	"strings"
	"testing"

	"stickwatch/alerting/internal/example"
	"stickwatch/alerting/internal/receivertest"
	"stickwatch/alerting/slack"
	"stickwatch/alerting/slack/slacktest"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// handling describes how a dispatcher handles an error. It fails the test if the error contains a
// secret.
func handling(t *testing.T, err error) string {
	t.Helper()
	for _, secret := range []string{slacktest.Token, "hooksecret"} {
		if strings.Contains(fmt.Sprintf("%+v %#v", err, err), secret) {
			t.Errorf("the error %v shows a secret", err)
		}
	}
	return receivertest.Handling(err)
}

// TestErrors: only an error about the message is permanent; others are retried, after
// a minute if somebody must correct something.
func TestErrors(t *testing.T) {
	const always = -1
	for name, tt := range map[string]struct {
		fault slacktest.Fault
		want  string
	}{
		"limited":              {slacktest.Fault{Status: 429, RetryAfter: "7"}, `retry in 7s: posting to "#ops": slack rate limit exceeded, retry after 7s`},
		"limited for ages":     {slacktest.Fault{Status: 429, RetryAfter: "99999999999999999999"}, `retry in 1h0m0s: posting to "#ops": slack rate limit exceeded, retry after 1h0m0s`},
		"limited for a week":   {slacktest.Fault{Status: 429, RetryAfter: "604800"}, `retry in 1h0m0s: posting to "#ops": slack rate limit exceeded, retry after 168h0m0s`},
		"down":                 {slacktest.Fault{Status: 500}, `retry in 0s: posting to "#ops": slack server error: 500 Internal Server Error`},
		"in maintenance":       {slacktest.Fault{Status: 503, RetryAfter: "60"}, `retry in 0s: posting to "#ops": slack server error: 503 Service Unavailable`},
		"behind a login page":  {slacktest.Fault{Status: 200}, `retry in 0s: posting to "#ops": invalid character 'c' looking for beginning of value`},
		"behind a strict wall": {slacktest.Fault{Status: 403}, `retry in 1m0s: posting to "#ops": slack server error: 403 Forbidden`},
		"not itself":           {slacktest.Fault{Error: "internal_error"}, `retry in 0s: posting to "#ops": slack returned "internal_error"`},
		"busy":                 {slacktest.Fault{Error: "ratelimited"}, `retry in 0s: posting to "#ops": slack returned "ratelimited"`},
		"fatal":                {slacktest.Fault{Error: "fatal_error"}, `retry in 0s: posting to "#ops": slack returned "fatal_error"`},
		"invalid token":        {slacktest.Fault{Error: "invalid_auth"}, `retry in 1m0s: posting to "#ops": slack returned "invalid_auth" (give a valid token)`},
		"revoked token":        {slacktest.Fault{Error: "token_revoked"}, `retry in 1m0s: posting to "#ops": slack returned "token_revoked" (give a new token)`},
		"no such channel":      {slacktest.Fault{Error: "channel_not_found"}, `retry in 1m0s: posting to "#ops": slack returned "channel_not_found" (correct the channel, or invite the bot to it)`},
		"not invited":          {slacktest.Fault{Error: "not_in_channel"}, `retry in 1m0s: posting to "#ops": slack returned "not_in_channel" (invite the bot to the channel)`},
		"no scope":             {slacktest.Fault{Error: "missing_scope"}, `retry in 1m0s: posting to "#ops": slack returned "missing_scope" (give the token the scope chat:write)`},
		"never heard of":       {slacktest.Fault{Error: "what_is_\x1b[31m_this"}, `retry in 1m0s: posting to "#ops": slack returned "what_is_[31m_this"`},
		"too long once":        {slacktest.Fault{Error: "msg_too_long"}, "accepted"},
		"too long always":      {slacktest.Fault{Error: "msg_too_long", Times: always}, `give up: posting to "#ops": slack returned "msg_too_long"`},
		"no blocks at all":     {slacktest.Fault{Error: "invalid_blocks", Times: always}, `give up: posting to "#ops": slack returned "invalid_blocks"`},
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t)
			server.Fail(tt.fault)
			_, err := bot(server).Notify(t.Context(), example.Fired())
			expect.Equal(t, "error", tt.want, handling(t, err))
		})
	}
}

// TestErrorsOfTheWire: network errors differ in text by operating system, but all are
// retried.
func TestErrorsOfTheWire(t *testing.T) {
	server := start(t)
	for name, fault := range map[string]slacktest.Fault{"reset": {Reset: true}, "died": {LoseResponse: true}} {
		t.Run(name, func(t *testing.T) {
			server.Fail(fault)
			_, err := bot(server).Notify(t.Context(), example.Fired())
			if want := `retry in 0s: posting to "#ops": `; !strings.HasPrefix(handling(t, err), want) {
				t.Errorf("got %q, want it to begin with %q", handling(t, err), want)
			}
		})
	}
}

// TestErrorsInAThread: errors name the operation that failed.
func TestErrorsInAThread(t *testing.T) {
	server := start(t)
	b := bot(server)
	fired, err := b.Notify(t.Context(), example.Fired())
	must.Succeed(t, err)
	n := example.Developed()
	n.Thread = fired.Thread
	for _, tt := range []struct{ method, want string }{
		{"chat.update", `retry in 0s: updating a message in "#ops": slack returned "internal_error"`},
		{"chat.postMessage", `retry in 0s: replying in "#ops": slack returned "internal_error"`},
	} {
		server.Fail(slacktest.Fault{Method: tt.method, Error: "internal_error"})
		_, err := b.Notify(t.Context(), n)
		expect.Equal(t, tt.method, tt.want, handling(t, err))
	}
}

// TestHookErrors: errors of an incoming webhook do not contain its URL.
func TestHookErrors(t *testing.T) {
	const always = -1
	for name, tt := range map[string]struct {
		fault slacktest.Fault
		want  string
	}{
		"limited":         {slacktest.Fault{Status: 429, RetryAfter: "7"}, `retry in 7s: posting to the webhook: got status 429 Too Many Requests`},
		"down":            {slacktest.Fault{Status: 502}, `retry in 0s: posting to the webhook: got status 502 Bad Gateway`},
		"not itself":      {slacktest.Fault{Error: "rollup_error"}, `retry in 0s: posting to the webhook: slack returned "rollup_error"`},
		"removed":         {slacktest.Fault{Error: "no_service"}, `retry in 1m0s: posting to the webhook: slack returned "no_service" (make a new webhook: this one was removed)`},
		"archived":        {slacktest.Fault{Error: "channel_is_archived"}, `retry in 1m0s: posting to the webhook: slack returned "channel_is_archived" (unarchive the channel, or make a new webhook)`},
		"elsewhere":       {slacktest.Fault{Status: 404}, `retry in 1m0s: posting to the webhook: got status 404 Not Found`},
		"too long once":   {slacktest.Fault{Error: "invalid_payload"}, "accepted"},
		"too long always": {slacktest.Fault{Error: "invalid_payload", Times: always}, `give up: posting to the webhook: slack returned "invalid_payload"`},
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t)
			server.Fail(tt.fault)
			_, err := hook(t, server).Notify(t.Context(), example.Fired())
			expect.Equal(t, "error", tt.want, handling(t, err))
		})
	}
}

// TestBadHook: an invalid URL is not shown in the error.
func TestBadHook(t *testing.T) {
	_, err := slack.NewHook(slack.HookConfig{URL: secret("hooks.example/hooksecret%zz")})
	if want := "parsing the webhook URL: it is not a URL"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
}

func hook(t *testing.T, server *slacktest.Server) *slack.Hook {
	t.Helper()
	h, err := slack.NewHook(slack.HookConfig{URL: secret(server.HookURL()), Writer: receivertest.English(), Client: server.Client()})
	must.Succeed(t, err)
	return h
}
