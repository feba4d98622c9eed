package users

import (
	"math/rand/v2"
	"time"
)

// A Pacing is the rhythm in which a user sends requests.
type Pacing struct {
	Every time.Duration // interval between two requests while active; varies by a quarter of it
	Burst int           // requests until the user idles; 0: it never idles
	Idle  time.Duration // duration of an idle period
	New   bool          // each request comes from a new client without cookies
}

// DefaultPacings gives two of four users a steady rhythm. One idles for minutes, and
// one is a new client with each request.
var DefaultPacings = []Pacing{
	{Every: 2 * time.Second},
	{Every: 5 * time.Second},
	{Every: time.Second, Burst: 10, Idle: 4 * time.Minute},
	{Every: 3 * time.Second, New: true},
}

// gap returns how long the user waits after its request number n, from 1.
func (p Pacing) gap(n int, random *rand.Rand) time.Duration {
	wait := p.Every
	if p.Burst > 0 && n%p.Burst == 0 {
		wait = p.Idle
	}
	return wait - wait/8 + randomDuration(random, wait/4)
}

// randomDuration returns a random duration below d; 0 if d is not positive.
func randomDuration(random *rand.Rand, d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(random.Int64N(int64(d)))
}
