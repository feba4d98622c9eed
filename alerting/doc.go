// Package alerting decides who is notified of what, and when.
//
// Findings with the same cause form one [Incident], from the first finding to the
// recovery. The incident [Manager] is pure: it takes the time as an argument, does
// no I/O, and records its reasons in the timeline of the incident. Its decision is a
// [Decision]: changed incidents and new notifications, which are written in one
// transaction before anything is sent. Therefore a crash neither loses a notification
// nor makes stickwatch forget one that was sent.
//
// Receivers implement [Notifier]. Package internal/notify delivers the notifications.
package alerting
