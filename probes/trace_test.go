package probes

import (
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"stickwatch/internal/expect"
)

func TestTraceOutcome(t *testing.T) {
	id, other := FingerprintOf("one"), FingerprintOf("two")
	answer := func(status int, session Fingerprint, value string) Exchange {
		return Exchange{Status: status, Session: session, Value: value}
	}
	tests := []struct {
		name    string
		counter int
		ex      Exchange
		want    SessionOutcome
	}{
		{"same value", 1002, answer(200, id, "1002"), SessionKept},
		{"same value, new id", 1002, answer(200, other, "1002"), SessionKept},
		{"a value whose answer was lost", 1002, answer(200, id, "1003"), SessionKept},
		{"a value never sent", 1002, answer(200, id, "1004"), SessionLost},
		{"an earlier value", 1002, answer(200, id, "1001"), SessionStale},
		{"a value from before the trace", 1002, answer(200, id, "1000"), SessionLost},
		{"another trace's", 1002, answer(200, id, "2002"), SessionLost},
		{"no value", 1002, answer(200, id, ""), SessionLost},
		{"no number", 1002, answer(200, id, "0x3ea"), SessionLost},
		{"too great a number", 1002, answer(200, id, "99999999999999999999"), SessionLost},
		{"same id", 0, answer(200, id, ""), SessionKept},
		{"another id", 0, answer(200, other, ""), SessionLost},
		{"no id", 0, answer(200, "", ""), SessionUnknown},
		{"no answer", 1002, Exchange{Failure: FailureTimeout}, SessionUnknown},
		{"broken answer", 1002, Exchange{Status: 200, Failure: FailureReset}, SessionUnknown},
		{"error", 1002, answer(503, "", ""), SessionUnknown},
		{"not found", 0, answer(404, other, ""), SessionUnknown},
		{"sent elsewhere", 1002, answer(302, "", ""), SessionUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := Trace{Base: 1000, Steps: []Step{
				{Kind: StepFirst, Exchange: answer(200, id, "")},
				{Kind: StepFollow, Counter: tt.counter, Exchange: tt.ex},
				{Kind: StepWrite, Counter: 1003, Exchange: Exchange{Failure: FailureTimeout}},
			}}
			expect.Equal(t, "trace", tt.want, w.SessionOutcome(1))
			if got := w.SessionOutcome(0) + w.SessionOutcome(2); got != SessionUnknown {
				t.Errorf("other steps: got %q, want none", got)
			}
			c := FailoverCheck{Counter: tt.counter, Base: 1000, Tried: 1003, Session: id, There: tt.ex}
			expect.Equal(t, "failover check", tt.want, c.SessionOutcome())
		})
	}
}

func TestFirstOfNoSteps(t *testing.T) {
	if first := (Trace{}).First(); first.Answered() || first.OK() {
		t.Errorf("got %+v, want no answer", first)
	}
}

// TestStoreThatMoves: memcached-session-manager writes the store into the id, and
// changes it when it moves the session. The session stays the same.
func TestStoreThatMoves(t *testing.T) {
	id := secretID + "000000000000000001"
	var requests atomic.Int32
	u := web(t, func(w http.ResponseWriter, r *http.Request) {
		store := "n1"
		if requests.Add(1) > 2 {
			store = "n2"
		}
		http.SetCookie(w, &http.Cookie{Name: "JSESSIONID", Value: id + "-" + store + ".tomcat1", Path: "/"})
	})
	cluster := &Cluster{
		Balancer: Balancer{URLs: []*url.URL{u}},
		Session:  storedSession,
		Limits:   Limits{Timeout: ample},
	}
	canary := openCanary(t, cluster, 0)
	checkPresentable(t, canary.Follow(t.Context()))
	checkPresentable(t, canary.Follow(t.Context()))
	checkPresentable(t, canary.Return(t.Context()))

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
	expect.Equal(t, "steps", want, got)
	expect.Equal(t, "outcome", SessionKept, lastOutcome(canary))
	checkHidden(t, secretID, canary.Trace())
}

// TestStore: the store is read from a complete answer only, and only if it is
// configured.
func TestStore(t *testing.T) {
	set := "Set-Cookie: JSESSIONID=" + secretID + "-n1.tomcat1; Path=/\r\n"
	tests := map[string]struct {
		answer  string
		session *Session
		want    string
	}{
		"shown":               {head + set + "\r\n", storedSession, "n1"},
		"no session test":     {head + set + "\r\n", nil, ""},
		"no store configured": {head + set + "\r\n", tomcatSession, ""},
		"no cookie":           {head + "\r\n", storedSession, ""},
		"broken off":          {head + set + "Content-Length: 99\r\n\r\n", storedSession, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ex, _ := fetch(t, Target{URL: serve(t, respond(tt.answer)), Timeout: ample}, pageRequest{session: tt.session})
			expect.Equal(t, "store", tt.want, ex.Store)
		})
	}
}

// storedSession is the session test of Tomcat with memcached-session-manager, whose ids
// are ID-STORE.ROUTE.
var storedSession = &Session{
	Path:   "/",
	Policy: PolicyShared,
	Cookie: "JSESSIONID",
	Node:   tomcatSession.Node,
	ID: extractorFunc(func(doc Document) string {
		id, _, _ := strings.Cut(doc.Cookies["JSESSIONID"], "-")
		return id
	}),
	Store: extractorFunc(func(doc Document) string {
		id, _, _ := strings.Cut(doc.Cookies["JSESSIONID"], ".")
		_, store, _ := strings.Cut(id, "-")
		return store
	}),
}
