package probes

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// checkHidden fails the test if text appears when observations are printed or
// marshalled.
func checkHidden(t *testing.T, text string, observations ...any) {
	t.Helper()
	for _, o := range observations {
		marshalled, err := json.Marshal(o)
		must.Succeed(t, err)
		for _, shown := range []string{fmt.Sprintf("%+v", o), fmt.Sprintf("%#v", o), string(marshalled)} {
			if at := strings.Index(shown, text); at >= 0 {
				t.Errorf("%T shows a session id: ...%q...", o, shown[max(0, at-60):min(len(shown), at+60)])
			}
		}
	}
}

// TestSessionIDsAreHidden makes all requests of a round to a healthy cluster.
func TestSessionIDsAreHidden(t *testing.T) {
	s := &tomcats{}
	cluster := s.site(t, "tomcat1", "tomcat2")
	cluster.Pages = []Page{{Path: "/", Want: StatusRange{200, 399}}}
	canary := openCanary(t, cluster, 0)
	canary.Write(t.Context())
	canary.Follow(t.Context())
	failoverChecks := canary.CheckFailover(t.Context(), cluster.Nodes[0], cluster.Nodes[1:])
	through := Through(t.Context(), cluster, Resolve(t.Context(), cluster)[0])
	node := Direct(t.Context(), cluster, cluster.Nodes[1])
	if s.opened < 2 || len(failoverChecks) != 1 {
		t.Fatalf("got %d sessions, %d failover checks: nothing was requested", s.opened, len(failoverChecks))
	}
	checkHidden(t, secretID, canary.Trace(), failoverChecks, through, node, *node.Session)
}

// TestSessionIDsInAnswers uses servers that write the id wherever they can, and
// extractors that read too much.
func TestSessionIDsInAnswers(t *testing.T) {
	const id = secretID + "000000000000000001"
	careless := *tomcatSession
	careless.Node = extractorFunc(func(doc Document) string { return doc.Cookies["JSESSIONID"] })
	careless.Store = careless.Node
	careless.Read = extractorFunc(func(doc Document) string { return string(doc.Body) })
	byPage := Session{Path: "/", ID: extractorFunc(func(doc Document) string { return strings.TrimSpace(string(doc.Body)) })}
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
				u := serve(t, respond(answer))
				cluster := &Cluster{Session: session, Limits: Limits{Timeout: ample}, Version: extractorFunc(func(doc Document) string { return string(doc.Body) })}
				if session == &careless && !strings.Contains(answer, "JSESSIONID="+id) || strings.Contains(name, "without cookies") != (session == &byPage) {
					t.Skip("there is no telling what an id is")
				}
				cluster.Balancer.URLs = []*url.URL{u}
				canary := openCanary(t, cluster, 0)
				canary.Follow(t.Context())
				checkHidden(t, secretID, canary.Trace(), Direct(t.Context(), cluster, Node{ID: "n", URL: u}))
			})
		}
	}
}

// TestRedactKeepsLabels: a label that is part of the cookie is no secret.
func TestRedactKeepsLabels(t *testing.T) {
	u := web(t, func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "JSESSIONID", Value: secretID + ".tomcat1"})
		fmt.Fprint(w, "key1=1001")
	})
	ex, _ := fetch(t, Target{URL: u, Timeout: ample}, pageRequest{session: tomcatSession})
	if ex.Label != "tomcat1" || ex.Value != "1001" || ex.Session != FingerprintOf(secretID) {
		t.Errorf("got label %q, value %q, session %q", ex.Label, ex.Value, ex.Session)
	}
}

// TestLabelsFromCookies: the text from which the configuration reads a node's name is
// no secret, however long it is, and neither is a name that a balancer's cookie
// repeats.
func TestLabelsFromCookies(t *testing.T) {
	const ticket = "Zq8N3vT1xW5kLm0P7rYc"
	srv := extractorFunc(func(doc Document) string { return doc.Cookies["SRV"] })
	body := extractorFunc(func(doc Document) string { return string(doc.Body) })
	id := extractorFunc(func(doc Document) string { return doc.Cookies["ticket"] })
	for _, tt := range []struct {
		name, cookie, body string
		session            Session
		want               string
	}{
		{"short", "SRV=node2", "", Session{Node: srv}, "node2"},
		{"HAProxy's dynamic cookie", "SRV=8f14e45fceea167a", "", Session{Node: srv}, "8f14e45fceea167a"},
		{"the same on a page", "SRV=8f14e45fceea167a", "8f14e45fceea167a", Session{Node: body}, string(FingerprintOf("8f14e45fceea167a"))},
		{"a name", "SRV=app-server-node-01", "app-server-node-01", Session{Node: body}, "app-server-node-01"},
		{"a session by another name", "ticket=" + ticket, ticket, Session{Node: body}, string(FingerprintOf(ticket))},
		{"a session in the wrong place", "ticket=" + ticket, "", Session{Node: id, ID: id}, string(FingerprintOf(ticket))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := serve(t, respond(head+"Set-Cookie: "+tt.cookie+"\r\n\r\n"+tt.body))
			ex, _ := fetch(t, Target{URL: u, Timeout: ample}, pageRequest{session: &tt.session})
			expect.Equal(t, "label", tt.want, ex.Label)
		})
	}
}

// TestSecretSpellings shows a page's session id in the spellings that servers use.
func TestSecretSpellings(t *testing.T) {
	const id, signature = "Xk2mP9vQ4tR7wZ1y", "Sg5hJ8kL/3nB+6vC0xQ2"
	express := "connect.sid=s%3A" + id + ".Sg5hJ8kL%2F3nB%2B6vC0xQ2"
	token := "eyJ" + strings.Repeat("hbGciOiJIUzI1NiJ9", 40)
	for _, tt := range []struct{ name, cookie, body, secret string }{
		{"decoded", express, "s:" + id + "." + signature, id},
		{"signature", express, "x " + signature, signature},
		{"small codes", "ticket=%2F" + id + "%2F", "%2f" + id + "%2f", id},
		{"decoded, by another name", "ticket=" + id + "%3D%3D", id + "==", id},
		{"a usual name", "CFTOKEN=deadbeef", "deadbeef", "deadbeef"},
		{"longer than is shown", "ticket=" + token, token, token[:40]},
		{"cut", "ticket=" + id, strings.Repeat("-", MaxValue-len(id)) + id, id[:12]},
		{"rejected", "ticket=" + id + "; Domain=example.com", id, id},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := serve(t, respond(head+"Set-Cookie: "+tt.cookie+"\r\n\r\n"+tt.body))
			read := extractorFunc(func(doc Document) string { return Clean(string(doc.Body), MaxValue) })
			ex, _ := fetch(t, Target{URL: u, Timeout: ample}, pageRequest{session: &Session{Read: read}, version: read})
			checkHidden(t, tt.secret, ex)
		})
	}
}

// TestErrorsQuoteNoPeer: net/http quotes what it cannot parse.
func TestErrorsQuoteNoPeer(t *testing.T) {
	for answer, want := range map[string]string{
		"HTTP/1.1 SID=" + secretID + " OK\r\n\r\n":              "malformed HTTP status code",
		"HTTP/" + secretID + " 200 OK\r\n\r\n":                  "malformed HTTP version",
		secretID + "\r\n\r\n":                                   "malformed HTTP response",
		head + "Transfer-Encoding: " + secretID + "\r\n\r\n":    "unsupported transfer encoding",
		head + "Content-Length: " + secretID + "\r\n\r\n":       "bad Content-Length",
		head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n": "http: message cannot contain multiple Content-Length headers",
		head + "Set-Cookie JSESSIONID=" + secretID + "\r\n\r\n": "malformed MIME header",
	} {
		ex, _ := fetch(t, Target{URL: serve(t, respond(answer)), Timeout: ample}, pageRequest{})
		if ex.Failure != FailureMalformed || ex.Error != want {
			t.Errorf("%q: got %s, %q, want %q", answer, ex.Failure, ex.Error, want)
		}
	}
}

// TestStatusHidesSession checks all texts of a status. A status that cannot be read is
// an error.
func TestStatusHidesSession(t *testing.T) {
	const id = secretID + "0000000001"
	body := fmt.Sprintf(`{"state":"%[1]s","reason":["session %[1]s"],"version":"%[1]s","main":{"pid":"%[1]s"},"peer":"%[1]s"}`, id)
	for _, tt := range []struct{ body, want string }{
		{body, ""},
		{`{"state":"paused","load":NaN}`, "the status is not a JSON object"},
		{"<html>", "the status is not a JSON object"},
	} {
		u := serve(t, respond(head+"Set-Cookie: ticket="+id+"\r\n\r\n"+tt.body))
		cluster := &Cluster{Status: &Status{Path: "/status", Settings: []string{"peer"}}, Limits: Limits{Timeout: ample}}
		obs := Direct(t.Context(), cluster, Node{ID: "n", URL: u})
		if obs.StatusError != tt.want || (obs.Status == nil) != (tt.want != "") {
			t.Errorf("%s: got error %q, status %+v, want error %q", tt.body, obs.StatusError, obs.Status, tt.want)
		}
		if obs.Status != nil {
			checkHidden(t, id, obs, *obs.Status)
		}
	}
}
