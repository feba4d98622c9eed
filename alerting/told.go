package alerting

import "time"

// Told is how far one receiver knows of an incident.
type Told struct {
	Receiver  string
	Notices   int       // written so far
	Last      time.Time // when the newest of them was written
	Reminders int       // how many of them were reminders
	News      []Event   // developments that it has not been told yet, oldest first, the newest MaxNews
}

// MaxNews bounds how many developments one notice tells: the newest. The
// incident in it shows how everything stands.
const MaxNews = 20

// hear keeps a development for the receiver's next notice.
func (t *Told) hear(e Event) {
	t.News = append(t.News, e)
	t.News = t.News[max(0, len(t.News)-MaxNews):]
}
