package alerting

import "time"

// A Notice is one thing to tell one receiver about an incident. It is written
// to the outbox together with the change of the incident that it tells, and
// leaves it when the receiver has it.
type Notice struct {
	ID       string // the same however often delivery is tried: incident, receiver and number
	Receiver string
	Kind     NoticeKind
	At       time.Time
	Incident Incident // as it was at At

	Attempts int    // deliveries tried so far, the one under way included
	Thread   string // where the receiver keeps this incident, as an earlier notice's Receipt told; "": nowhere yet
}

// A NoticeKind says what a notice tells.
type NoticeKind string

// The kinds of notice. Developed: a finding joined or left, or the severity
// rose. Reminder: it still goes on.
const (
	NoticeFired     NoticeKind = "fired"
	NoticeDeveloped NoticeKind = "developed"
	NoticeReminder  NoticeKind = "reminder"
	NoticeResolved  NoticeKind = "resolved"
)

// A Receipt is what a receiver said to a notice that it took.
type Receipt struct {
	Thread string // where to go on about this incident; "": receivers of this kind keep no threads
}
