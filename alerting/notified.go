package alerting

import "time"

// Notified is how far one receiver knows of an incident.
type Notified struct {
	Receiver      string
	Notifications int       `json:"Notices"` // written so far
	Last          time.Time // when the newest of them was written
	Reminders     int       // how many of them were reminders
	News          []Event   // developments that it has not been told yet, oldest first, the newest MaxNews
}

// MaxNews bounds how many developments one notice tells: the newest. The
// incident in it shows how everything stands.
const MaxNews = 20

// observed keeps a development for the receiver's next notice.
func (t *Notified) observed(e Event) {
	t.News = append(t.News, e)
	t.News = t.News[max(0, len(t.News)-MaxNews):]
}
