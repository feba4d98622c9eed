package probes

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// tells lists where text stands in what would be printed or marshalled.
func tells(t *testing.T, text string, observations ...any) {
	t.Helper()
	for _, o := range observations {
		marshalled, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		for _, shown := range []string{fmt.Sprintf("%+v", o), fmt.Sprintf("%#v", o), string(marshalled)} {
			if at := strings.Index(shown, text); at >= 0 {
				t.Errorf("%T tells a session id: ...%q...", o, shown[max(0, at-60):min(len(shown), at+60)])
			}
		}
	}
}

// TestSessionIDsAreNotTold goes all the ways of a round with a cluster that is
// in order.
func TestSessionIDsAreNotTold(t *testing.T) {
	s := &tomcats{}
	cluster := s.site(t, "tomcat1", "tomcat2")
	cluster.Pages = []Page{{Path: "/", Want: StatusRange{200, 399}}}
	canary := enter(t, cluster, 0)
	canary.Write(t.Context())
	canary.Follow(t.Context())
	crossings := canary.Cross(t.Context(), cluster.Nodes[0], cluster.Nodes[1:])
	through := Through(t.Context(), cluster, Resolve(t.Context(), cluster)[0])
	node := Direct(t.Context(), cluster, cluster.Nodes[1])
	if s.opened < 2 || len(crossings) != 1 {
		t.Fatalf("got %d sessions, %d crossings: nothing was tried", s.opened, len(crossings))
	}
	tells(t, secretID, canary.Walk(), crossings, through, node, *node.Session)
}

// TestSessionIDsThatAreBlurtedOut does it with servers that put the id wherever
// they can, and extractors that read too much.
func TestSessionIDsThatAreBlurtedOut(t *testing.T) {
	const id = secretID + "000000000000000001"
	careless := *tomcatSession
	careless.Node = reads(func(doc Document) string { return doc.Cookies["JSESSIONID"] })
	careless.Store = careless.Node
	careless.Read = reads(func(doc Document) string { return string(doc.Body) })
	byPage := Session{Path: "/", ID: reads(func(doc Document) string { return strings.TrimSpace(string(doc.Body)) })}
	byPage.Node, byPage.Store, byPage.Read = byPage.ID, byPage.ID, byPage.ID

	cookie := "Set-Cookie: JSESSIONID=" + id + ".tomcat1; Path=/\r\n"
	for name, answer := range map[string]string{
		"in the page":               head + cookie + "\r\nhello " + id + " and " + id + ".tomcat1",
		"in a path parameter":       "HTTP/1.1 302 Found\r\nLocation: /a;jsessionid=" + id + "\r\n\r\n",
		"in a path":                 "HTTP/1.1 302 Found\r\n" + cookie + "Location: https://sso.example/" + id + "/login\r\n\r\n",
		"in a cookie's path":        head + "Set-Cookie: JSESSIONID=" + id + "; Path=/" + id + "\r\n\r\n",
		"in a broken Location":      "HTTP/1.1 302 Found\r\nLocation: http://[::1/;JSESSIONID=" + id + "\r\n\r\n",
		"in a broken header":        head + "Set-Cookie JSESSIONID=" + id + "\r\n\r\n",
		"in a broken answer":        head + cookie + "Content-Length: 99\r\n\r\n" + id,
		"in a circle of redirects":  "HTTP/1.1 302 Found\r\n" + cookie + "Location: /" + id + "\r\n\r\n",
		"in a page without cookies": head + "\r\n" + id,
	} {
		for _, session := range []*Session{&careless, &byPage} {
			t.Run(name, func(t *testing.T) {
				u := serve(t, say(answer))
				cluster := &Cluster{Session: session, Limits: Limits{Timeout: ample}, Version: reads(func(doc Document) string { return string(doc.Body) })}
				if session == &careless && !strings.Contains(answer, "JSESSIONID="+id) || strings.Contains(name, "without cookies") != (session == &byPage) {
					t.Skip("there is no telling what an id is")
				}
				cluster.Balancer.URLs = []*url.URL{u}
				canary := enter(t, cluster, 0)
				canary.Follow(t.Context())
				tells(t, secretID, canary.Walk(), Direct(t.Context(), cluster, Node{ID: "n", URL: u}))
			})
		}
	}
}

// TestHideLeavesTheRest: a label that is a part of the cookie is no secret.
func TestHideLeavesTheRest(t *testing.T) {
	u := web(t, func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "JSESSIONID", Value: secretID + ".tomcat1"})
		fmt.Fprint(w, "key1=1001")
	})
	ex, _ := fetch(t, Target{URL: u, Timeout: ample}, question{session: tomcatSession})
	if ex.Label != "tomcat1" || ex.Value != "1001" || ex.Session != FingerprintOf(secretID) {
		t.Errorf("got label %q, value %q, session %q", ex.Label, ex.Value, ex.Session)
	}
}
