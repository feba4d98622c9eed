// Package slack sends notifications to a Slack channel: an incident is one message,
// which a Bot keeps up to date, with its news in the thread of the message.
//
// # Duplicate messages
//
// Slack offers bots no idempotency; it ignores client_msg_id. Therefore each message
// of a [Bot] has the ID of its notification in its metadata, and [Bot.Find] searches
// for it before a notification is sent again. This prevents a duplicate after a crash
// between sending and recording, and after a lost response, if
//
//   - the token may read the channel (channels:history, for private channels
//     groups:history); otherwise the Bot logs that once, and may send a message
//     again after a lost response,
//   - the ID of the channel is known: from the configuration ("C0123456789"), from a
//     response since the start, or by the scope channels:read or groups:read,
//   - Slack already shows the message, and it is among the latest 500 since the
//     notification was created.
//
// Updates of the message are idempotent. A [Hook] can neither read nor update, and
// delivers at least once.
package slack
