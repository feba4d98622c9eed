package users

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"stickwatch/internal/expect"
)

// page renders the generic test page as an application does.
func page(node, id, value string) string {
	body := fmt.Sprintf("<tr><th>node</th><td>%s</td></tr><tr><th>sessionid</th><td>%s</td></tr><pre>\n", node, id)
	if value != "" {
		body += "key1=" + value + "\n"
	}
	return body + "</pre>"
}

// TestOutcomes opens a session at node1, stores its first value, and then sends a
// request that gets the answer of the test case.
func TestOutcomes(t *testing.T) {
	const login = "<h1>Log in</h1>"
	tests := []struct {
		name   string
		status int
		body   string
		want   Outcome
	}{
		{"the same", 200, page("node1", "A", "1000001000001"), Served},
		{"status 500", 500, page("node1", "A", "1000001000001"), Error},
		{"status 419", 419, login, Error},
		{"connection dropped", 0, "", Error},
		{"the session of user 2", 200, page("node1", "B", ""), Foreign},
		{"a value of user 2", 200, page("node1", "A", "1000002000001"), Foreign},
		{"a value of no user", 200, page("node1", "A", "1001"), Foreign},
		{"a value of user 2 at another node", 200, page("node2", "A", "1000002000001"), Foreign},
		{"another session", 200, page("node1", "C", ""), Lost},
		{"another session at another node", 200, page("node2", "C", ""), Lost},
		{"the value is gone", 200, page("node1", "A", ""), Lost},
		{"an older value", 200, page("node1", "A", "1000001000000"), Stale},
		{"a newer value of its own", 200, page("node1", "A", "1000001000002"), Served},
		{"a login page", 200, login, WrongPage},
		{"a redirect to a login page", 302, login, WrongPage},
		{"another node", 200, page("node2", "A", "1000001000001"), Moved},
		{"no session shown", 200, "<th>node</th><td>node1</td>\nkey1=1000001000001\n", Unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var status int
			var body string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path == "/login":
					fmt.Fprint(w, body)
					return
				case status == 0:
					panic(http.ErrAbortHandler)
				case status == http.StatusFound:
					w.Header().Set("Location", "/login")
				}
				w.WriteHeader(status)
				fmt.Fprint(w, body)
			}))
			defer server.Close()
			population := New(Config{URL: server.URL, Users: 2, Sticky: true})
			one, two := population.users[0], population.users[1]
			for n, b := range []string{page("node1", "A", ""), page("node1", "A", "1000001000001")} {
				status, body = http.StatusOK, b
				if r, _ := one.request(t.Context(), n+1); r.Outcome != Served || r.Write != (n == 1) {
					t.Fatalf("request %d: got %+v, want served", n+1, r)
				}
			}
			body = page("node2", "B", "")
			if r, _ := two.request(t.Context(), 1); r.Outcome != Served || !r.New {
				t.Fatalf("user 2: got %+v, want served to a new client", r)
			}
			status, body = tt.status, tt.body
			r, ok := one.request(t.Context(), 3)
			if !ok || r.Outcome != tt.want || r.Owner != "node1" {
				t.Errorf("got %+v, want %s, owner node1", r, tt.want)
			}
		})
	}
}

// TestSharedDoesNotMove checks that another node is no outcome of its own where any
// node may answer.
func TestSharedDoesNotMove(t *testing.T) {
	node := "node1"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, page(node, "A", ""))
	}))
	defer server.Close()
	u := New(Config{URL: server.URL, Users: 1}).users[0]
	u.request(t.Context(), 1)
	node = "node2"
	if r, _ := u.request(t.Context(), 3); r.Outcome != Served || r.Node != "node2" {
		t.Errorf("got %+v, want served by node2", r)
	}
}

// TestLossIsMetOnce checks that a user continues with the session that replaced its
// own.
func TestLossIsMetOnce(t *testing.T) {
	bodies := []string{
		page("node1", "A", ""), page("node1", "A", "1000001000001"),
		page("node2", "B", ""), page("node2", "B", ""), page("node2", "B", ""), page("node2", "B", "1000001000002"), page("node2", "B", "1000001000002"),
	}
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, bodies[n]) }))
	defer server.Close()
	u := New(Config{URL: server.URL, Users: 1, Sticky: true}).users[0]
	var got []Outcome
	for n = range bodies {
		r, _ := u.request(t.Context(), n+1)
		got = append(got, r.Outcome)
	}
	want := []Outcome{Served, Served, Lost, Served, Served, Served, Served}
	expect.Equal(t, "outcomes", want, got)
}

func TestHarms(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(1000, 0).Add(time.Duration(s) * time.Second) }
	l := NewLog()
	for _, r := range []Request{
		{User: 2, At: at(12), Owner: "node2", Outcome: Error, Took: time.Second}, // ended before a request that was sent earlier
		{User: 1, At: at(10), Owner: "node1", Outcome: Error, Took: 4 * time.Second},
		{User: 1, At: at(15), Owner: "node1", Node: "node2", Outcome: Moved},
		{User: 2, At: at(16), Owner: "node2", Outcome: Error, Took: time.Second},
		{User: 2, At: at(18), Owner: "node2", Node: "node3", Outcome: Lost},
		{User: 3, At: at(60), Outcome: WrongPage},
		{User: 3, At: at(61), Outcome: Served},
	} {
		l.add(r)
	}
	type harm struct {
		From, To time.Time
		Users    []int
		Owners   []string
		Outcomes Totals
	}
	var got []harm
	for _, h := range l.Harms(5 * time.Second) {
		got = append(got, harm{h.From, h.To, h.Users, h.Owners, h.Outcomes})
	}
	want := []harm{
		{at(10), at(18), []int{1, 2}, []string{"node1", "node2"}, Totals{Error: 3, Lost: 1}},
		{at(60), at(60), []int{3}, []string{""}, Totals{WrongPage: 1}},
	}
	expect.Equal(t, "harms", want, got)
	expect.Equal(t, "requests in the span", 2, len(l.Between(at(12), at(16))))
}
