package users

import (
	"math/rand/v2"
	"time"
)

// A Pacing is how often a user comes.
type Pacing struct {
	Every time.Duration // between two requests while active; each gap varies by a quarter of it
	Burst int           // requests until the user idles; 0: never
	Idle  time.Duration // for how long it idles then
	New   bool          // each request is that of a new client without cookies
}

// DefaultPacings: of four users two are always active, one idles for minutes, and
// one is a new client with each request.
var DefaultPacings = []Pacing{
	{Every: 2 * time.Second},
	{Every: 5 * time.Second},
	{Every: time.Second, Burst: 10, Idle: 4 * time.Minute},
	{Every: 3 * time.Second, New: true},
}

// gap is how long the user waits after its request number n, from 1.
func (p Pacing) gap(n int, random *rand.Rand) time.Duration {
	wait := p.Every
	if p.Burst > 0 && n%p.Burst == 0 {
		wait = p.Idle
	}
	return wait - wait/8 + randomDuration(random, wait/4)
}

// randomDuration is a random duration below d; 0 for none.
func randomDuration(random *rand.Rand, d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(random.Int64N(int64(d)))
}
