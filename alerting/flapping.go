package alerting

import (
	"slices"
	"time"
)

// A finding flaps when it appears FlapTimes times within FlapWindow, in one
// incident or in several. That is said once, in place of holding long enough;
// its incident is then over only when it has been quiet for FlapQuiet, so that
// one that flaps on evenly stays one incident: FlapWindow/(FlapTimes-1).
//
// What does not flap by this rule appears four times in an hour at most: no
// finding begins more than 96 incidents a day, each with a beginning and an end
// to be told. What does flap is told twice, and reminded of.
const (
	FlapTimes  = 5
	FlapWindow = time.Hour
	FlapQuiet  = 15 * time.Minute
)

// flapCounter remembers when findings appeared, longer than their incidents last:
// at most FlapTimes each, not older than FlapWindow, the newest last.
type flapCounter map[subject][]time.Time

// A subject is a finding of a cluster, from one round to the next.
type subject struct{ cluster, key string }

// maxSubjects bounds the memory: keys have words of targets in them.
const maxSubjects = 10_000

// came adds an appearance, and returns all that count.
func (c flapCounter) came(s subject, at time.Time) []time.Time {
	times := append(recent(c[s], at), at)
	times = times[max(0, len(times)-FlapTimes):]
	if _, known := c[s]; known || len(c) < maxSubjects {
		c[s] = times
	}
	return slices.Clone(times)
}

// learn takes over what an incident knows of the past.
func (c flapCounter) learn(i *Incident) {
	for _, m := range i.Findings {
		s := subject{m.Cluster, m.Key()}
		if n := len(m.CameBack); n > 0 && (len(c[s]) == 0 || m.CameBack[n-1].After(c[s][len(c[s])-1])) {
			c[s] = slices.Clone(m.CameBack)
		}
	}
}

// forget drops what does not count any more.
func (c flapCounter) forget(at time.Time) {
	for s, times := range c {
		if times = recent(times, at); len(times) == 0 {
			delete(c, s)
		}
	}
}

// recent are the times that count at a moment.
func recent(times []time.Time, at time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(times), func(t time.Time) bool { return at.Sub(t) > FlapWindow })
}
