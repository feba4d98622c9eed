// Package slack tells a Slack channel of incidents: an incident is one message,
// which a Bot keeps up to date, with what developed in its thread.
//
// # How far a message is posted once
//
// Slack offers bots no idempotency: client_msg_id is ignored. So every message
// of a [Bot] carries the notice's id in its metadata, and [Bot.Find] looks for
// it before a notice is posted again. That holds against a crash between
// posting and recording, and against an answer that is lost, if
//
//   - the token may read the channel (channels:history, for private channels
//     groups:history); without, it is said once, and a message whose answer was
//     lost may be posted again,
//   - the channel's id is known: configured ("C0123456789"), learnt from an
//     answer since the start, or found by the scope channels:read or groups:read,
//   - Slack shows the message by then, and it is among the newest 500 since the
//     notice was written.
//
// Updates of the message are idempotent by nature. A [Hook], which can neither
// read nor update, posts at least once.
package slack
