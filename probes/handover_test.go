package probes

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// continued returns a canary that another process continues after a time.
func continued(t *testing.T, c *Cluster, canary *Canary, age time.Duration) *Canary {
	t.Helper()
	next, err := ContinueCanary(c, canary.State(), time.Now().Add(-age))
	if err != nil {
		t.Fatal(err)
	}
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
	if err != nil {
		t.Fatal(err)
	}
	if age := time.Since(next.Opened()) - time.Since(canary.Opened()); age < time.Hour-time.Second || age > time.Hour+time.Second {
		t.Errorf("an hour later it is older by %s", age)
	}
	next.Return(t.Context())
	next.Write(t.Context())
	next.Follow(t.Context())
	trace := next.Trace()
	for i, step := range trace.Steps[1:] {
		if step.Session != canary.Trace().First().Session || step.NewID || trace.SessionOutcome(i+1) != SessionKept {
			t.Errorf("step %d: got session %q, %q", i+1, step.Session, trace.SessionOutcome(i+1))
		}
	}
	if !trace.Continued || trace.Base != 1000 || !next.StartNextRound() {
		t.Errorf("got %+v", trace)
	}

	s.mu.Lock()
	s.sessions = nil
	s.mu.Unlock()
	canary.Return(t.Context()) // it finds the loss, and is handed over before it is judged
	next = continued(t, cluster, canary, time.Second)
	if next.Return(t.Context()); lastOutcome(next) != SessionLost {
		t.Errorf("a lost session: got %q, want %q", lastOutcome(next), SessionLost)
	}
}

// TestContinueCookies: cookies end when they would have ended.
func TestContinueCookies(t *testing.T) {
	u := web(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("JSESSIONID"); err != nil {
			http.SetCookie(w, &http.Cookie{Name: "JSESSIONID", Value: "one.tomcat1", MaxAge: 60})
		}
		fmt.Fprint(w, "key1=")
	})
	cluster := &Cluster{Session: tomcatSession, Limits: Limits{Timeout: ample}}
	cluster.Balancer.URLs = []*url.URL{u}
	canary := openCanary(t, cluster, 0)
	for age, want := range map[time.Duration]int{30 * time.Second: 1, 90 * time.Second: 0} {
		if got := len(continued(t, cluster, canary, age).jar.all()); got != want {
			t.Errorf("after %s: got %d cookies, want %d", age, got, want)
		}
	}
}

// TestContinueNoCanary: what is no canary of the cluster is refused.
func TestContinueNoCanary(t *testing.T) {
	s := &tomcats{}
	cluster := s.site(t, "tomcat1")
	state := string(openCanary(t, cluster, 0).State())
	elsewhere := &Cluster{Session: tomcatSession}
	elsewhere.Balancer.URLs = []*url.URL{{Scheme: "http", Host: "127.0.0.1:1"}}
	for name, try := range map[string]func() (*Canary, error){
		"another balancer": func() (*Canary, error) { return ContinueCanary(elsewhere, []byte(state), time.Now()) },
		"no JSON":          func() (*Canary, error) { return ContinueCanary(cluster, []byte(state[1:]), time.Now()) },
		"null":             func() (*Canary, error) { return ContinueCanary(cluster, []byte("null"), time.Now()) },
		"no address": func() (*Canary, error) {
			return ContinueCanary(cluster, []byte(strings.Replace(state, `"Address":"127.`, `"Address":"","A":"127.`, 1)), time.Now())
		},
		"no cookie": func() (*Canary, error) {
			return ContinueCanary(cluster, []byte(strings.Replace(state, `"Cookie":{`, `"Cookie":null,"C":{`, 1)), time.Now())
		},
	} {
		if canary, err := try(); err == nil {
			t.Errorf("%s: got %v", name, canary.Trace())
		}
	}
	if (&Canary{jar: NewJar()}).State() != nil {
		t.Error("a client without a session has a state")
	}
}
