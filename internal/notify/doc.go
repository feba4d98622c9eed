// Package notify delivers notifications: it covers the way from a decision of
// the incident manager to a message at a receiver.
//
//	alerting.Manager ─► WriteQueue ─► history (incidents and outbox, one transaction)
//	                        │            │
//	                        └─► fallback outbox ─► Dispatcher ─► a worker for each receiver
//
// To find out why somebody was not paged, follow a notification through these
// stages:
//
//  1. The [WriteQueue] writes incidents and their notifications to the history, in
//     the order of the decisions. It retries what the disk refuses.
//  2. The fallback outbox ([NewFallbackOutbox]) serves notifications from the history.
//     If the disk accepts nothing for half a minute, it serves them from the queue.
//  3. A [Dispatcher] runs one worker for each receiver. The worker claims a
//     notification, sends it, and records the outcome. Retry policy and circuit
//     breaker are in retry.go.
//  4. The [Deliverer] replaces the dispatcher when a reload changes the receivers.
//
// Delivery is at least once. The process may end after a message was sent and
// before the outcome was recorded. In that case an [alerting.Finder] is asked
// whether the message arrived; any other receiver may get it twice.
package notify
