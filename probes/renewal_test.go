package probes

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
)

// TestRenewedIDs: an application gives a session another id with each answer, and ends the one
// before. Its sessions are kept, also if checks present them, and a lost one is still found.
func TestRenewedIDs(t *testing.T) {
	var mu sync.Mutex
	sessions := make(map[string]string) // values by id
	u := web(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		value := ""
		if cookie, err := r.Cookie("JSESSIONID"); err == nil {
			value = sessions[cookie.Value]
			delete(sessions, cookie.Value)
		}
		if v := r.FormValue("key1"); v != "" {
			value = v
		}
		id := rand.Text()
		sessions[id] = value
		http.SetCookie(w, &http.Cookie{Name: "JSESSIONID", Value: id})
		fmt.Fprint(w, "key1="+value)
	})
	cluster := &Cluster{Session: tomcatSession, Limits: Limits{Timeout: ample}, Nodes: []Node{{ID: "tomcat1", URL: u}}}
	cluster.Balancer.URLs = []*url.URL{u}
	canary := openCanary(t, cluster, 1000)
	canary.Write(t.Context())
	canary.Write(t.Context())
	for range 3 {
		if canary.Return(t.Context()); lastOutcome(canary) != SessionKept {
			t.Errorf("got %q, want %q", lastOutcome(canary), SessionKept)
		}
	}
	trace := canary.Trace()
	if !trace.Renews {
		t.Error("it is not known that the application renews ids")
	}
	for i := range trace.Steps {
		if trace.SessionOutcome(i) == SessionLost {
			t.Errorf("step %d lost the session", i)
		}
	}
	if x := canary.CheckOwner(t.Context(), cluster.Nodes[0]); x.SessionOutcome() != SessionKept {
		t.Errorf("its node: got %q, want %q", x.SessionOutcome(), SessionKept)
	}
	if canary.Return(t.Context()); lastOutcome(canary) != SessionKept {
		t.Errorf("after a check: got %q, want %q", lastOutcome(canary), SessionKept)
	}
	mu.Lock()
	clear(sessions)
	mu.Unlock()
	if canary.Return(t.Context()); lastOutcome(canary) != SessionLost {
		t.Errorf("after a restart: got %q, want %q", lastOutcome(canary), SessionLost)
	}
}
