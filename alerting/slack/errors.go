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

// errNoAnswer replaces a response without content, which the library takes for
// success.
var errNoAnswer = errors.New("the response has neither a message nor an error")

// temporaryErrors are errors of Slack itself: a later attempt may succeed.
var temporaryErrors = []string{"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout", "rollup_error"}

// formatErrors are errors about the format of a message. Sending the same message again is
// useless; a shorter one may succeed.
var formatErrors = []string{
	"msg_too_long", "msg_blocks_too_long", "no_text", "invalid_blocks", "invalid_blocks_format", "invalid_attachments", "too_many_attachments",
	"metadata_too_large", "invalid_metadata_format", "invalid_metadata_schema", "invalid_payload",
	"invalid_arguments", "invalid_arg_name", "invalid_array_arg", "invalid_charset", "invalid_form_data", "invalid_post_type",
}

// advice has the remedy for errors that last until somebody acts.
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

// classify returns an alerting.Retriable or alerting.Permanent error.
//
// Only an error about the message itself is permanent. All other errors, including
// unknown ones, are retried after a minute, because a late message is better than a
// lost one.
func classify(doing string, err error) error {
	described := fmt.Errorf("%s: %w", doing, readable(err))
	if limited, ok := errors.AsType[*api.RateLimitedError](err); ok {
		return alerting.Retriable{After: post.BoundPause(limited.RetryAfter), Err: described}
	}
	if refused, ok := errors.AsType[alerting.Retriable](err); ok { // from a webhook
		return alerting.Retriable{After: refused.After, Err: described}
	}
	if status, ok := status(err); ok && (status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout) {
		return alerting.Retriable{Err: described}
	}
	switch code := code(err); {
	case slices.Contains(formatErrors, code):
		return alerting.Permanent{Err: described}
	case slices.Contains(temporaryErrors, code), code == "" && !refusedByStatus(err):
		return alerting.Retriable{Err: described}
	default:
		return alerting.Retriable{After: post.RepairPause, Err: described}
	}
}

// readable returns an error with the error code of Slack and its remedy, without the
// URL.
func readable(err error) error {
	code := code(err)
	if code == "" {
		return probes.WithoutURL(err)
	}
	text := fmt.Errorf("slack returned %q", code)
	if todo := advice[code]; todo != "" {
		text = fmt.Errorf("%w (%s)", text, todo)
	}
	return text
}

// code returns the error code of Slack; "": the error is not from Slack.
func code(err error) string {
	if refused, ok := errors.AsType[api.SlackErrorResponse](err); ok {
		return probes.Clean(refused.Err, maxCode)
	}
	if refused, ok := errors.AsType[post.Refusal](err); ok {
		return refused.Answer
	}
	return ""
}

// maxCode bounds an error code in bytes.
const maxCode = 60

// says reports whether an error has one of Slack's error codes.
func says(err error, codes ...string) bool { return err != nil && slices.Contains(codes, code(err)) }

// status returns the HTTP status of a refused request.
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
