package monitor

import (
	"context"
	"slices"
	"sync"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/panics"
	"stickwatch/probes"
)

// This file keeps logins few. New clients are visitors: they show which nodes receive clients,
// and need no account. Only a client whose slot in the pool needs a canary logs in.

// loginOf returns how clients of a cluster log in; nil: they need not.
func loginOf(c *probes.Cluster) *probes.Login {
	if c.Session == nil {
		return nil
	}
	return c.Session.Login
}

// maxCanaryAge returns the age at which a canary is replaced. A session that took a login is kept
// for longer.
func maxCanaryAge(c *probes.Cluster, age time.Duration) time.Duration {
	if loginOf(c) == nil {
		return age
	}
	return max(age, time.Hour)
}

// A wantsLogin reports whether a client in a slot is to log in; nil: every one is.
type wantsLogin func(slot) bool

// roundLogins are the logins of a round. The addresses of the balancer take turns: a login at one
// may end the session that was opened at another.
type roundLogins struct {
	mu       sync.Mutex // guards wants and loggedIn
	wants    wantsLogin
	loggedIn bool // a client has logged in
}

// logIn logs in those of the chosen clients that are wanted. It returns the clients that hold
// the session of a user; the others stay visitors.
func (t *traceDriver) logIn(ctx context.Context, chosen []*probes.Canary, identity checks.Identity) []*probes.Canary {
	if loginOf(t.cluster) == nil {
		return chosen
	}
	logins := t.logins
	logins.mu.Lock()
	defer logins.mu.Unlock()
	var in []*probes.Canary
	for _, c := range chosen {
		single := t.cluster.LoginStatus().Single
		if single && logins.loggedIn || logins.wants != nil && !logins.wants(slotOf(c, identity)) || !c.LogIn(ctx) {
			continue
		}
		in, logins.loggedIn = append(in, c), true
		if len(in) == 2 && !single && loginEnded(ctx, in[0], c) {
			loginOf(t.cluster).SetSingle()
			t.forget(in[0])
			in = in[1:]
		}
	}
	return in
}

// loginEnded sends a request of both clients to find out whether the login of the later one ended
// the session of the earlier one, which is then logged out, answered by its own node.
func loginEnded(ctx context.Context, earlier, later *probes.Canary) bool {
	owner := earlier.Holder()
	ex := earlier.Return(ctx)
	if ex.LoggedIn != probes.LoggedOut || owner == "" || ex.Label != owner {
		return false
	}
	return later.Return(ctx).LoggedIn == probes.LoggedIn
}

// forget drops a client from the round.
func (t *traceDriver) forget(c *probes.Canary) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.canaries = slices.DeleteFunc(t.canaries, func(other *probes.Canary) bool { return other == c })
}

// needsLogin returns which slots of the pool need a login: free ones, those of lost sessions,
// and in each round one whose canary has reached the maximum age. Where the application allows
// the account one session at a time, it is one login while no session is held.
func (p *canaryPool) needsLogin(c *probes.Cluster, age time.Duration) wantsLogin {
	if loginOf(c) == nil {
		return nil
	}
	live := slices.DeleteFunc(slices.Clone(p.canaries), func(canary *pooledCanary) bool { return lostSession(canary.Canary) })
	single := c.LoginStatus().Single
	replaced := false
	return func(at slot) bool {
		if single {
			return len(live) == 0
		}
		i := slices.IndexFunc(live, func(canary *pooledCanary) bool { return canary.slot == at })
		if i < 0 {
			return true
		}
		old := !replaced && time.Since(live[i].Opened()) > age
		replaced = replaced || old
		return old
	}
}

// lostSession reports whether the newest answer to a client shows that its session is gone.
func lostSession(c *probes.Canary) bool {
	trace := c.Trace()
	return len(trace.Steps) > 0 && trace.SessionOutcome(len(trace.Steps)-1) == probes.SessionLost
}

// logOut gives up the sessions of clients.
func logOut(ctx context.Context, canaries []*probes.Canary) {
	var wg panics.Group
	for _, c := range canaries {
		wg.Go(func() { c.LogOut(ctx) })
	}
	wg.Wait()
}

// without returns the clients that are not among others.
func without(canaries, others []*probes.Canary) []*probes.Canary {
	return slices.DeleteFunc(slices.Clone(canaries), func(c *probes.Canary) bool { return slices.Contains(others, c) })
}

// logOutLeaving gives up the sessions that the pool does not need. After HandOver, Close does it.
func (w *Watcher) logOutLeaving(ctx context.Context) {
	w.publishCanaries() // first: another process must not continue them
	if w.handedOver.Load() {
		return
	}
	logOut(ctx, w.leaving)
	w.leaving = nil
}
