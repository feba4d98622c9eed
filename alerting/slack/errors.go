package slack

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	api "github.com/slack-go/slack"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/post"
	"stickwatch/probes"
)

// errNoAnswer: the library takes an answer that says nothing for a success.
var errNoAnswer = errors.New("the answer says neither what was posted nor why not")

// passing errors go away by themselves.
var passing = []string{"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout", "rollup_error"}

// formal errors are about the message, not about who posts it where. Trying the
// same again is no use; saying less may be.
var formal = []string{
	"msg_too_long", "msg_blocks_too_long", "no_text", "invalid_blocks", "invalid_blocks_format", "invalid_attachments", "too_many_attachments",
	"metadata_too_large", "invalid_metadata_format", "invalid_metadata_schema", "invalid_payload",
	"invalid_arguments", "invalid_arg_name", "invalid_array_arg", "invalid_charset", "invalid_form_data", "invalid_post_type",
}

// advice says what to do about errors that stay until somebody does it.
var advice = map[string]string{
	"invalid_auth":        "give a valid token",
	"not_authed":          "give a token",
	"token_revoked":       "give a new token",
	"token_expired":       "give a new token",
	"account_inactive":    "give the token of an active bot",
	"missing_scope":       "give the token the scope chat:write",
	"channel_not_found":   "correct the channel, or invite the bot to it",
	"not_in_channel":      "invite the bot to the channel",
	"is_archived":         "unarchive the channel, or name another",
	"channel_is_archived": "unarchive the channel, or make a new webhook",
	"no_service":          "make a new webhook: this one was removed",
	"invalid_token":       "make a new webhook",
	"action_prohibited":   "ask an administrator of the workspace",
	"restricted_action":   "ask an administrator of the workspace",
}

// classify turns a failure into an alerting.Retriable or an alerting.Permanent.
//
// Only what is wrong with the message itself is permanent. Whatever else Slack
// refuses, unknown errors included, is tried again a minute later: a message
// lost is worse than one that comes when the token is repaired.
func classify(doing string, err error) error {
	said := fmt.Errorf("%s: %w", doing, readable(err))
	if limited, ok := errors.AsType[*api.RateLimitedError](err); ok {
		return alerting.Retriable{After: post.Pause(limited.RetryAfter), Err: said}
	}
	if refused, ok := errors.AsType[alerting.Retriable](err); ok { // of a webhook
		return alerting.Retriable{After: refused.After, Err: said}
	}
	if status, ok := status(err); ok && (status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout) {
		return alerting.Retriable{Err: said}
	}
	switch code := code(err); {
	case slices.Contains(formal, code):
		return alerting.Permanent{Err: said}
	case slices.Contains(passing, code), code == "" && !refusedByStatus(err):
		return alerting.Retriable{Err: said}
	default:
		return alerting.Retriable{After: post.RepairPause, Err: said}
	}
}

// readable is an error with what Slack calls it, what to do about it, and
// without the address that it may name.
func readable(err error) error {
	code := code(err)
	if code == "" {
		return post.Unaddressed(err)
	}
	text := fmt.Errorf("slack says %q", code)
	if todo := advice[code]; todo != "" {
		text = fmt.Errorf("%w (%s)", text, todo)
	}
	return text
}

// code is Slack's name for an error; "": it is not Slack's.
func code(err error) string {
	if refused, ok := errors.AsType[api.SlackErrorResponse](err); ok {
		return probes.Clean(refused.Err, maxCode)
	}
	if refused, ok := errors.AsType[post.Refusal](err); ok {
		return refused.Answer
	}
	return ""
}

// maxCode bounds an error's name, in bytes.
const maxCode = 60

// says reports whether an error is one of Slack's of these names.
func says(err error, codes ...string) bool { return err != nil && slices.Contains(codes, code(err)) }

// status is the HTTP status of a refusal.
func status(err error) (status int, ok bool) {
	if refused, ok := errors.AsType[api.StatusCodeError](err); ok {
		return refused.Code, true
	}
	if refused, ok := errors.AsType[post.Refusal](err); ok {
		return refused.Status, true
	}
	return 0, false
}

func refusedByStatus(err error) bool {
	_, ok := status(err)
	return ok
}
