package alerting

import (
	"slices"
	"time"
)

// A finding flaps when it appears flapTimes times within FlapWindow, in one incident
// or in several. Its incident then fires at once and resolves only after flapQuiet,
// which is FlapWindow/(flapTimes-1), so that regular flapping stays one incident.
//
// A finding that does not flap by this rule appears at most four times an hour and
// opens at most 96 incidents a day. A flapping finding causes two notifications and
// reminders.
const (
	flapTimes  = 5
	FlapWindow = time.Hour
	flapQuiet  = 15 * time.Minute
)

// A flapCounter has the recent appearances of findings, including those in resolved
// incidents: at most flapTimes each, none older than FlapWindow, the newest last.
type flapCounter map[subject][]time.Time

// A subject identifies a finding of a cluster across rounds.
type subject struct{ cluster, key string }

// maxSubjects bounds the number of subjects, because keys contain text from targets.
const maxSubjects = 10_000

// add adds an appearance and returns all recent ones.
func (c flapCounter) add(s subject, at time.Time) []time.Time {
	times := append(recent(c[s], at), at)
	times = times[max(0, len(times)-flapTimes):]
	if _, known := c[s]; known || len(c) < maxSubjects {
		c[s] = times
	}
	return slices.Clone(times)
}

// learn adds the appearances that an incident has recorded.
func (c flapCounter) learn(i *Incident) {
	for _, m := range i.Findings {
		s := subject{m.Cluster, m.Key()}
		if n := len(m.Appearances); n > 0 && (len(c[s]) == 0 || m.Appearances[n-1].After(c[s][len(c[s])-1])) {
			c[s] = slices.Clone(m.Appearances)
		}
	}
}

// forget removes appearances that are too old.
func (c flapCounter) forget(at time.Time) {
	for s, times := range c {
		if times = recent(times, at); len(times) == 0 {
			delete(c, s)
		}
	}
}

// recent returns the times that are within FlapWindow.
func recent(times []time.Time, at time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(times), func(t time.Time) bool { return at.Sub(t) > FlapWindow })
}
