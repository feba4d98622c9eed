package users

import (
	"math/rand/v2"
	"time"
)

// A Pace is how often a user comes.
type Pace struct {
	Every time.Duration // between two requests while active; each gap varies by a quarter of it
	Burst int           // requests until the user idles; 0: never
	Idle  time.Duration // for how long it idles then
	New   bool          // each request is that of a new client without cookies
}

// DefaultPaces: of four users two are always active, one idles for minutes, and
// one is a new client with each request.
var DefaultPaces = []Pace{
	{Every: 2 * time.Second},
	{Every: 5 * time.Second},
	{Every: time.Second, Burst: 10, Idle: 4 * time.Minute},
	{Every: 3 * time.Second, New: true},
}

// gap is how long the user waits after its request number n, from 1.
func (p Pace) gap(n int, random *rand.Rand) time.Duration {
	wait := p.Every
	if p.Burst > 0 && n%p.Burst == 0 {
		wait = p.Idle
	}
	return wait - wait/8 + rand64(random, wait/4)
}

// rand64 is a random duration below d; 0 for none.
func rand64(random *rand.Rand, d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(random.Int64N(int64(d)))
}
