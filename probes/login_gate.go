package probes

import (
	"context"
	"sync"
	"time"
)

// A loginGate admits the logins of one account: one at a time, not more than a limit in an
// hour, and after a refusal only after a pause. So a wrong password cannot lock the account.
type loginGate struct {
	once sync.Once
	busy chan struct{} // has one element while a login is under way

	mu       sync.Mutex
	tokens   float64   // logins that may begin at once
	filled   time.Time // when tokens were counted
	refusals int       // consecutive
	failures int       // consecutive, without an answer to the password
	until    time.Time // no login begins before; zero: none was refused
	held     bool      // the newest login was held back by the limit
	single   bool      // a login ends earlier sessions
	newest   LoginAttempt
}

// Pauses. Counters of wrong passwords are usually cleared after 5 to 30 minutes, those that
// are not lock an account after 3 to 10.
const (
	refusalPause    = 30 * time.Minute // after the first refusal; doubles with each further one
	maxRefusalPause = 24 * time.Hour
	failurePause    = 10 * time.Second // after a password without an answer; doubles as well
	maxFailurePause = 5 * time.Minute
)

// A LoginStatus is what is known about the logins of a cluster's account.
type LoginStatus struct {
	LoginAttempt           // the newest
	Refusals     int       // consecutive
	Until        time.Time // no attempt is made before; zero: at any time
	Held         bool      // the limit of an hour holds logins back
	Single       bool      // the application ends an earlier session of the account with each login
}

// LoginStatus returns what is known about the logins; zero if the cluster has none.
func (c *Cluster) LoginStatus() LoginStatus {
	if c.Session == nil || c.Session.Login == nil {
		return LoginStatus{}
	}
	g := &c.Session.Login.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	return LoginStatus{LoginAttempt: g.newest, Refusals: g.refusals, Until: g.until, Held: g.held, Single: g.single}
}

// SetSingle records that the application ends an earlier session with each login.
func (l *Login) SetSingle() {
	l.gate.mu.Lock()
	defer l.gate.mu.Unlock()
	l.gate.single = true
}

// enter waits for its turn and reports whether a login may begin. If so, leave must follow.
func (g *loginGate) enter(ctx context.Context, perHour int) bool {
	g.once.Do(func() { g.busy = make(chan struct{}, 1) })
	select {
	case g.busy <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	if g.admit(time.Now(), perHour) {
		return true
	}
	<-g.busy
	return false
}

// admit takes a token. Half of the hour's logins may begin at once, and the other half spread
// over it, so that no hour has more.
func (g *loginGate) admit(now time.Time, perHour int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	half := max(1, float64(perHour)/2)
	if g.filled.IsZero() {
		g.tokens = half
	} else {
		g.tokens = min(half, g.tokens+half*now.Sub(g.filled).Hours())
	}
	g.filled = now
	if now.Before(g.until) {
		return false
	}
	g.held = g.tokens < 1
	if !g.held {
		g.tokens--
	}
	return !g.held
}

// leave records the result of a login. One that was interrupted before the password was sent
// is none.
func (g *loginGate) leave(ctx context.Context, attempt LoginAttempt) {
	defer func() { <-g.busy }()
	if ctx.Err() != nil && !attempt.Sent {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.newest = attempt
	switch now := time.Now(); {
	case attempt.Problem == "":
		g.refusals, g.failures, g.until = 0, 0, time.Time{}
	case attempt.Sent && attempt.Problem != LoginUnanswered: // the application may have counted a wrong password
		g.until = now.Add(doubled(refusalPause, g.refusals, maxRefusalPause))
		g.refusals++
	default:
		g.until = now.Add(doubled(failurePause, g.failures, maxFailurePause))
		g.failures++
	}
}

// doubled returns d doubled n times, at most limit.
func doubled(d time.Duration, n int, limit time.Duration) time.Duration {
	for ; n > 0 && d < limit; n-- {
		d *= 2
	}
	return min(d, limit)
}
