package probes

import (
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"testing"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// TestCheckAddress: the other address of the balancer leads the client to tomcat2. Whatever
// that answers, the canary keeps its session, and its own node.
func TestCheckAddress(t *testing.T) {
	for name, c := range map[string]struct {
		unreachable, broken, behind map[string]bool
		other                       string
		outcome                     SessionOutcome
		moved                       bool
		void                        bool
	}{
		"the same node":                   {other: "tomcat1", outcome: SessionKept},
		"another node, which renames it":  {other: "tomcat2", outcome: SessionKept, moved: true},
		"another node, one write behind":  {behind: map[string]bool{"tomcat2": true}, other: "tomcat2", outcome: SessionStale, moved: true},
		"another node does not know it":   {unreachable: map[string]bool{"tomcat2": true}, other: "tomcat2", outcome: SessionLost, moved: true},
		"another node answers with a 500": {broken: map[string]bool{"tomcat2": true}, other: "tomcat2", moved: true, void: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := &tomcats{unreachable: c.unreachable, broken: c.broken, behind: c.behind}
			cluster := s.site(t, "tomcat1", "tomcat2")
			canary := openCanary(t, cluster, 0)
			canary.Write(t.Context())
			canary.Write(t.Context()) // without the last one, the session is stale and not lost
			revision := canary.Revision()
			u := cluster.Nodes[map[string]int{"tomcat1": 0, "tomcat2": 1}[c.other]].URL
			nodeOf := func(label string) string { return label }
			check := canary.CheckAddress(t.Context(), cluster.Nodes[0], Frontend{URL: u, Address: netip.MustParseAddrPort(u.Host)}, nodeOf)
			if got := check.Void || check.Moved(nodeOf) == c.moved && check.SessionOutcome() == c.outcome; !got || check.Void != c.void {
				t.Errorf("got outcome %q, moved %v, void %v", check.SessionOutcome(), check.Moved(nodeOf), check.Void)
			}
			checkPresentable(t, check.There)
			if ex := canary.Return(t.Context()); ex.Label != "tomcat1" || ex.NewID || lastOutcome(canary) != SessionKept {
				t.Errorf("afterwards: got %q at %q, new id %v", lastOutcome(canary), ex.Label, ex.NewID)
			}
			if renamed := c.outcome != SessionLost && c.moved && !c.void; (canary.Revision() > revision) != renamed {
				t.Errorf("revision %d after %d, want a later one: %v", canary.Revision(), revision, renamed)
			}
			if !canary.StartNextRound() {
				t.Error("the canary does not continue")
			}
		})
	}
}

// TestCheckAddressControl: a session that is gone at the canary's own address, too, says nothing
// about the other one.
func TestCheckAddressControl(t *testing.T) {
	s := &tomcats{}
	cluster := s.site(t, "tomcat1", "tomcat2")
	canary := openCanary(t, cluster, 0)
	canary.Write(t.Context())
	s.forget()
	u := cluster.Nodes[1].URL
	c := canary.CheckAddress(t.Context(), cluster.Nodes[0], Frontend{URL: u, Address: netip.MustParseAddrPort(u.Host)}, func(label string) string { return label })
	if !c.Void {
		t.Errorf("got outcome %q, want a void check", c.SessionOutcome())
	}
}

// TestSpoiledStays: checks at other nodes, after a check has ended the session, do not make the
// canary one that continues.
func TestSpoiledStays(t *testing.T) {
	cluster := (&tomcats{}).site(t, "tomcat1", "tomcat2")
	canary := openCanary(t, cluster, 0)
	canary.Write(t.Context())
	canary.spoiled = true
	revision := canary.Revision()
	canary.CheckFailover(t.Context(), cluster.Nodes[0], cluster.Nodes[1:])
	if canary.StartNextRound() {
		t.Error("the canary continues")
	}
	if canary.Revision() <= revision {
		t.Error("the nodes renamed the session, and the canary has no later revision")
	}
}

// TestCheckAddressInTurns: the other address sends each request without a cookie of its own to the
// next node. That the second one meets the session's node is chance.
func TestCheckAddressInTurns(t *testing.T) {
	s := &tomcats{unreachable: map[string]bool{"tomcat2": true}}
	cluster := s.site(t, "tomcat1", "tomcat2")
	canary := openCanary(t, cluster, 0)
	canary.Write(t.Context())
	turns := []*url.URL{cluster.Nodes[1].URL, cluster.Nodes[0].URL}
	requests := 0
	other := web(t, func(w http.ResponseWriter, r *http.Request) {
		httputil.NewSingleHostReverseProxy(turns[requests%2]).ServeHTTP(w, r)
		requests++
	})
	nodeOf := func(label string) string { return label }
	c := canary.CheckAddress(t.Context(), cluster.Nodes[0], Frontend{URL: other, Address: netip.MustParseAddrPort(other.Host)}, nodeOf)
	if c.Void || !c.Mixed || c.SessionOutcome() != SessionLost || !c.Moved(nodeOf) {
		t.Errorf("got outcome %q, moved %v, mixed %v, void %v", c.SessionOutcome(), c.Moved(nodeOf), c.Mixed, c.Void)
	}
	if requests != 2 || c.Sent != 3 {
		t.Errorf("got %d requests there, %d in total, want 2 and 3", requests, c.Sent)
	}
}

func TestLeads(t *testing.T) {
	front := func(text string) Frontend {
		return Frontend{URL: must.URL(text), Address: netip.MustParseAddrPort("192.0.2.1:80")}
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"http://shop.example", "http://shop.example", true},
		{"http://192.0.2.1", "http://192.0.2.2:8080", true},
		{"http://shop.example", "http://192.0.2.2", true},
		{"http://shop.example", "http://intranet.example", false}, // no browser sends the cookies of one to the other
		{"http://shop.example", "https://shop.example", false},
		{"http://shop.example/a", "http://shop.example/b", false},
	} {
		if got := (Balancer{}).Leads(front(c.a), front(c.b)); got != c.want {
			t.Errorf("%s to %s: got %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

// TestLeadsToOtherFamily: a client has another address by IPv6, which matters to a balancer that goes by it.
func TestLeadsToOtherFamily(t *testing.T) {
	u := &url.URL{Scheme: "http", Host: "shop.example"}
	v4 := Frontend{URL: u, Address: netip.MustParseAddrPort("192.0.2.1:80")}
	v6 := Frontend{URL: u, Address: netip.MustParseAddrPort("[2001:db8::1]:80")}
	for _, c := range []struct {
		name     string
		balancer Balancer
		want     bool
	}{
		{"by the address", Balancer{Method: MethodIPHash}, false},
		{"not known", Balancer{Method: MethodUnknown}, false},
		{"by the address in a header", Balancer{Method: MethodIPHash, ClientIPHeader: "X-Client"}, true},
		{"by a cookie", Balancer{Method: MethodCookie}, true},
	} {
		expect.Equal(t, c.name, c.want, c.balancer.Leads(v4, v6))
		if !c.balancer.Leads(v6, v6) {
			t.Errorf("%s: a client of IPv6 is not led to IPv6", c.name)
		}
	}
}
