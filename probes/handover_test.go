package probes

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unsafe"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// continued returns a canary that another process continues after a time.
func continued(t *testing.T, c *Cluster, canary *Canary, age time.Duration) *Canary {
	t.Helper()
	next, err := ContinueCanary(c, canary.State(), time.Now().Add(-age))
	must.Succeed(t, err)
	return next
}

// TestContinueCanary: another process continues a session with its values and its age, and finds that
// it was lost meanwhile.
func TestContinueCanary(t *testing.T) {
	s := &tomcats{}
	cluster := s.site(t, "tomcat1")
	canary := openCanary(t, cluster, 1000)
	for range 2 {
		canary.Write(t.Context())
	}
	canary.Follow(t.Context())
	before := canary.State()
	canary.Write(t.Context()) // the other process does not know of it

	other := *cluster
	next, err := ContinueCanary(&other, before, time.Now().Add(-time.Hour))
	must.Succeed(t, err)
	if age := time.Since(next.Opened()) - time.Since(canary.Opened()); age < time.Hour-time.Second || age > time.Hour+time.Second {
		t.Errorf("an hour later it is older by %s", age)
	}
	next.Return(t.Context())
	next.Write(t.Context())
	next.Follow(t.Context())
	trace := next.Trace()
	for i, step := range trace.Steps[1:] {
		if step.Session != canary.First().Session || step.NewID || trace.SessionOutcome(i+1) != SessionKept {
			t.Errorf("step %d: got session %q, %q", i+1, step.Session, trace.SessionOutcome(i+1))
		}
	}
	if !trace.Continued || trace.Base != 1000 || !next.StartNextRound() {
		t.Errorf("got %+v", trace)
	}

	s.forget()
	canary.Return(t.Context()) // it finds the loss, and is handed over before it is judged
	next = continued(t, cluster, canary, time.Second)
	if next.Return(t.Context()); lastOutcome(next) != SessionLost {
		t.Errorf("a lost session: got %q, want %q", lastOutcome(next), SessionLost)
	}
}

// TestContinueCookies: cookies end when they would have ended. A canary whose session cookie has ended is
// not continued: its next request would seem to have lost the session.
func TestContinueCookies(t *testing.T) {
	cluster, canary := withCookieOfAMinute(t)
	expect.Equal(t, "after 30 s: cookies", 1, len(continued(t, cluster, canary, 30*time.Second).jar.all()))
	if _, err := ContinueCanary(cluster, canary.State(), time.Now().Add(-90*time.Second)); !errors.Is(err, ErrSpent) {
		t.Errorf("after 90 s: got %v", err)
	}
	canary.spoiled = true
	if canary.State() != nil {
		t.Error("a canary whose session a check of ours may have ended has a state")
	}
	canary.spoiled = false
	end := time.Now()
	canary.jar.contents[0].cookie.Expires = end
	canary.jar = canary.jar.clone()
	if ex := canary.Return(t.Context()); !ex.CookieEnded() || canary.State() != nil {
		t.Errorf("a canary that has noticed it: got %v, %s", ex.Rejected, canary.State())
	}
}

// TestContinueAfterClockIsSet: neither sessions nor cookies get older when the clock is set forward.
func TestContinueAfterClockIsSet(t *testing.T) {
	cluster, canary := withCookieOfAMinute(t)
	// setForward makes a time one from before the clock was set forward: its wall clock is an hour behind,
	// and its monotonic one is not. See time.Time for the bits.
	setForward := func(at *time.Time) { *(*uint64)(unsafe.Pointer(at)) -= 3600 << 30 }
	setForward(&canary.opened)
	setForward(&canary.trace.Steps[0].At)
	setForward(&canary.jar.contents[0].cookie.Expires)
	next, err := ContinueCanary(cluster, canary.State(), time.Now())
	must.Succeed(t, err)
	for what, at := range map[string]time.Time{"session": next.Opened(), "answer": next.First().At} {
		if age := time.Since(at); age > time.Minute {
			t.Errorf("the %s is %s old", what, age)
		}
	}
}

// TestContinueBoundsValues: a canary that is handed over again and again never writes the values of the
// next client.
func TestContinueBoundsValues(t *testing.T) {
	cluster := (&tomcats{}).site(t, "tomcat1")
	canary := openCanary(t, cluster, 1000)
	for range 20 {
		next, err := ContinueCanary(cluster, canary.State(), time.Now())
		if errors.Is(err, ErrSpent) {
			return
		}
		must.Succeed(t, err)
		if next.Write(t.Context()); next.counter >= 2000 {
			t.Fatalf("got the value %d", next.counter)
		}
		next.Return(t.Context())
		canary = next
	}
	t.Error("it has no end")
}

// TestStateWhileAdopted needs the race detector: the state is taken while the nodes of the cluster change.
func TestStateWhileAdopted(t *testing.T) {
	cluster := (&tomcats{}).site(t, "tomcat1")
	canary, other := openCanary(t, cluster, 0), *cluster
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 100 {
			canary.Adopt(&other, "")
		}
	}()
	for range 100 {
		canary.State()
	}
	<-done
}

// withCookieOfAMinute returns a canary whose session cookie ends after a minute.
func withCookieOfAMinute(t *testing.T) (*Cluster, *Canary) {
	t.Helper()
	u := web(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("JSESSIONID"); err != nil {
			http.SetCookie(w, &http.Cookie{Name: "JSESSIONID", Value: "one.tomcat1", MaxAge: 60})
		}
		fmt.Fprint(w, "key1=")
	})
	cluster := &Cluster{Session: tomcatSession, Limits: Limits{Timeout: ample}}
	cluster.Balancer.URLs = []*url.URL{u}
	return cluster, openCanary(t, cluster, 0)
}

// TestContinueNoCanary: what is no canary of the cluster is refused.
func TestContinueNoCanary(t *testing.T) {
	cluster := (&tomcats{}).site(t, "tomcat1")
	state := string(openCanary(t, cluster, 0).State())
	elsewhere := &Cluster{Session: tomcatSession}
	elsewhere.Balancer.URLs = []*url.URL{{Scheme: "http", Host: "127.0.0.1:1"}}
	for name, tt := range map[string]struct {
		cluster *Cluster
		state   string
	}{
		"another balancer": {elsewhere, state},
		"no JSON":          {cluster, state[1:]},
		"null":             {cluster, "null"},
		"no address":       {cluster, strings.Replace(state, `"Address":"127.`, `"Address":"","A":"127.`, 1)},
		"no cookie":        {cluster, strings.Replace(state, `"Cookie":{`, `"Cookie":null,"C":{`, 1)},
	} {
		if canary, err := ContinueCanary(tt.cluster, []byte(tt.state), time.Now()); err == nil {
			t.Errorf("%s: got %v", name, canary.Trace())
		}
	}
	if (&Canary{jar: NewJar()}).State() != nil {
		t.Error("a client without a session has a state")
	}
}
