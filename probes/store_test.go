package probes

import (
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestStoreThatMoves: memcached-session-manager writes the store into the id,
// and writes another one when it has moved the session: the session is the same.
func TestStoreThatMoves(t *testing.T) {
	id := secretID + "000000000000000001"
	var asked atomic.Int32
	u := web(t, func(w http.ResponseWriter, r *http.Request) {
		store := "n1"
		if asked.Add(1) > 2 {
			store = "n2"
		}
		http.SetCookie(w, &http.Cookie{Name: "JSESSIONID", Value: id + "-" + store + ".tomcat1", Path: "/"})
	})
	cluster := &Cluster{
		Balancer: Balancer{URLs: []*url.URL{u}},
		Session:  storedSession,
		Limits:   Limits{Timeout: ample},
	}
	canary := enter(t, cluster, 0)
	fit(t, canary.Follow(t.Context()))
	fit(t, canary.Follow(t.Context()))
	fit(t, canary.Return(t.Context()))

	type step struct {
		Store, Label string
		Session      Fingerprint
	}
	var got []step
	for _, s := range canary.Trace().Steps {
		got = append(got, step{s.Store, s.Label, s.Session})
	}
	same := FingerprintOf(id)
	want := []step{{"n1", "tomcat1", same}, {"n1", "tomcat1", same}, {"n2", "tomcat1", same}, {"n2", "tomcat1", same}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if outcome := last(canary); outcome != SessionKept {
		t.Errorf("got fate %q, want %q", outcome, SessionKept)
	}
	tells(t, secretID, canary.Trace())
}

// TestStore: only a whole answer tells the store, and only who asks is told.
func TestStore(t *testing.T) {
	set := "Set-Cookie: JSESSIONID=" + secretID + "-n1.tomcat1; Path=/\r\n"
	tests := map[string]struct {
		answer  string
		session *Session
		want    string
	}{
		"told":              {head + set + "\r\n", storedSession, "n1"},
		"no session test":   {head + set + "\r\n", nil, ""},
		"no store is asked": {head + set + "\r\n", tomcatSession, ""},
		"no cookie":         {head + "\r\n", storedSession, ""},
		"broken off":        {head + set + "Content-Length: 99\r\n\r\n", storedSession, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ex, _ := fetch(t, Target{URL: serve(t, say(tt.answer)), Timeout: ample}, pageRequest{session: tt.session})
			if ex.Store != tt.want {
				t.Errorf("got store %q, want %q", ex.Store, tt.want)
			}
		})
	}
}

// storedSession is the session test of Tomcat with memcached-session-manager,
// whose ids are ID-STORE.ROUTE.
var storedSession = &Session{
	Path:   "/",
	Policy: PolicyShared,
	Cookie: "JSESSIONID",
	Node:   tomcatSession.Node,
	ID: reads(func(doc Document) string {
		id, _, _ := strings.Cut(doc.Cookies["JSESSIONID"], "-")
		return id
	}),
	Store: reads(func(doc Document) string {
		id, _, _ := strings.Cut(doc.Cookies["JSESSIONID"], ".")
		_, store, _ := strings.Cut(id, "-")
		return store
	}),
}
